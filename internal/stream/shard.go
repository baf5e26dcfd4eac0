package stream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/engine"
	"leadline/internal/sales"
	"leadline/internal/state"
)

// shard is one partition of the customer-keyed inputs. The loop owns it; during a cycle one goroutine works on it.
type shard struct {
	p       int32
	core    *engine.Shard
	csn     int64     // of the last commit known
	next    positions // as of that commit
	rules   string    // hash of the rules that the journal last named in full
	applied string    // hash of the rules that the core works with
	pending *step     // stepped, and the end of its transaction is not known

	recovering bool
	holdUntil  time.Time     // a passing error: nothing is read before
	backoff    time.Duration // of the next such error
	lastTick   time.Time
	lastCommit time.Time

	events     events
	out        *outbox      // memory for the next step's records; nil: none is free
	stuckAt    sales.Source // the record whose schema the registry does not have, and since when that was so
	stuckSince time.Time
}

// step is what a shard has decided and not yet committed.
type step struct {
	csn      int64
	next     positions
	runs     []sales.Range
	batch    engine.Batch
	sources  []*kgo.Record // of each event
	traces   map[sales.Source]kgo.RecordHeader
	dead     []deadLetter // found before the engine saw them
	decision engine.Decision
	hash     string // of the rules

	records []*kgo.Record // all that it says, the shard record last
	out     *outbox       // whose they are
	taken   took
}

// took is how long the stages of a step were.
type took struct{ decode, load, step, encode time.Duration }

// errBehind says that the projection is not the one the shard relies on, so that recovery is due.
type errBehind struct {
	reason  string
	corrupt bool // the projection is not to be trusted: rebuild it
}

func (e errBehind) Error() string { return "projection cannot be relied on: " + e.reason }

// work is what one cycle gives a shard.
type work struct {
	in    [len(inputs)][]*kgo.Record
	ends  ends
	clock sales.Millis
}

func (w *work) empty() bool {
	for _, records := range w.in {
		if len(records) > 0 {
			return false
		}
	}
	return true
}

// ends is the end of the watermarked inputs of one partition, taken before the poll; negative is unknown.
type ends struct{ touchpoints, purchases int64 }

// take plays the shard's part of a cycle up to the records of its transaction. The step is nil when there is nothing to commit:
// the core is then as before. An error means the same, and that the work must be read again.
func (r *Runtime) take(ctx context.Context, s *shard, w *work) (*step, error) {
	st := &step{csn: s.csn + 1, next: s.next, hash: s.applied}
	began := time.Now()
	if err := r.decode(ctx, s, w, st); err != nil {
		return nil, err
	}
	decoded := time.Now()
	st.plan(s, w)
	if err := r.load(ctx, s, st.batch.Plan.Missing); err != nil {
		s.core.Rollback()
		return nil, err
	}
	loaded := time.Now()
	st.batch.CSN, st.batch.Knowledge, st.batch.RunID = st.csn, r.knowledge.current(), sales.LiveRun
	st.decision = s.core.Step(st.batch)
	stepped := time.Now()
	if w.empty() && !r.worthTick(s, st) {
		s.core.Rollback()
		return nil, nil
	}
	if err := r.encode(s, st); err != nil {
		s.core.Rollback()
		return nil, err
	}
	st.taken = took{decoded.Sub(began), loaded.Sub(decoded), stepped.Sub(loaded), time.Since(stepped)}
	return st, nil
}

// plan asks the core how far time goes.
func (st *step) plan(s *shard, w *work) {
	st.batch.Clock = w.clock
	st.batch.Plan = s.core.Plan(st.batch.Events, engine.Readiness{
		Clock:              w.clock,
		PurchasesDrained:   w.ends.purchases >= 0 && st.next[purchasesInput] >= w.ends.purchases,
		TouchpointsDrained: w.ends.touchpoints >= 0 && st.next[touchpointsInput] >= w.ends.touchpoints,
	})
}

// load brings the customers that the core misses into memory. That the projection has none is believed only under the meta
// that the shard relies on.
func (r *Runtime) load(ctx context.Context, s *shard, missing []string) error {
	if len(missing) == 0 {
		return nil
	}
	relied := r.projector.relied(s.p)
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	meta, blobs, err := r.store.Load(ctx, s.p, missing)
	switch {
	case errors.Is(err, state.ErrCorrupt):
		return errBehind{err.Error(), true}
	case err != nil:
		return fmt.Errorf("load %d customers: %w", len(missing), err)
	case !sameShard(meta, relied) || meta.CSN < relied.CSN || meta.CSN > s.csn:
		return errBehind{fmt.Sprintf("it is at %v, relied on was %v", meta, relied), false}
	}
	for i, id := range missing {
		if err := s.core.Load(id, blobs[i]); err != nil {
			return errBehind{fmt.Sprintf("customer %s: %v", id, err), true}
		}
	}
	r.m.read.Add(float64(len(missing)))
	return nil
}

// sameShard tells whether two metas speak of the same keys of the same cluster.
func sameShard(a, b state.Meta) bool {
	return a.Cluster == b.Cluster && a.TopicID == b.TopicID && a.Generation == b.Generation
}

// worthTick tells whether a step without events is worth a commit: timers fired, or time is to be recorded once a minute.
// Under the data clock time has passed only if now moved.
func (r *Runtime) worthTick(s *shard, st *step) bool {
	if st.decision.TimersFired > 0 || len(st.decision.Changes) > 0 {
		return true
	}
	if r.cfg.Clock == engine.Data {
		return false
	}
	return time.Since(s.lastCommit) >= time.Minute
}

// hold stops reading for a while that doubles with each error in a row.
func (s *shard) hold() time.Duration {
	s.backoff = min(max(2*s.backoff, firstBackoff), lastBackoff)
	s.holdUntil = time.Now().Add(s.backoff)
	return s.backoff
}

// committed moves the shard past its pending step.
func (s *shard) committed() *step {
	st := s.pending
	s.core.Commit()
	s.csn, s.next, s.rules, s.pending = st.csn, st.next, st.hash, nil
	s.backoff, s.lastCommit = 0, time.Now()
	if st.decision.TimersFired > 0 {
		s.lastTick = time.Time{} // more may be due than one step fires
	}
	return st
}

// rolledBack makes the shard what it was before its pending step.
func (s *shard) rolledBack() {
	s.core.Rollback()
	s.pending = nil
}

// settle ends a pending step by what the stable committed offsets say, and tells whether shard and offsets now agree.
func (s *shard) settle(at fetched) (st *step, agreed bool) {
	if s.pending != nil {
		if at.csn == s.pending.csn {
			st = s.committed()
		} else {
			s.rolledBack()
		}
	}
	return st, at.csn == s.csn && slices.Equal(at.next[:], s.next[:])
}
