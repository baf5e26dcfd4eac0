package wire

import (
	"context"
	"fmt"
	"unsafe"

	"leadline/internal/sales"
)

// KnowledgeRow is one row of the analyst's sums, as it stands in leadline.knowledge-state. On the wire the cells do not
// repeat the row.
type KnowledgeRow struct {
	Kind  sales.TallyKind
	Row   string
	Cells []sales.Cell
}

// Purchase decodes and checks a purchase. Its error is a *Poison, ErrUnknownSchema or passing, as for all that follow; after
// an error the struct holds parts of the value.
func (d *Decoder) Purchase(ctx context.Context, value []byte, into *sales.Purchase) error {
	if err := d.read(ctx, &d.purchase, value, unsafe.Pointer(into)); err != nil {
		return err
	}
	return CheckPurchase(into)
}

// Touchpoint decodes and checks a touchpoint.
func (d *Decoder) Touchpoint(ctx context.Context, value []byte, into *sales.Touchpoint) error {
	if err := d.read(ctx, &d.touchpoint, value, unsafe.Pointer(into)); err != nil {
		return err
	}
	return CheckTouchpoint(into)
}

// Customer decodes and checks a profile. A tombstone is Erased with no CustomerID: the caller has it in the key.
func (d *Decoder) Customer(ctx context.Context, value []byte, into *sales.Customer) error {
	if value == nil {
		*into = sales.Customer{Erased: true}
		return nil
	}
	into.Erased = false
	if err := d.read(ctx, &d.customer, value, unsafe.Pointer(into)); err != nil {
		return err
	}
	return CheckCustomer(into)
}

// Product decodes and checks an article; ErrTombstone when it is deleted.
func (d *Decoder) Product(ctx context.Context, value []byte, into *sales.Product) error {
	if value == nil {
		return ErrTombstone
	}
	if err := d.read(ctx, &d.product, value, unsafe.Pointer(into)); err != nil {
		return err
	}
	return CheckProduct(into)
}

// Campaign decodes and checks a campaign; ErrTombstone when it is deleted.
func (d *Decoder) Campaign(ctx context.Context, value []byte, into *sales.Campaign) error {
	if value == nil {
		return ErrTombstone
	}
	if err := d.read(ctx, &d.campaign, value, unsafe.Pointer(into)); err != nil {
		return err
	}
	return CheckCampaign(into)
}

// Identity decodes and checks a statement about two ids.
func (d *Decoder) Identity(ctx context.Context, value []byte, into *sales.Identity) error {
	if err := d.read(ctx, &d.identity, value, unsafe.Pointer(into)); err != nil {
		return err
	}
	return CheckIdentity(into)
}

// Signal decodes and checks a value of an external series.
func (d *Decoder) Signal(ctx context.Context, value []byte, into *sales.Signal) error {
	if err := d.read(ctx, &d.signal, value, unsafe.Pointer(into)); err != nil {
		return err
	}
	return CheckSignal(into)
}

// Outcome decodes and checks what came of an alert.
func (d *Decoder) Outcome(ctx context.Context, value []byte, into *sales.Outcome) error {
	if err := d.read(ctx, &d.outcome, value, unsafe.Pointer(into)); err != nil {
		return err
	}
	return CheckOutcome(into)
}

// Alert decodes an alert. What Leadline itself writes is not checked again, here and below.
func (d *Decoder) Alert(ctx context.Context, value []byte, into *sales.Alert) error {
	return d.read(ctx, &d.alert, value, unsafe.Pointer(into))
}

// Link decodes a statement of product-links; ErrTombstone when it was taken back.
func (d *Decoder) Link(ctx context.Context, value []byte, into *sales.Link) error {
	if value == nil {
		return ErrTombstone
	}
	return d.read(ctx, &d.link, value, unsafe.Pointer(into))
}

// Forecast decodes a statement of forecasts; ErrTombstone when it was taken back.
func (d *Decoder) Forecast(ctx context.Context, value []byte, into *sales.Forecast) error {
	if value == nil {
		return ErrTombstone
	}
	return d.read(ctx, &d.forecast, value, unsafe.Pointer(into))
}

// Model decodes a statement of leadline.models; ErrTombstone when it was taken back.
func (d *Decoder) Model(ctx context.Context, value []byte, into *sales.Model) error {
	if value == nil {
		return ErrTombstone
	}
	return d.read(ctx, &d.model, value, unsafe.Pointer(into))
}

// Journal decodes a journal record.
func (d *Decoder) Journal(ctx context.Context, value []byte, into *sales.Journal) error {
	return d.read(ctx, &d.journal, value, unsafe.Pointer(into))
}

// ShardRecord decodes where a shard stands.
func (d *Decoder) ShardRecord(ctx context.Context, value []byte, into *sales.ShardRecord) error {
	return d.read(ctx, &d.shardRecord, value, unsafe.Pointer(into))
}

// Tally decodes the differences of one commit.
func (d *Decoder) Tally(ctx context.Context, value []byte, into *sales.Tally) error {
	return d.read(ctx, &d.tally, value, unsafe.Pointer(into))
}

// KnowledgeRow decodes a row of the analyst's sums; ErrTombstone when it is gone.
func (d *Decoder) KnowledgeRow(ctx context.Context, value []byte, into *KnowledgeRow) error {
	if value == nil {
		return ErrTombstone
	}
	if err := d.read(ctx, &d.knowledgeRow, value, unsafe.Pointer(into)); err != nil {
		return err
	}
	for i := range into.Cells {
		into.Cells[i].Row = into.Row
	}
	return nil
}

// InputTopics are the topics whose records Leadline does not write itself, without a tenant's prefix: what events refer to comes before
// them. Nobody changes it.
var InputTopics = [...]string{"products", "campaigns", "customers", "identities", "signals", "touchpoints", "purchases", "outcomes"}

// Input decodes and checks a value of an input topic, without a tenant's prefix: a pointer to the sales type of its record, as
// FromJSON gives it. Errors are those of the record's own function, ErrTombstone for every null value, ErrNotInput for other topics.
func (d *Decoder) Input(ctx context.Context, topic string, value []byte) (any, error) {
	if value == nil {
		return nil, ErrTombstone
	}
	switch topic {
	case "purchases":
		return input(ctx, value, d.Purchase)
	case "touchpoints":
		return input(ctx, value, d.Touchpoint)
	case "customers":
		return input(ctx, value, d.Customer)
	case "products":
		return input(ctx, value, d.Product)
	case "campaigns":
		return input(ctx, value, d.Campaign)
	case "identities":
		return input(ctx, value, d.Identity)
	case "signals":
		return input(ctx, value, d.Signal)
	case "outcomes":
		return input(ctx, value, d.Outcome)
	}
	return nil, fmt.Errorf("%.40q: %w", topic, ErrNotInput)
}

func input[T any](ctx context.Context, value []byte, decode func(context.Context, []byte, *T) error) (any, error) {
	into := new(T)
	if err := decode(ctx, value, into); err != nil {
		return nil, err
	}
	return into, nil
}
