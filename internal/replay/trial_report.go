package replay

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"leadline/internal/sales"
)

// Verdicts on an alert in a what-if.
const (
	verdictAdded   = "added"
	verdictGone    = "gone"
	verdictChanged = "changed"
)

// Counted is how many alerts, ends of episodes among them, one side has decided.
type Counted struct {
	All        int64            `json:"all"`
	Opened     int64            `json:"opened"` // of all
	Said       int64            `json:"said"`   // of all: a rep would have got it
	Suppressed map[string]int64 `json:"suppressed,omitempty"`
}

func (c *Counted) add(a *sales.Alert) {
	c.All++
	if a.Status == sales.Opened {
		c.Opened++
	}
	if isSaid(a) {
		c.Said++
		return
	}
	if c.Suppressed == nil {
		c.Suppressed = map[string]int64{}
	}
	c.Suppressed[a.SuppressedBy.String()]++
}

func (c *Counted) sum(o Counted) {
	c.All, c.Opened, c.Said = c.All+o.All, c.Opened+o.Opened, c.Said+o.Said
	for why, n := range o.Suppressed {
		if c.Suppressed == nil {
			c.Suppressed = map[string]int64{}
		}
		c.Suppressed[why] += n
	}
}

// Flow is what becomes of one kind's alerts: before + added − gone = after, and of those said before + added − gone − withheld + released.
type Flow struct {
	Kind      string  `json:"kind"`
	Before    Counted `json:"before"`
	Added     int64   `json:"added"`
	Gone      int64   `json:"gone"`
	Changed   int64   `json:"changed"` // said by both, otherwise
	AddedSaid int64   `json:"added_said"`
	GoneSaid  int64   `json:"gone_said"`
	Withheld  int64   `json:"withheld"` // of the changed: said before, suppressed after
	Released  int64   `json:"released"` // of the changed: suppressed before, said after
	After     Counted `json:"after"`
}

// Reconciles tells whether the sums are right.
func (f *Flow) Reconciles() bool {
	return f.Before.All+f.Added-f.Gone == f.After.All && f.Before.Said+f.AddedSaid-f.GoneSaid-f.Withheld+f.Released == f.After.Said
}

// First is the first decision of a customer's story that is not the same: what follows may follow from it.
type First struct {
	CSN int64     `json:"csn"`
	At  time.Time `json:"at"` // event time
	ID  string    `json:"id"` // alert_id.revision
	Why string    `json:"why"`
}

// Change is one alert that is not the same, with both versions where there are two.
type Change struct {
	Verdict   string          `json:"verdict"`
	Kind      string          `json:"kind"`
	Why       string          `json:"why"`
	Fields    []string        `json:"fields,omitempty"` // that differ
	ID        string          `json:"id"`               // alert_id.revision
	Customer  string          `json:"customer_id"`
	Partition int32           `json:"partition"`
	CSN       int64           `json:"csn"`
	Title     string          `json:"title"`
	First     *First          `json:"first,omitempty"`
	Before    json.RawMessage `json:"before,omitempty"`
	After     json.RawMessage `json:"after,omitempty"`
}

// String says it in a sentence.
func (c *Change) String() string {
	side := ""
	if c.Verdict == verdictAdded {
		side = "without the change "
	}
	text := fmt.Sprintf("%s: %q, because %s%s", c.Verdict, c.Title, side, whySentences[c.Why])
	if c.First != nil && c.First.ID != c.ID {
		text += fmt.Sprintf("; customer %s's story goes another way since %s (%s)", c.Customer, c.First.At.Format(time.DateOnly), c.First.Why)
	}
	return text
}

// ChangeGroup is the changes of one kind for one reason.
type ChangeGroup struct {
	Verdict string   `json:"verdict"`
	Kind    string   `json:"kind"`
	Why     string   `json:"why"`
	Changes []Change `json:"changes"`
}

// TrialReport is the outcome of a what-if.
type TrialReport struct {
	Whole      bool          `json:"whole"`      // every shard was played to its end
	Stopped    bool          `json:"stopped"`    // before the end: this is what was found until then
	Reconciles bool          `json:"reconciles"` // the sums are right
	Took       time.Duration `json:"took_ns"`
	Shards     []ShardReport `json:"shards"`
	Flows      []Flow        `json:"flows"`
	Groups     []ChangeGroup `json:"groups"`
}

func newTrialReport(h *history, walks []*walk) *TrialReport {
	r := &TrialReport{Whole: len(walks) == len(h.shards), Reconciles: true, Groups: []ChangeGroup{}}
	flows, groups := map[string]*Flow{}, map[string]*ChangeGroup{}
	for _, w := range walks {
		t := w.job.(*trial)
		r.Shards = append(r.Shards, w.sum)
		r.Whole = r.Whole && w.done && w.sum.Stopped == ""
		for kind, f := range t.flows {
			if flows[kind] == nil {
				flows[kind] = &Flow{Kind: kind}
			}
			flows[kind].take(f)
		}
		for _, c := range t.changes {
			key := strings.Join([]string{c.Verdict, c.Kind, c.Why}, "\x00")
			if groups[key] == nil {
				groups[key] = &ChangeGroup{Verdict: c.Verdict, Kind: c.Kind, Why: c.Why}
			}
			groups[key].Changes = append(groups[key].Changes, c)
		}
	}
	for _, kind := range sales.AlertKinds() {
		if f := flows[kind.String()]; f != nil {
			r.Flows = append(r.Flows, *f)
			r.Reconciles = r.Reconciles && (f.Reconciles() || !r.Whole) // what only one side has ended yet is added at the end
		}
	}
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		r.Groups = append(r.Groups, *groups[key])
	}
	slices.SortStableFunc(r.Groups, func(a, b ChangeGroup) int { return cmp.Compare(len(b.Changes), len(a.Changes)) })
	return r
}

func (f *Flow) take(o *Flow) {
	f.Before.sum(o.Before)
	f.After.sum(o.After)
	f.Added, f.Gone, f.Changed = f.Added+o.Added, f.Gone+o.Gone, f.Changed+o.Changed
	f.AddedSaid, f.GoneSaid, f.Withheld, f.Released = f.AddedSaid+o.AddedSaid, f.GoneSaid+o.GoneSaid, f.Withheld+o.Withheld, f.Released+o.Released
}

// WriteText writes it for a person.
func (r *TrialReport) WriteText(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "KIND\t\tBEFORE\tADDED\tGONE\tWITHHELD\tRELEASED\tAFTER")
	for _, f := range r.Flows {
		fmt.Fprintf(w, "%s\tsaid\t%d\t%d\t%d\t%d\t%d\t%d\n", f.Kind, f.Before.Said, f.AddedSaid, f.GoneSaid, f.Withheld, f.Released, f.After.Said)
		fmt.Fprintf(w, "\topened\t%d\t\t\t\t\t%d\n", f.Before.Opened, f.After.Opened)
		by := maps.Clone(f.Before.Suppressed)
		if by == nil {
			by = map[string]int64{}
		}
		maps.Copy(by, f.After.Suppressed)
		for _, why := range sortedKeys(by) {
			fmt.Fprintf(w, "\tnot said: %s\t%d\t\t\t\t\t%d\n", why, f.Before.Suppressed[why], f.After.Suppressed[why])
		}
		fmt.Fprintf(w, "\tall\t%d\t%d\t%d\t\t\t%d\n", f.Before.All, f.Added, f.Gone, f.After.All)
	}
	fmt.Fprintln(w)
	writeShards(w, r.Shards, "played")
	total := 0
	for _, g := range r.Groups {
		total += len(g.Changes)
		fmt.Fprintf(w, "%d %s %s: %s\n", len(g.Changes), g.Kind, g.Verdict, g.Why)
		for _, c := range g.Changes[:min(len(g.Changes), shownExamples)] {
			fmt.Fprintf(w, "  %s\n", &c)
		}
	}
	if !r.Reconciles {
		fmt.Fprintln(w, "The sums do not come out: this is a defect of the replay.")
	}
	if r.Stopped {
		fmt.Fprintln(w, "Stopped before the end; until then:")
	}
	var records int64
	for _, s := range r.Shards {
		records += s.Records
	}
	fmt.Fprintf(w, "%d alerts would have been other ones; %d records played twice in %s\n", total, records, r.Took.Round(time.Millisecond))
	return w.Flush()
}
