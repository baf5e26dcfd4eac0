package reference

import (
	"fmt"
	"strings"
)

// maxExamples is how many differences of one kind are kept in words.
const maxExamples = 20

// Count is what was compared of one sort of things, and what was found. Found differences have up to 20 examples of each kind.
type Count struct {
	Wanted, Live                         int // by the model, and there
	Lost, Duplicated, Different, Foreign int
	Examples                             map[string][]string // by kind: "lost", "duplicated", "different", "foreign"
}

func (c *Count) lost(format string, args ...any) { c.note(&c.Lost, "lost", format, args) }
func (c *Count) duplicated(format string, args ...any) {
	c.note(&c.Duplicated, "duplicated", format, args)
}
func (c *Count) different(format string, args ...any) {
	c.note(&c.Different, "different", format, args)
}
func (c *Count) foreign(format string, args ...any) { c.note(&c.Foreign, "foreign", format, args) }

func (c *Count) note(n *int, kind, format string, args []any) {
	if *n++; *n <= maxExamples {
		if c.Examples == nil {
			c.Examples = map[string][]string{}
		}
		c.Examples[kind] = append(c.Examples[kind], fmt.Sprintf(format, args...))
	}
}

// Differences is how many there are of all kinds.
func (c *Count) Differences() int { return c.Lost + c.Duplicated + c.Different + c.Foreign }

// Report is the outcome of a Verify.
type Report struct {
	Records   int   // of the inputs, read along the journals
	Journal   Count // commits and the stretches of the inputs they have read: a gap is lost, an overlap duplicated
	Offsets   Count // committed positions of the inputs
	Alerts    Count // by id and revision, suppressed ones too
	Letters   Count // dead letters and late events, by the record refused
	Customers Count // states
	Shards    Count // the shards' own records and their dictionaries
}

func (r *Report) sections() []section {
	return []section{{"journal", &r.Journal}, {"offsets", &r.Offsets}, {"alerts", &r.Alerts}, {"letters", &r.Letters},
		{"customers", &r.Customers}, {"shards", &r.Shards}}
}

type section struct {
	name  string
	count *Count
}

// Differences is how many there are of everything: 0 is what was promised.
func (r *Report) Differences() int {
	n := 0
	for _, s := range r.sections() {
		n += s.count.Differences()
	}
	return n
}

// String is the report for a person: a line for each sort of things, and the examples below it.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d differences; %d input records followed\n", r.Differences(), r.Records)
	for _, s := range r.sections() {
		c := s.count
		fmt.Fprintf(&b, "%-10s %8d wanted, %8d live: %d lost, %d duplicated, %d different, %d foreign\n", s.name, c.Wanted, c.Live, c.Lost,
			c.Duplicated, c.Different, c.Foreign)
		for _, kind := range []string{"lost", "duplicated", "different", "foreign"} {
			for _, example := range c.Examples[kind] {
				fmt.Fprintf(&b, "  %s: %s\n", kind, strings.TrimSuffix(example, "\n"))
			}
		}
	}
	return b.String()
}
