// Package state keeps the Redis projection of the shards' state: what Kafka has committed, where a lookup by customer
// takes microseconds.
//
// Kafka decides, this projects. Every write of a shard is one transaction that compares the shard's meta (cluster, topic,
// generation, commit sequence number) with what the writer believes and writes all or nothing, so a writer that was
// fenced off in Kafka cannot harm the projection, and a projection that was emptied, rewound or swapped is noticed
// before anything read from it is believed. It is disposable: Rebuild makes a new one beside the old, invisible until
// it is whole.
//
// It is not the truth (that is the topic leadline.state), it does not know what a blob holds (package engine), and it
// does not recover (package stream does, with what is here). All stores pass the one suite in statetest. Roles and
// wiring may import it.
package state

import (
	"context"
	"errors"
	"fmt"

	"leadline/internal/engine"
)

// Meta says whose projection this is and how far it has come. The zero Meta stands for "none": nothing was ever
// applied, or it is gone.
type Meta struct {
	Cluster     string // id of the Kafka cluster
	TopicID     string // id of leadline.state; a topic created anew has another one
	Generation  int64  // of the keys; each rebuild takes a higher one
	CSN         int64  // the shard's commit sequence number
	StateOffset int64  // next offset of leadline.state-p that is not in the projection
}

// Write is what one or several merged commits of a shard change.
type Write struct {
	From, To Meta // To has From's generation, unless From is zero
	Changes  []engine.Change
	// ItemRuns extend the shard's item dictionary, in the order of their first index; runs already there are left alone.
	ItemRuns []engine.ItemsRun
}

// Store is the projection of all shards. Errors are of three kinds: ErrRefused (somebody else moved the shard's meta:
// recover), ErrCorrupt (what is there cannot be read: rebuild), and any other, which may pass by trying again.
type Store interface {
	// Meta reads the shard's meta; ok is false when there is none.
	Meta(ctx context.Context, p int32) (m Meta, ok bool, err error)
	// Load reads the blobs of customers together with the meta they stand under, at one instant. A nil blob means that
	// the projection has none: a new customer only if m is the meta that the caller relies on. A zero m comes with nil
	// blobs only.
	Load(ctx context.Context, p int32, ids []string) (m Meta, blobs [][]byte, err error)
	// Apply moves the shard from w.From (zero: there must be no meta, and no rebuild begun) to w.To with all changes, or
	// refuses and changes nothing. A change without a blob deletes, one of which nothing is due disarms. Applying what was applied last succeeds: the answer
	// to a first attempt may have been lost.
	Apply(ctx context.Context, p int32, w Write) error
	// Timers calls each with all timers as they were written (what a look is due by now is Due.After), in any order.
	// ErrRefused if the shard has no meta or it
	// changes generation meanwhile, so that a projection emptied half-way never looks like one with few timers.
	Timers(ctx context.Context, p int32, each func(engine.Timer) error) error
	// Items reads the item dictionary's runs in order; ErrRefused if the shard has no meta.
	Items(ctx context.Context, p int32) ([]engine.ItemsRun, error)
	// Rebuild begins a new generation of the shard, to.Generation, which must be above the visible one (else
	// ErrRefused). Of several begun for one shard the last goes on and all others are refused.
	Rebuild(ctx context.Context, p int32, to Meta) (Rebuild, error)
}

// Rebuild writes a generation that nobody sees before Finish. Abandoning one needs no call: its remains go with the
// next.
type Rebuild interface {
	// Put adds changes and item runs; the last Put of a customer counts.
	Put(ctx context.Context, changes []engine.Change, runs []engine.ItemsRun) error
	// Finish makes the generation visible if the shard's meta still is the one that Rebuild found, then removes older
	// generations in small steps. A removal cut short is not an error: the next rebuild completes it. Like Apply it may
	// be called again when its answer was lost.
	Finish(ctx context.Context) error
}

// ErrRefused says that the shard's meta is not what the caller believed. Have is what it is, zero for none.
type ErrRefused struct{ Have Meta }

func (e ErrRefused) Error() string {
	if e.Have == (Meta{}) {
		return "refused: the projection has no meta"
	}
	return fmt.Sprintf("refused: the projection is at %s", e.Have)
}

// ErrCorrupt is wrapped by every error that says the projection cannot be read as what it should be.
var ErrCorrupt = errors.New("projection is corrupt")

// ErrEarlier is the ErrCorrupt of a projection that a release wrote whose timers this one would misread: an engine of this release rebuilds it
// at its start.
var ErrEarlier = fmt.Errorf("projection of an earlier release: %w", ErrCorrupt)

// check refuses what could never be right, whatever the store holds.
func (w *Write) check() error {
	switch {
	case w.To == (Meta{}):
		return errors.New("write without a meta to move to")
	case w.From != (Meta{}) && w.From.Generation != w.To.Generation:
		return fmt.Errorf("write from generation %d to %d: only a rebuild changes it", w.From.Generation, w.To.Generation)
	}
	return nil
}
