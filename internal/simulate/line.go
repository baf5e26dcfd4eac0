package simulate

import (
	"encoding/json"
	"fmt"
	"time"

	"leadline/internal/sales"
)

// AppendLine appends the event's record as a line of JSON in the contract's field names, as the command load reads it.
func (e Event) AppendLine(dst []byte) []byte {
	line, err := json.Marshal(contract(e.Record))
	if err != nil { // only NaN and infinities can, and no record here has one
		panic(fmt.Sprintf("encode %T: %v", e.Record, err))
	}
	return append(append(dst, line...), '\n')
}

// contract gives the record its names.
func contract(record any) any {
	switch r := record.(type) {
	case *sales.Purchase:
		return purchaseOf(r)
	case *sales.Touchpoint:
		return touchpointLine{EventID: r.EventID, CustomerID: r.CustomerID, OccurredAt: instant(r.OccurredAt), Kind: r.Kind.String(), Channel: r.Channel,
			ProductID: r.ProductID, Category: r.Category, CampaignID: r.CampaignID}
	case *sales.Customer:
		consent := map[string]string{}
		for channel, granted := range r.Consent {
			consent[channel] = map[bool]string{true: "granted", false: "denied"}[granted]
		}
		return customerLine{CustomerID: r.CustomerID, Attributes: r.Attributes, Consent: consent, UpdatedAt: instant(r.UpdatedAt)}
	case *sales.Product:
		return productLine{ProductID: r.ProductID, Name: r.Name, Type: r.Type, Category: r.Category, PriceMinor: *r.PriceMinor, Currency: r.Currency,
			Margin: r.MarginShare, Tier: r.Tier}
	case *sales.Campaign:
		return campaignLine{CampaignID: r.CampaignID, Name: r.Name, Channel: r.Channel, StartsAt: instant(r.StartsAt), EndsAt: instant(r.EndsAt),
			CostMinor: *r.CostMinor, ContactCostMinor: *r.ContactCostMinor, Currency: r.Currency}
	}
	panic(fmt.Sprintf("simulate: %T is no record of a world", record))
}

func purchaseOf(r *sales.Purchase) purchaseLine {
	p := purchaseLine{EventID: r.EventID, CustomerID: r.CustomerID, OccurredAt: instant(r.OccurredAt), OrderID: r.OrderID, Currency: r.Currency,
		Channel: r.Channel, CampaignID: r.CampaignID, Lines: make([]orderLine, len(r.Lines))}
	for i, l := range r.Lines {
		p.Lines[i] = orderLine(l)
	}
	return p
}

func instant(at sales.Millis) string { return time.UnixMilli(int64(at)).UTC().Format(time.RFC3339Nano) }

// The contract's fields that a world fills.
type (
	purchaseLine struct {
		EventID    string      `json:"event_id"`
		CustomerID string      `json:"customer_id"`
		OccurredAt string      `json:"occurred_at"`
		OrderID    string      `json:"order_id"`
		Lines      []orderLine `json:"lines"`
		Currency   string      `json:"currency"`
		Channel    string      `json:"channel,omitempty"`
		CampaignID string      `json:"campaign_id,omitempty"`
	}
	orderLine struct {
		ProductID   string `json:"product_id"`
		Category    string `json:"category"`
		Quantity    int32  `json:"quantity"`
		AmountMinor int64  `json:"amount_minor"`
	}
	touchpointLine struct {
		EventID    string `json:"event_id"`
		CustomerID string `json:"customer_id"`
		OccurredAt string `json:"occurred_at"`
		Kind       string `json:"kind"`
		Channel    string `json:"channel,omitempty"`
		ProductID  string `json:"product_id,omitempty"`
		Category   string `json:"category,omitempty"`
		CampaignID string `json:"campaign_id,omitempty"`
	}
	customerLine struct {
		CustomerID string            `json:"customer_id"`
		Attributes map[string]string `json:"attributes"`
		Consent    map[string]string `json:"consent"`
		UpdatedAt  string            `json:"updated_at"`
	}
	productLine struct {
		ProductID  string  `json:"product_id"`
		Name       string  `json:"name"`
		Type       string  `json:"type"`
		Category   string  `json:"category"`
		PriceMinor int64   `json:"price_minor"`
		Currency   string  `json:"currency"`
		Margin     float64 `json:"margin"`
		Tier       int32   `json:"tier,omitempty"`
	}
	campaignLine struct {
		CampaignID       string `json:"campaign_id"`
		Name             string `json:"name"`
		Channel          string `json:"channel"`
		StartsAt         string `json:"starts_at"`
		EndsAt           string `json:"ends_at"`
		CostMinor        int64  `json:"cost_minor"`
		ContactCostMinor int64  `json:"contact_cost_minor"`
		Currency         string `json:"currency"`
	}
)
