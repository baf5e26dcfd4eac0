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

// Link is one published statement of the topic product-links, keyed by Key. Items are names at the link's level. It is an association
// seen in purchases, never a cause. Two links can be compared by ==.
type Link struct {
	Kind           LinkKind
	Level          string // one of LinkLevels
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
	Lift           float64 // Took / Expected; upsell: Confidence / Baseline
	LiftLow        float64 // 95% interval
	LiftHigh       float64
	GSquared       float64
	Score          float64 // what candidates are ranked by: Both / (FromHolders · ToHolders^0.25); upsell: shrunken switch rate
	TypicalMinor   int64   // mean amount of one line of To, 0 when unknown
	PriceRatio     float64 // upsell: median unit price of ToTier over FromTier; 0 for cross-sell
	LearnedTo      Millis  // event time that the counts reach

	// What follows is about cross-sell; 0 for upsell.

	Via      string  // how From came: "" = bought, else the kind of touch about it
	Took     int64   // how often To came to customers while they held From; old times count less
	Expected float64 // how often it would have, were they no likelier than equally active customers at the same time
	Q        float64 // Benjamini-Hochberg over all candidates: the share of false ones to expect among the statements that are at least as sure
	Starts   int64   // customers who came to hold From and did not hold To: the three chances and the curve are about them

	Within30, Within90, Within180 Chance // that To has come within so many days after From

	Curve       [CurveWeeks]float32 // probability that To has come by the end of week i since From came
	BaseCurve   [CurveWeeks]float32 // the same for equally active customers at the same time
	CallFrom    int32               // days since From that hold the middle half of the extra purchases; both 0 = unknown
	CallTo      int32
	LearnedFrom Millis  // event time that the counts begin at; 0 = unknown
	Season      float64 // how often To came to customers of late over what half a year lets expect: 1 = as usual; 0 = unknown
}

// The levels that links lead between, from fine to coarse.
const (
	LevelProduct    = "product"
	LevelType       = "type"
	LevelCategory   = "category"
	LevelDepartment = "department"
)

// LinkLevels lists them.
func LinkLevels() []string {
	return []string{LevelProduct, LevelType, LevelCategory, LevelDepartment}
}

// CurveWeeks is how many weeks a link's curve has: of 180 days the last week has five.
const CurveWeeks = 26

// Chance is a probability with its 95% interval, and the same probability for equally active customers.
type Chance struct {
	P, Low, High float64
	Baseline     float64
}

// Key names the statement: a later one with the same key replaces it, a tombstone takes it back.
func (l *Link) Key() string {
	if l.Kind == UpsellLink {
		return "upsell|" + l.Level + "|" + l.From
	}
	key := "cross-sell|" + l.Level + "|" + l.From + "|" + l.To
	if l.Via != "" {
		key += "|" + l.Via
	}
	return key
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
