// Package replay takes the decisions of the past again and compares them with those that were taken live.
//
// A Shadow is one shard's engine that follows leadline.journal: it reads the very records that each commit read, knows what that
// commit knew, under its rules and its time, and decides. Verify plays whole shards that way and holds what they decide against
// the live topics: alerts, suppressed alerts, dead letters, late events, every customer's state, and the shard's own record. It
// finds 0 differences when the live topics are what the engine would say again, and names each difference with both versions
// when they are not. It proves on the way that the journal's runs tile every input without gap or overlap.
//
// WhatIf plays each shard twice side by side, as it was and under other rules or links, and gives each alert that would have been
// another one a reason. Backfill writes the alerts that the replay decides and that are nowhere, once, marked with its run_id.
//
// But for Backfill it writes nothing but files that it is told to. It belongs to no group, and may run beside live engines: what they
// commit meanwhile is left out. It begins at the first commit, so it needs the whole history; where retention has cut that it says so
// and verifies nothing of the shard. Or it begins at a snapshot that a verification has left, with the same result; or in the middle
// with nothing known, and then judges nothing until one window and one cool-down have passed. A Scope says what of it counts: a time,
// shards, customers, alerts. DryRun counts beforehand. With a state directory a run that was stopped or killed goes on where it was,
// to the ends that it had found first. Customers may be divided as among another number of shards: the alerts must be the same.
//
// What cannot be known is said and not counted: what retention has taken, what falls into a warm-up, and, once the topic customers
// has been compacted past what was read, differences about customers who were erased. Which records were of a schema that the
// registry did not know then is taken from the live dead letters, because nothing else tells it. Of knowledge of such a schema
// nothing tells it: should the registry know it by now, the replay takes it in where the live engine passed over it.
//
// Where the topics grew (leadline topics grow) a shard goes on with the customers that came to it, whose state is taken as it stands on
// leadline.rehomed: what led to it is verified with the shard they came from. The report names each growth.
//
// Memory is that of the shards being played at one time, at most four: the blob of every customer (some 300 bytes), the
// differences, and a few megabytes of fetched records for each topic. The commands import it.
package replay

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/engine"
	"leadline/internal/sales"
	"leadline/internal/wire"
)

// Options is what a replay is told, whatever it is for.
type Options struct {
	Kafka    []kgo.Opt // seeds, TLS, SASL: given to every client that is opened
	Prefix   string    // of the tenant's topics
	Calendar sales.Calendar
	Decoder  *wire.Decoder
	Encoder  *wire.Encoder // of alerts
	Rules    *engine.Rules // those configured now: what a warm-up begins with where the journal does not say its rules any more
	Scope

	Snapshot string // file to begin at; empty: at the first commit
	WarmUp   bool   // begin a window and a cool-down before Since instead, or where the history that is left begins
	StateDir string // where the run is kept, so that it goes on after a break; empty: nowhere
	Rate     int    // records a second over all shards at most; 0: no limit
	Progress func(Progress)

	saveEach time.Duration // for tests: how often a shard is kept
}

// Progress is how far all shards together are. It is told after each commit, one call at a time.
type Progress struct {
	Commits, Records int64
	Share            float64 // of the journal, 0 to 1
}
