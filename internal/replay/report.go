package replay

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"leadline/internal/wire"
)

// Why two versions of something are not the same.
const (
	onlyLive      = "only live"            // the replay does not say it
	onlyReplayed  = "only replayed"        // it was not said live
	different     = "different"            // both say it, otherwise
	saidTwice     = "said twice live"      // Replayed is what was said first
	unreadable    = "not readable live"    // damaged, or of a release with another format
	brokenJournal = "journal is not whole" // a gap, an overlap or a contradiction: nothing can be compared from there on
)

// Difference is one thing that is not the same live and replayed, with both versions where there are two.
type Difference struct {
	Partition int32           `json:"partition"`
	ID        string          `json:"id"` // alert_id.revision, customer_id, the refused record's place, or a commit
	Customer  string          `json:"customer_id,omitempty"`
	Offset    int64           `json:"offset"`        // in the live topic; 0 without a live version
	CSN       int64           `json:"csn,omitempty"` // of the commit that was replayed, 0 where there is none
	Live      json.RawMessage `json:"live,omitempty"`
	Replayed  json.RawMessage `json:"replayed,omitempty"`
}

// Group is the differences of one topic that have the same cause, as far as that shows.
type Group struct {
	Topic    string       `json:"topic"`
	Why      string       `json:"why"`
	Fields   []string     `json:"fields,omitempty"` // that differ
	Count    int64        `json:"count"`
	Examples []Difference `json:"examples"` // the first of them, at most 20
}

const maxExamples = 20

// findings groups differences as they come; those about erased customers apart.
type findings struct {
	Groups map[string]*Group `json:"groups"`
	Erased map[string]*Group `json:"erased"`
	erased map[string]bool   // customers who were
}

func (f *findings) add(why, topic string, fields []string, d Difference) {
	if f.erased[d.Customer] {
		f.addApart(why, topic, fields, d)
		return
	}
	if f.Groups == nil {
		f.Groups = map[string]*Group{}
	}
	merge(f.Groups, &Group{Topic: topic, Why: why, Fields: fields, Count: 1, Examples: []Difference{d}})
}

// addApart is add for what is not to be counted.
func (f *findings) addApart(why, topic string, fields []string, d Difference) {
	if f.Erased == nil {
		f.Erased = map[string]*Group{}
	}
	merge(f.Erased, &Group{Topic: topic, Why: why, Fields: fields, Count: 1, Examples: []Difference{d}})
}

// noneErased says that differences about erased customers are like all others, because all that was known of these is still there.
func (f *findings) noneErased() {
	if f.Groups == nil {
		f.Groups = map[string]*Group{}
	}
	for _, g := range f.Erased {
		merge(f.Groups, g)
	}
	f.Erased = nil
}

func merge(groups map[string]*Group, g *Group) {
	key := strings.Join(append([]string{g.Topic, g.Why}, g.Fields...), "\x00")
	have := groups[key]
	if have == nil {
		have = &Group{Topic: g.Topic, Why: g.Why, Fields: g.Fields}
		groups[key] = have
	}
	have.Count += g.Count
	have.Examples = append(have.Examples, g.Examples[:min(len(g.Examples), maxExamples-len(have.Examples))]...)
}

// sorted gives the groups, and how many differences are in them.
func sorted(groups map[string]*Group) (list []Group, sum int64) {
	list = []Group{}
	for _, g := range groups {
		slices.SortFunc(g.Examples, func(a, b Difference) int {
			return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.CSN, b.CSN), cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.ID, b.ID))
		})
		list = append(list, *g)
		sum += g.Count
	}
	slices.SortFunc(list, func(a, b Group) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Why, b.Why), slices.Compare(a.Fields, b.Fields))
	})
	return list, sum
}

// ShardReport is what was played of one shard.
type ShardReport struct {
	Partition  int32     `json:"partition"`
	Commits    int64     `json:"commits"`
	CSN        int64     `json:"csn"` // of the last one
	From       time.Time `json:"from,omitzero"`
	To         time.Time `json:"to,omitzero"`
	Records    int64     `json:"records"`
	Timers     int64     `json:"timers"`
	Duplicates int64     `json:"duplicates"`
	Customers  int64     `json:"customers"`            // whose state was compared
	Moved      int64     `json:"moved"`                // who have changed since: their state then is not known any more
	Removed    int64     `json:"removed,omitempty"`    // records of customers that were read live and have been compacted away since
	Warm       time.Time `json:"warm,omitzero"`        // the shard's own time at which the warm-up is over: nothing before is judged
	JudgedFrom time.Time `json:"judged_from,omitzero"` // the wall clock of the first commit after the warm-up
	Broken     bool      `json:"broken,omitempty"`     // the journal contradicts itself, the inputs or this release
	Stopped    string    `json:"stopped,omitempty"`    // why the shard was not played to its end

	Grown []GrowthReport `json:"grown,omitempty"`
}

// TopicReport is what was compared on one topic, over all shards.
type TopicReport struct {
	Topic    string `json:"topic"`
	Compared int64  `json:"compared"`
	Gone     int64  `json:"gone"`               // replayed, and older than what the topic still holds: not compared, not a difference
	Unjudged int64  `json:"unjudged,omitempty"` // in the warm-up
	Mended   int64  `json:"mended,omitempty"`   // of those compared, written by a backfill
}

// Report is the outcome of a verification.
type Report struct {
	Verified    bool          `json:"verified"` // every shard was played to its end, and nothing differs
	Stopped     bool          `json:"stopped"`  // before the end: this is what was done
	Differences int64         `json:"differences"`
	Until       time.Time     `json:"until,omitzero"`
	Took        time.Duration `json:"took_ns"`
	Shards      []ShardReport `json:"shards"`
	Topics      []TopicReport `json:"topics"`
	Groups      []Group       `json:"groups"`
	Erased      []Group       `json:"erased,omitempty"` // about customers who were erased for privacy: not counted
	Notes       []string      `json:"notes,omitempty"`
}

func newReport(h *history, walks []*walk) *Report {
	r := &Report{Verified: len(walks) == len(h.shards)}
	groups, erased := map[string]*Group{}, map[string]*Group{}
	for _, w := range walks {
		v := w.job.(*verification)
		r.Shards = append(r.Shards, w.sum)
		r.Verified = r.Verified && w.sum.Stopped == "" && w.done
		for _, g := range v.found.Groups {
			merge(groups, g)
		}
		for _, g := range v.found.Erased {
			merge(erased, g)
		}
		if w.sum.Broken {
			merge(groups, &Group{Topic: journalTopic, Why: brokenJournal, Count: 1, Examples: []Difference{{Partition: w.p, ID: w.sum.Stopped, CSN: w.sum.CSN + 1}}})
		}
		for i, l := range v.ledgers {
			if i == len(r.Topics) {
				r.Topics = append(r.Topics, TopicReport{Topic: l.topic})
			}
			t := &r.Topics[i]
			t.Compared, t.Gone, t.Unjudged, t.Mended = t.Compared+l.sum.Compared, t.Gone+l.sum.Gone, t.Unjudged+l.sum.Unjudged, t.Mended+l.sum.Mended
		}
	}
	r.Groups, r.Differences = sorted(groups)
	if len(erased) > 0 {
		r.Erased, _ = sorted(erased)
	}
	r.Verified = r.Verified && r.Differences == 0
	return r
}

// note says what the figures alone do not.
func (r *Report) note(c Check, h *history) {
	n := h.counts[journalTopic]
	if c.Shards > 0 && c.Shards%n != 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("%d shards cannot be made of %d: one of them would have customers of several shards, which were at different "+
			"times and knew different things when they decided. Each customer keeps the time of its own shard, so that %d were played.", c.Shards, n, c.Shards/wire.Common(c.Shards, n)*n))
	}
	if c.Shards > 0 {
		r.Notes = append(r.Notes, "What hangs on a shard as a whole is decided by its own customers alone: whether an event is late (by the newest event of the shard) "+
			"and whether the dictionary of items is full.")
	}
	var removed int64
	for _, s := range r.Shards {
		removed += s.Removed
	}
	if removed > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("%d records of %s that were read live are there no more, compacted away: differences about customers who were erased are "+
			"not counted.", removed, h.topic(customersTopic)))
	}
	if h.o.WarmUp {
		r.Notes = append(r.Notes, "Begun in the middle of the history: what was decided in the first window and cool-down is not judged, nor are alerts, "+
			"because which offer is best, and on which weekday a customer is looked at, goes back to its first purchase; states are not compared.")
	}
}

// WriteText writes it for a person.
func (r *Report) WriteText(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "SHARD\tCOMMITS\tFROM\tTO\tRECORDS\tTIMERS\tCUSTOMERS\tCHANGED SINCE")
	for _, s := range r.Shards {
		fmt.Fprintf(w, "%d\t%d\t%s\t%s\t%d\t%d\t%d\t%d\n", s.Partition, s.Commits, date(s.From), date(s.To), s.Records, s.Timers, s.Customers, s.Moved)
	}
	fmt.Fprintln(w, "\nTOPIC\tCOMPARED\tNOT KEPT ANY MORE\tIN THE WARM-UP\tBY A BACKFILL")
	var sum int64
	for _, t := range r.Topics {
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\n", t.Topic, t.Compared, t.Gone, t.Unjudged, t.Mended)
		sum += t.Compared
	}
	fmt.Fprintln(w)
	writeShards(w, r.Shards, "verified")
	var states int64
	for _, s := range r.Shards {
		states += s.Customers
		for _, g := range s.Grown {
			fmt.Fprintf(w, "shard %d: at %s %d shards became %d; %d customers came, %d left\n", s.Partition, date(g.At), g.From, g.To, g.Arrived, g.Left)
		}
	}
	for _, g := range r.Groups {
		g.write(w)
	}
	if len(r.Erased) > 0 {
		fmt.Fprintln(w, "About erased customers, not counted:")
		for _, g := range r.Erased {
			g.write(w)
		}
	}
	writeNotes(w, r.Notes)
	if r.Stopped {
		fmt.Fprintln(w, "Stopped before the end; until then:")
	}
	fmt.Fprintf(w, "%d differences; %d records and %d customers' states compared in %s\n", r.Differences, sum, states, r.Took.Round(time.Millisecond))
	return w.Flush()
}

// writeShards says of which shards not all was played, and from where on what was played is judged.
func writeShards(w io.Writer, shards []ShardReport, done string) {
	for _, s := range shards {
		if s.Stopped != "" {
			fmt.Fprintf(w, "shard %d was not %s: %s\n", s.Partition, done, s.Stopped)
		}
		if s.Warm.IsZero() {
			continue
		}
		if s.JudgedFrom.IsZero() {
			fmt.Fprintf(w, "shard %d was warming up to its end: its time never reached %s\n", s.Partition, date(s.Warm))
		} else {
			fmt.Fprintf(w, "shard %d was warm at its time %s: judged is what was decided from %s on\n", s.Partition, date(s.Warm), date(s.JudgedFrom))
		}
	}
}

func writeNotes(w io.Writer, notes []string) {
	for _, n := range notes {
		fmt.Fprintln(w, n)
	}
}

// shownExamples is how many differences of a group a person is shown; the others are in the JSON.
const shownExamples = 3

func (g *Group) write(w io.Writer) {
	fmt.Fprintf(w, "%s: %d %s", g.Topic, g.Count, g.Why)
	if len(g.Fields) > 0 {
		fmt.Fprintf(w, " in %s", strings.Join(g.Fields, ", "))
	}
	fmt.Fprintln(w)
	for _, d := range g.Examples[:min(len(g.Examples), shownExamples)] {
		fmt.Fprintf(w, "  %q (shard %d, commit %d)\n", d.ID, d.Partition, d.CSN)
		live, replayed := d.Live, d.Replayed
		if len(g.Fields) > 0 {
			live, replayed = only(live, g.Fields), only(replayed, g.Fields)
		}
		for _, v := range []struct {
			name string
			text json.RawMessage
		}{{"live", live}, {"replayed", replayed}} {
			if v.text != nil {
				fmt.Fprintf(w, "    %-9s %s\n", v.name, v.text)
			}
		}
	}
}

// only keeps some fields of a JSON object.
func only(object json.RawMessage, fields []string) json.RawMessage {
	var all map[string]json.RawMessage
	if json.Unmarshal(object, &all) != nil {
		return object
	}
	for name := range all {
		if !slices.Contains(fields, name) {
			delete(all, name)
		}
	}
	return plainJSON(all)
}

func date(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Format("2006-01-02 15:04:05")
}
