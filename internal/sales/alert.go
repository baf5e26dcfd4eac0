package sales

// AlertKind is the last word of the alert's topic.
type AlertKind uint8

// The kinds, in the order of the contract.
const (
	CrossSell AlertKind = iota + 1
	Upsell
	Declining
	Opportunity
	Channel
	CampaignAlert
	Outlook
)

var alertKindNames = [...]string{"", "cross-sell", "upsell", "declining", "opportunity", "channel", "campaign", "outlook"}

// String gives the word used in topic names, on pages and in metrics.
func (k AlertKind) String() string { return alertKindNames[k] }

// Topic is the topic (without a tenant's prefix) on which alerts of this kind are said.
func (k AlertKind) Topic() string { return "alerts." + alertKindNames[k] }

// AlertKinds lists all kinds.
func AlertKinds() []AlertKind {
	return []AlertKind{CrossSell, Upsell, Declining, Opportunity, Channel, CampaignAlert, Outlook}
}

// AlertStatus is where an episode stands.
type AlertStatus uint8

// An episode is OPENED once, may be UPDATED, and ends RESOLVED (the facts changed) or EXPIRED (time ran out).
const (
	Opened AlertStatus = iota + 1
	Updated
	Resolved
	Expired
)

var alertStatusNames = [...]string{"", "OPENED", "UPDATED", "RESOLVED", "EXPIRED"}

// String gives the enum symbol.
func (s AlertStatus) String() string { return alertStatusNames[s] }

// Suppression is why an alert was decided but not said. NotSuppressed alerts go to their kind's topic, all others to
// alerts.suppressed.
type Suppression uint8

// The reasons of the contract.
const (
	NotSuppressed Suppression = iota
	ByHoldout
	ByCap
	ByConsent
	BySilenced
	ByDuplicate
	ByExpired
)

var suppressionNames = [...]string{"", "holdout", "cap", "consent", "silenced", "duplicate", "expired"}

// String gives the enum symbol, empty for NotSuppressed.
func (s Suppression) String() string { return suppressionNames[s] }

// Arm is the side of the standing experiment that the customer is on.
type Arm uint8

// Customers of the control arm are decided about like all others but never told to a rep.
const (
	Treatment Arm = iota + 1
	Control
)

// String gives the enum symbol.
func (a Arm) String() string { return [...]string{"", "TREATMENT", "CONTROL"}[a] }

// LiveRun is the RunID of alerts that were decided as events arrived. All others are a replay's, and nobody is told about them.
const LiveRun = "live"

// Evidence points at one input record that a reason rests on. EventID may be empty where the state keeps only the place.
type Evidence struct {
	Source  Source
	EventID string
}

// Reason is one cause of an alert: a machine-readable code, a sentence, and its numbers.
type Reason struct {
	Code     string
	Text     string
	Value    float64
	Baseline float64
	Weight   float64
	Evidence []Evidence
}

// Alert is the one record of all alert topics. AlertID and Revision together name a message; the id alone names the episode.
type Alert struct {
	AlertID            string
	Revision           int32
	Kind               AlertKind
	Status             AlertStatus
	SubjectType        string // "customer" for all kinds that a shard decides
	SubjectID          string
	CustomerID         string
	OwnerID            string
	Title              string
	Score              float64
	Grade              string // A, B, C or D
	ExpectedValueMinor *int64
	Currency           string
	Reasons            []Reason
	WindowStart        Millis
	WindowEnd          Millis
	EventTime          Millis // of what caused it
	DetectedAt         Millis // the shard's now when it was decided
	ExpiresAt          Millis // 0 = never
	FromProduct        string
	ToProduct          string
	CampaignID         string
	Series             string
	Arm                Arm
	Propensity         float64 // probability of the arm the customer is in
	KnowledgeVersion   string
	RunID              string
	SuppressedBy       Suppression
	Details            Numbers
}
