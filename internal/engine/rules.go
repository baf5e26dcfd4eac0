package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"leadline/internal/channel"
	"leadline/internal/sales"
)

// Rules are everything about deciding that may be set. They change only between steps, and each commit's journal record
// names their hash. Changing WindowDays, LinkLevel or Links.ExcludeCategories changes what the tallies of the links count:
// sums learned before stay as they are until the customers are touched again.
type Rules struct {
	WindowDays      int           `json:"window_days" yaml:"window_days"`           // the window at day d is (d − WindowDays, d]
	SlackDays       int           `json:"slack_days" yaml:"slack_days"`             // kept beyond the window, so that late events see a whole one
	LinkLevel       string        `json:"link_level" yaml:"link_level"`             // what links lead between: one of sales.LinkLevels
	CooldownDays    int           `json:"cooldown_days" yaml:"cooldown_days"`       // the same is not offered again for so long
	ExpiryDays      int           `json:"expiry_days" yaml:"expiry_days"`           // an offer is open from its day on for so long
	HoldoutShare    float64       `json:"holdout_share" yaml:"holdout_share"`       // of the customers, 0..1, are never told about
	AllowedLateness time.Duration `json:"allowed_lateness" yaml:"allowed_lateness"` // how far the watermark stays behind the newest event
	Caps            CapRules      `json:"caps,omitzero" yaml:"caps"`
	Feedback        FeedbackRules `json:"feedback,omitzero" yaml:"feedback"`
	ExploreShare    share         `json:"explore_share,omitzero" yaml:"explore_share"` // of the orders, 0..1, are answered with any of the best ten offers
	Declining       DeclineRules  `json:"declining" yaml:"declining"`
	Upsell          UpsellRules   `json:"upsell" yaml:"upsell"`
	Links           LinkRules     `json:"links" yaml:"links"`
	Channels        channel.Rules `json:"channels,omitzero" yaml:"channels"`
}

// share is one that is left out in JSON where it is the default: rules from before it could be set are hashed without.
type share float64

const defaultExploreShare = share(0.05)

// IsZero tells whether the share is left out in JSON.
func (s share) IsZero() bool { return s == defaultExploreShare }

// CapRules say how many offers of a kind a customer may have open at a time: 0 to 3. What comes on top goes to the ledger.
type CapRules struct {
	CrossSell int `json:"cross_sell" yaml:"cross_sell"`
	Upsell    int `json:"upsell" yaml:"upsell"`
}

// defaultCaps were the only ones there were before caps could be set: rules with them are written, and hashed, without.
var defaultCaps = CapRules{CrossSell: 1, Upsell: 1}

// IsZero tells whether the caps are left out in JSON.
func (c CapRules) IsZero() bool { return c == defaultCaps }

func (c CapRules) of(kind sales.AlertKind) int {
	if kind == sales.Upsell {
		return c.Upsell
	}
	return c.CrossSell
}

// FeedbackRules say what becomes of alerts that reps find not useful.
type FeedbackRules struct {
	MinWeight float64 `json:"min_weight" yaml:"min_weight"` // below this weight (package feedback) alerts of the kind are not said in the segment; 0: always
}

// defaultFeedback is left out of JSON, like defaultCaps.
var defaultFeedback = FeedbackRules{MinWeight: 0.25}

// IsZero tells whether it is left out in JSON.
func (f FeedbackRules) IsZero() bool { return f == defaultFeedback }

// maxCap keeps all that can be open at a time, declining included, within what a blob has room for.
const maxCap = 3

// DeclineRules say when a customer counts as declining: the recent days against the baseline days before them.
type DeclineRules struct {
	RecentDays      int     `json:"recent_days" yaml:"recent_days"`
	BaselineDays    int     `json:"baseline_days" yaml:"baseline_days"`
	Alpha           float64 `json:"alpha" yaml:"alpha"`                         // alert below this p-value
	ResolveAbove    float64 `json:"resolve_above" yaml:"resolve_above"`         // a purchase that brings p here ends the spell
	LookEveryDays   weekly  `json:"look_every_days" yaml:"-"`                   // was a rule once: journals and hashes keep it
	MinBaselineDays int     `json:"min_baseline_days" yaml:"min_baseline_days"` // days with a purchase in the baseline
	// MinPrecision is how likely a customer must be to slip away for an alert, once that was learned: so at least such a share of these alerts is right.
	MinPrecision precision `json:"min_precision,omitzero" yaml:"min_precision"`
	// CapacityPerWeek is how many alerts a week that somebody slips away a rep has room for, on the average of four weeks: those that are worth most. 0: all.
	CapacityPerWeek int `json:"capacity_per_week,omitzero" yaml:"capacity_per_week"`
}

// precision is left out in JSON where it is the default: rules from before it could be set are hashed without.
type precision float64

const defaultMinPrecision = precision(0.5)

// IsZero tells whether it is left out in JSON.
func (p precision) IsZero() bool { return p == defaultMinPrecision }

func (r *DeclineRules) least() float64 { return float64(r.MinPrecision) }

// weekly is the number of days between two looks where it is told among the rules: only ever LookEvery.
type weekly struct{}

// MarshalJSON writes the number that it has always been.
func (weekly) MarshalJSON() ([]byte, error) { return strconv.AppendInt(nil, LookEvery, 10), nil }

// UnmarshalJSON refuses rules of a release that could look at other intervals, and did.
func (weekly) UnmarshalJSON(text []byte) error {
	if string(text) != strconv.Itoa(LookEvery) {
		return fmt.Errorf("declining.look_every_days %s: this release looks every %d days, and cannot decide as one that did not", text, LookEvery)
	}
	return nil
}

// UpsellRules say who is ready for a higher tier, and which brands stand for which tier where the catalogue does not say.
type UpsellRules struct {
	MinPurchases  int              `json:"min_purchases" yaml:"min_purchases"` // days with a purchase at the lower tier
	BrandTiers    map[string]int32 `json:"brand_tiers" yaml:"brand_tiers"`
	MinPriceRatio float64          `json:"min_price_ratio" yaml:"min_price_ratio"` // of the tiers' median unit prices, for the learner
}

// LinkRules say which links are learned, and what takes no part in them.
type LinkRules struct {
	MinSupport        int64    `json:"min_support" yaml:"min_support"` // customers holding both
	MinG2             float64  `json:"min_g2" yaml:"min_g2"`           // Dunning's G² of the holders; it sees activity as well as links, so 0 by default
	MaxPerItem        int      `json:"max_per_item" yaml:"max_per_item"`
	ExcludeCategories []string `json:"exclude_categories" yaml:"exclude_categories"`

	HalfLifeDays  halfLife   `json:"half_life_days,omitzero" yaml:"half_life_days"` // what is so much older counts half
	MaxCandidates candidates `json:"max_candidates,omitzero" yaml:"max_candidates"` // consequents of an antecedent of which sums are kept
}

// halfLife and candidates came later than the others: rules with what were their defaults then are written, and hashed, without.
type (
	halfLife   int
	candidates int
)

const (
	defaultHalfLife   halfLife   = 730
	unsaidHalfLife    halfLife   = 365
	defaultCandidates candidates = 512
)

// IsZero tells whether it is left out in JSON.
func (h halfLife) IsZero() bool { return h == unsaidHalfLife }

// IsZero tells whether it is left out in JSON.
func (c candidates) IsZero() bool { return c == defaultCandidates }

// DefaultRules are the rules of the contract.
func DefaultRules() Rules {
	return Rules{
		WindowDays: 180, SlackDays: 5, LinkLevel: "category", CooldownDays: 30, ExpiryDays: 14, HoldoutShare: 0.10,
		AllowedLateness: time.Hour, Caps: defaultCaps, Feedback: defaultFeedback, Channels: channel.DefaultRules(), ExploreShare: defaultExploreShare,
		Declining: DeclineRules{RecentDays: 30, BaselineDays: 150, Alpha: 0.001, ResolveAbove: 0.01, MinBaselineDays: 5, MinPrecision: defaultMinPrecision},
		Upsell:    UpsellRules{MinPurchases: 2, BrandTiers: map[string]int32{"Private": 1, "National": 2}, MinPriceRatio: 1.1},
		Links: LinkRules{MinSupport: 15, MaxPerItem: 20, ExcludeCategories: []string{"COUPON/MISC ITEMS"}, HalfLifeDays: defaultHalfLife,
			MaxCandidates: defaultCandidates},
	}
}

// Hash names the rules: equal rules have equal hashes, of 16 hexadecimal digits.
func (r Rules) Hash() string {
	sum := sha256.Sum256(r.JSON())
	return hex.EncodeToString(sum[:8])
}

// JSON is what the journal keeps of the rules.
func (r Rules) JSON() []byte {
	b, err := json.Marshal(r)
	if err != nil { // only NaN and infinities can; Validate refuses them
		panic(fmt.Sprintf("encode rules: %v", err))
	}
	return b
}

// ParseRules reads what JSON wrote.
func ParseRules(text string) (Rules, error) {
	r := Rules{Caps: defaultCaps, Feedback: defaultFeedback, Channels: channel.DefaultRules(), ExploreShare: defaultExploreShare,
		Declining: DeclineRules{MinPrecision: defaultMinPrecision},
		Links:     LinkRules{HalfLifeDays: unsaidHalfLife, MaxCandidates: defaultCandidates}}
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return r, fmt.Errorf("rules: %w", err)
	}
	return r, nil
}

// Validate names everything that is wrong.
func (r Rules) Validate() error {
	var errs []error
	must := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	must(r.WindowDays >= 1 && r.WindowDays <= 730, "window_days %d: must be 1 to 730", r.WindowDays)
	must(r.SlackDays >= 0 && r.SlackDays <= 30, "slack_days %d: must be 0 to 30", r.SlackDays)
	must(slices.Contains(sales.LinkLevels(), r.LinkLevel), "link_level %q: must be one of %s", r.LinkLevel, strings.Join(sales.LinkLevels(), ", "))
	must(r.CooldownDays >= 1 && r.CooldownDays <= r.WindowDays, "cooldown_days %d: must be 1 to window_days", r.CooldownDays)
	must(r.ExpiryDays >= 1 && r.ExpiryDays <= r.CooldownDays, "expiry_days %d: must be 1 to cooldown_days", r.ExpiryDays)
	must(r.HoldoutShare >= 0 && r.HoldoutShare < 1, "holdout_share %g: must be 0 or more and below 1", r.HoldoutShare)
	must(r.AllowedLateness >= 0 && r.AllowedLateness <= 7*24*time.Hour, "allowed_lateness %s: must be 0 to 168h", r.AllowedLateness)
	must(r.Caps.CrossSell >= 0 && r.Caps.CrossSell <= maxCap && r.Caps.Upsell >= 0 && r.Caps.Upsell <= maxCap,
		"caps: cross_sell %d and upsell %d: must be 0 to %d", r.Caps.CrossSell, r.Caps.Upsell, maxCap)
	must(r.Feedback.MinWeight >= 0 && r.Feedback.MinWeight <= 1, "feedback: min_weight %g: must be 0 to 1", r.Feedback.MinWeight)
	must(r.ExploreShare >= 0 && r.ExploreShare <= 1, "explore_share %g: must be 0 to 1", float64(r.ExploreShare))
	d := r.Declining
	must(d.RecentDays >= 1 && d.BaselineDays >= 1 && d.RecentDays+d.BaselineDays <= r.WindowDays,
		"declining: recent_days %d and baseline_days %d: must be 1 or more and together at most window_days", d.RecentDays, d.BaselineDays)
	must(d.Alpha > 0 && d.Alpha < 1 && d.ResolveAbove >= d.Alpha && d.ResolveAbove < 1,
		"declining: alpha %g and resolve_above %g: must be 0 < alpha <= resolve_above < 1", d.Alpha, d.ResolveAbove)
	must(d.MinBaselineDays >= 1, "declining: min_baseline_days %d: must be 1 or more", d.MinBaselineDays)
	must(d.MinPrecision > 0 && d.MinPrecision <= 1, "declining: min_precision %g: must be above 0 and at most 1", float64(d.MinPrecision))
	must(d.CapacityPerWeek >= 0 && d.CapacityPerWeek <= 10_000, "declining: capacity_per_week %d: must be 0 (no bound) to 10000", d.CapacityPerWeek)
	u := r.Upsell
	must(u.MinPurchases >= 1, "upsell: min_purchases %d: must be 1 or more", u.MinPurchases)
	must(u.MinPriceRatio >= 1 && u.MinPriceRatio < 1000, "upsell: min_price_ratio %g: must be 1 to 1000", u.MinPriceRatio)
	l := r.Links
	must(l.MinSupport >= 1, "links: min_support %d: must be 1 or more", l.MinSupport)
	must(l.MinG2 >= 0 && l.MinG2 < 1e9, "links: min_g2 %g: must be 0 to 1e9", l.MinG2)
	must(l.MaxPerItem >= 1, "links: max_per_item %d: must be 1 or more", l.MaxPerItem)
	must(l.HalfLifeDays >= 28 && l.HalfLifeDays <= 36_500, "links: half_life_days %d: must be 28 to 36500", l.HalfLifeDays)
	must(l.MaxCandidates >= 1 && l.MaxCandidates <= 65_536, "links: max_candidates %d: must be 1 to 65536", l.MaxCandidates)
	return errors.Join(append(errs, r.Channels.Validate())...)
}

// keptDays is how many days of history a customer keeps.
func (r *Rules) keptDays() int { return r.WindowDays + r.SlackDays }
