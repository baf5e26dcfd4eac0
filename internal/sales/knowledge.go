package sales

// LinkKind tells what a link is for.
type LinkKind uint8

// A cross-sell link leads from one item to another, an upsell link from one tier of an item to a higher one.
const (
	CrossSellLink LinkKind = iota + 1
	UpsellLink
)

// String gives the enum symbol.
func (k LinkKind) String() string { return [...]string{"", "CROSS_SELL", "UPSELL"}[k] }

// Link is one published statement of the topic product-links, keyed by Key. Items are names at the link's level
// (category or type). It is an association seen in purchases, never a cause.
type Link struct {
	Kind           LinkKind
	Level          string // "category" or "type"
	From, To       string // items; equal for an upsell link
	FromTier       int32  // 0 for cross-sell
	ToTier         int32
	Customers      int64 // customers with anything in the window
	FromHolders    int64 // customers holding From (upsell: customers who became eligible)
	ToHolders      int64
	Both           int64 // customers holding both (upsell: customers who then went up)
	Confidence     float64
	ConfidenceLow  float64 // 95% Wilson interval
	ConfidenceHigh float64
	Baseline       float64 // share of ToHolders among Customers
	Lift           float64 // Confidence / Baseline
	LiftLow        float64 // 95% interval
	LiftHigh       float64
	GSquared       float64
	Score          float64 // what candidates are ranked by: Both / (FromHolders · ToHolders^0.25); upsell: shrunken switch rate
	TypicalMinor   int64   // mean amount of one line of To, 0 when unknown
	PriceRatio     float64 // upsell: median unit price of ToTier over FromTier; 0 for cross-sell
	LearnedTo      Millis  // event time that the counts reach
}

// Key names the statement: a later one with the same key replaces it, a tombstone takes it back.
func (l *Link) Key() string {
	if l.Kind == UpsellLink {
		return "upsell|" + l.Level + "|" + l.From
	}
	return "cross-sell|" + l.Level + "|" + l.From + "|" + l.To
}

// Forecast is one statement of the topic forecasts, keyed by series and period. In this release the one series is
// ActivitySeries: everyone's purchase days, per day.
type Forecast struct {
	Series      string
	PeriodStart Millis
	PeriodEnd   Millis
	Observed    float64
	Complete    bool // no shard can add to the period any more but by late events
}

// ActivitySeries names everyone's purchase days per day, the seasonal weight of the declining test.
const ActivitySeries = "activity.purchase-days"

// KnowledgeVersion says what of the knowledge topics had been read, as "topic:next offset" joined by commas in topic order.
type KnowledgeVersion string
