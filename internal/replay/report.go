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

// findings groups differences as they come.
type findings struct{ groups map[string]*Group }

func (f *findings) add(why, topic string, fields []string, d Difference) {
	f.merge(&Group{Topic: topic, Why: why, Fields: fields, Count: 1, Examples: []Difference{d}})
}

func (f *findings) merge(g *Group) {
	key := strings.Join(append([]string{g.Topic, g.Why}, g.Fields...), "\x00")
	have := f.groups[key]
	if have == nil {
		have = &Group{Topic: g.Topic, Why: g.Why, Fields: g.Fields}
		if f.groups == nil {
			f.groups = map[string]*Group{}
		}
		f.groups[key] = have
	}
	have.Count += g.Count
	have.Examples = append(have.Examples, g.Examples[:min(len(g.Examples), maxExamples-len(have.Examples))]...)
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
	Customers  int64     `json:"customers"` // whose state was compared
	Moved      int64     `json:"moved"`     // who have changed since: their state then is not known any more
	Stopped    string    `json:"stopped,omitempty"`
}

// TopicReport is what was compared on one topic, over all shards.
type TopicReport struct {
	Topic    string `json:"topic"`
	Compared int64  `json:"compared"`
	Gone     int64  `json:"gone"` // replayed, and older than what the topic still holds: not compared, not a difference
}

// Report is the outcome of a verification.
type Report struct {
	Verified    bool          `json:"verified"` // every shard was played to its end, and nothing differs
	Differences int64         `json:"differences"`
	Until       time.Time     `json:"until,omitzero"`
	Took        time.Duration `json:"took_ns"`
	Shards      []ShardReport `json:"shards"`
	Topics      []TopicReport `json:"topics"`
	Groups      []Group       `json:"groups"`
}

func newReport(shards []*shard) *Report {
	r := &Report{Verified: true, Groups: []Group{}}
	var all findings
	for _, s := range shards {
		r.Shards = append(r.Shards, s.sum)
		r.Verified = r.Verified && s.sum.Stopped == ""
		for _, g := range s.found.groups {
			all.merge(g)
		}
		for i, l := range s.ledgers {
			if i == len(r.Topics) {
				r.Topics = append(r.Topics, TopicReport{Topic: l.topic})
			}
			r.Topics[i].Compared += l.matched
			r.Topics[i].Gone += l.beyond
		}
	}
	for _, g := range all.groups {
		slices.SortFunc(g.Examples, func(a, b Difference) int {
			return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.CSN, b.CSN), cmp.Compare(a.Offset, b.Offset), cmp.Compare(a.ID, b.ID))
		})
		r.Groups = append(r.Groups, *g)
		r.Differences += g.Count
	}
	slices.SortFunc(r.Groups, func(a, b Group) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Why, b.Why), slices.Compare(a.Fields, b.Fields))
	})
	r.Verified = r.Verified && r.Differences == 0
	return r
}

// WriteText writes it for a person.
func (r *Report) WriteText(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "SHARD\tCOMMITS\tFROM\tTO\tRECORDS\tTIMERS\tCUSTOMERS\tCHANGED SINCE")
	for _, s := range r.Shards {
		fmt.Fprintf(w, "%d\t%d\t%s\t%s\t%d\t%d\t%d\t%d\n", s.Partition, s.Commits, date(s.From), date(s.To), s.Records, s.Timers, s.Customers, s.Moved)
	}
	fmt.Fprintln(w, "\nTOPIC\tCOMPARED\tNOT KEPT ANY MORE")
	var sum int64
	for _, t := range r.Topics {
		fmt.Fprintf(w, "%s\t%d\t%d\n", t.Topic, t.Compared, t.Gone)
		sum += t.Compared
	}
	fmt.Fprintln(w)
	var states int64
	for _, s := range r.Shards {
		states += s.Customers
		if s.Stopped != "" {
			fmt.Fprintf(w, "shard %d was not verified: %s\n", s.Partition, s.Stopped)
		}
	}
	for _, g := range r.Groups {
		g.write(w)
	}
	fmt.Fprintf(w, "%d differences; %d records and %d customers' states compared in %s\n", r.Differences, sum, states, r.Took.Round(time.Millisecond))
	return w.Flush()
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
