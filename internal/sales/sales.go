// Package sales holds the trade's types: what customers do, what the sales side is told, and the words both use.
//
// It is pure data. Every other package may import it; it imports nothing of Leadline. It is not the wire format
// (package wire) and not the customer's state (packages window and engine).
package sales

// Millis is an instant in milliseconds since 1970-01-01T00:00:00Z, the contract's timestamp-millis.
type Millis int64

// Source is where a record stands in Kafka. It is the evidence that an alert's reason points at.
type Source struct {
	Topic     string
	Partition int32
	Offset    int64
}

// EventKind tells which of an Event's pointers is set.
type EventKind uint8

// The customer-keyed inputs. Their order is the order in which a shard's journal names them.
const (
	PurchaseEvent EventKind = iota + 1
	TouchpointEvent
	CustomerEvent
	OutcomeEvent
	IdentityEvent
	MoveEvent
)

// Event is one input record of a shard, already decoded. Its strings may alias the record's bytes: whoever keeps one
// beyond the step clones it.
type Event struct {
	Source     Source
	Kind       EventKind
	Purchase   *Purchase
	Touchpoint *Touchpoint
	Customer   *Customer
	Outcome    *Outcome
	Identity   *Identity
}

// PurchaseKind tells an order from a refund.
type PurchaseKind uint8

// Order is the default of the schema's enum.
const (
	Order PurchaseKind = iota
	Refund
)

// Purchase is an order or a refund of one. Optional strings are empty when absent.
type Purchase struct {
	EventID    string
	CustomerID string
	OccurredAt Millis
	OrderID    string
	Lines      []Line
	Currency   string
	Channel    string
	Store      string
	CampaignID string
	Kind       PurchaseKind
}

// Line is one product of an order. Quantity is at least 1 and AmountMinor at least 0, in refunds too.
type Line struct {
	ProductID   string
	Category    string
	Quantity    int32
	AmountMinor int64
}

// TouchKind is what kind of touchpoint it was. Unknown symbols decode as TouchOther.
type TouchKind uint8

// The symbols of the schema's enum, in its order.
const (
	TouchOther TouchKind = iota
	TouchPageView
	TouchProductView
	TouchCartAdd
	TouchSearch
	TouchEmailOpen
	TouchEmailClick
	TouchAdClick
	TouchCouponSent
	TouchCouponRedeemed
	TouchCampaignSent
	TouchCall
	TouchVisit
	TouchSurvey
	TouchSupport
)

var touchNames = [...]string{"other", "page_view", "product_view", "cart_add", "search", "email_open", "email_click", "ad_click",
	"coupon_sent", "coupon_redeemed", "campaign_sent", "call", "visit", "survey", "support"}

// String gives the enum symbol.
func (k TouchKind) String() string { return touchNames[k] }

// TouchKinds lists the enum symbols in TouchKind order.
func TouchKinds() []string { return append([]string(nil), touchNames[:]...) }

// Touchpoint is anything that brought customer and company together without a purchase.
type Touchpoint struct {
	EventID    string
	CustomerID string
	OccurredAt Millis
	Kind       TouchKind
	Channel    string
	ProductID  string
	Category   string
	CampaignID string
	ValueMinor *int64
	Currency   string
	Attributes map[string]string
}

// Customer is the profile of a customer or prospect. Erased is a tombstone: everything kept about the customer goes.
type Customer struct {
	CustomerID string
	Name       string
	Email      string
	Phone      string
	OwnerID    string
	TimeZone   string
	Attributes map[string]string
	Consent    map[string]bool // channel → granted
	UpdatedAt  Millis
	Erased     bool
}

// Product is one article of the catalogue. Tier 0 is unknown. MarginShare is NaN when unknown, PriceMinor nil.
type Product struct {
	ProductID   string
	Name        string
	Type        string
	Category    string
	Department  string
	Brand       string
	PriceMinor  *int64
	Currency    string
	MarginShare float64
	Tier        int32
}

// Campaign is a planned series of touches with its costs.
type Campaign struct {
	CampaignID       string
	Name             string
	Channel          string
	StartsAt, EndsAt Millis
	CostMinor        *int64
	ContactCostMinor *int64
	Currency         string
	ProductIDs       []string
}

// IdentityAction links two ids of one person, or takes the link back.
type IdentityAction uint8

// Link is the default of the schema's enum.
const (
	LinkIDs IdentityAction = iota
	SplitIDs
)

// Identity says that FromID and ToID are one customer, or no longer are.
type Identity struct {
	EventID    string
	Action     IdentityAction
	FromID     string
	ToID       string
	OccurredAt Millis
	Reason     string
}

// Signal is one value of an external series.
type Signal struct {
	EventID    string
	Series     string
	Kind       string
	Region     string
	Category   string
	Value      float64
	Unit       string
	OccurredAt Millis
}

// Outcome is what came of an alert, as a rep reports it. Action and Result are the symbols of the schema's enums.
type Outcome struct {
	EventID    string
	AlertID    string
	CustomerID string
	RepID      string
	Action     string
	Result     string
	Note       string
	ValueMinor *int64
	Currency   string
	ToRepID    string
	Until      Millis
	Undoes     string
	OccurredAt Millis
	Attributes map[string]string
}
