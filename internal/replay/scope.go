package replay

import (
	"strings"
	"time"

	"leadline/internal/sales"
)

// Scope is what of the past is asked about. Whole shards are played whatever it says, for decisions rest on all that came before; it
// chooses the shards, and which of their decisions count.
type Scope struct {
	Since      time.Time // zero: from the beginning; else decisions of batches from this time on, by the wall clock
	Until      time.Time // zero: all that is committed; else commits up to this time by the wall clock
	Partitions []int32   // empty: all shards
	Customers  []string  // empty: all; else these, and the shards that they are in
	Alerts     []string  // empty: all; else the alerts of these ids
}

// scope is a Scope ready to be asked.
type scope struct {
	since     sales.Millis
	customers map[string]bool
	alerts    map[string]bool
	warm      bool // it began in the middle: alerts do not count, see startWarm
}

func newScope(s Scope) scope {
	out := scope{customers: set(s.Customers), alerts: set(s.Alerts)}
	if !s.Since.IsZero() {
		out.since = sales.Millis(s.Since.UnixMilli())
	}
	return out
}

func set(list []string) map[string]bool {
	if len(list) == 0 {
		return nil
	}
	m := map[string]bool{}
	for _, s := range list {
		m[s] = true
	}
	return m
}

// all tells whether everything that was decided counts, whosever it is.
func (s *scope) all() bool { return s.customers == nil && s.alerts == nil }

// has tells whether something about a customer, decided at a time of the wall clock, counts.
func (s *scope) has(customer string, at sales.Millis) bool {
	return at >= s.since && (s.customers == nil || s.customers[customer])
}

// hasAlert is has for an alert under its name, alert_id.revision.
func (s *scope) hasAlert(name, customer string, at sales.Millis) bool {
	id, _, _ := strings.Cut(name, ".")
	return s.has(customer, at) && (s.alerts == nil || s.alerts[id])
}
