package stream

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"leadline/internal/engine"
	"leadline/internal/state"
)

// projector writes what was committed to the store, in the order of the commits. Several commits of a shard that wait are written as one,
// and two shards at a time: while the store works on one's, the other's is made. It never blocks the loop: a shard whose queue is full is
// paused by the loop.
type projector struct {
	store state.Store
	log   *zap.Logger
	m     *metrics

	mu     sync.Mutex
	queues map[int32]*queue
	wake   chan struct{}
	turn   int32 // the shard taken last, so that all get their turn
}

// projectEvery is how long after a shard's write the next one begins: what is committed meanwhile is written together, and a customer who
// changed in several commits once.
const projectEvery = 200 * time.Millisecond

// writersAtOnce is how many shards are written at a time. The store works on one thing after the other: more would only wait there.
const writersAtOnce = 2

// queue is one shard's commits that the store has not acknowledged.
type queue struct {
	meta    state.Meta // what the store acknowledged
	commits []commit
	bytes   int
	behind  error // the store is not what it was: nothing is written before recovery
	busy    bool  // one of the writers is at it
	notYet  time.Time
	backoff time.Duration
	checked time.Time
}

// commit is what one commit of a shard changed.
type commit struct {
	csn, stateOffset int64
	changes          []engine.Change
	runs             []engine.ItemsRun
	bytes            int
}

func newProjector(store state.Store, log *zap.Logger, m *metrics) *projector {
	return &projector{store: store, log: log, m: m, queues: map[int32]*queue{}, wake: make(chan struct{}, 1)}
}

// begin starts a shard's queue from what recovery made of the store.
func (pr *projector) begin(p int32, meta state.Meta) {
	pr.mu.Lock()
	defer pr.mu.Unlock()
	pr.queues[p] = &queue{meta: meta, checked: time.Now()}
}

// end forgets a shard that is owned no more. Its new owner brings the store up to date.
func (pr *projector) end(p int32) {
	pr.mu.Lock()
	defer pr.mu.Unlock()
	delete(pr.queues, p)
}

func (pr *projector) add(p int32, c commit) {
	for _, ch := range c.changes {
		c.bytes += len(ch.CustomerID) + len(ch.Blob) + 64
	}
	pr.mu.Lock()
	if q := pr.queues[p]; q != nil {
		q.commits = append(q.commits, c)
		q.bytes += c.bytes
	}
	pr.mu.Unlock()
	pr.stir()
}

// stir makes a writer that rests look again.
func (pr *projector) stir() {
	select {
	case pr.wake <- struct{}{}:
	default:
	}
}

// relied is the meta that the store acknowledged last for a shard.
func (pr *projector) relied(p int32) state.Meta {
	meta, _, _ := pr.look(p)
	return meta
}

// look gives a shard's acknowledged meta, the size of its queue, and why recovery is due, if it is.
func (pr *projector) look(p int32) (meta state.Meta, bytes int, behind error) {
	pr.mu.Lock()
	defer pr.mu.Unlock()
	q := pr.queues[p]
	if q == nil {
		return state.Meta{}, 0, nil
	}
	return q.meta, q.bytes, q.behind
}

// empty tells whether all that can be written has been.
func (pr *projector) empty() bool {
	pr.mu.Lock()
	defer pr.mu.Unlock()
	for _, q := range pr.queues {
		if len(q.commits) > 0 && q.behind == nil {
			return false
		}
	}
	return true
}

// run writes until the context ends.
func (pr *projector) run(ctx context.Context) {
	var writers sync.WaitGroup
	for range writersAtOnce {
		writers.Go(func() { pr.writer(ctx) })
	}
	writers.Wait()
}

func (pr *projector) writer(ctx context.Context) {
	for ctx.Err() == nil {
		p, t, wait := pr.pick()
		if t.queue == nil {
			pr.rest(ctx, wait)
			continue
		}
		pr.stir() // there may be more than this
		pr.write(ctx, p, t)
	}
}

func (pr *projector) rest(ctx context.Context, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-pr.wake:
	case <-timer.C:
	}
}

// taken is the queue that a writer is at, as it was when it took it.
type taken struct {
	queue   *queue
	from    state.Meta
	commits []commit // only more come while it is busy
}

// pick takes the next shard with something to write or, when it is idle, to look after. Without any it says how long to wait.
func (pr *projector) pick() (int32, taken, time.Duration) {
	pr.mu.Lock()
	defer pr.mu.Unlock()
	now, wait := time.Now(), checkStoreEvery
	for _, p := range pr.inTurn() {
		q := pr.queues[p]
		if q.behind != nil || q.busy {
			continue
		}
		due := q.notYet
		if len(q.commits) == 0 {
			due = later(due, q.checked.Add(checkStoreEvery))
		}
		if left := due.Sub(now); left > 0 {
			wait = min(wait, left)
			continue
		}
		pr.turn, q.busy = p, true
		return p, taken{q, q.meta, q.commits}, 0
	}
	return 0, taken{}, wait
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// inTurn lists the shards, beginning after the one taken last.
func (pr *projector) inTurn() []int32 {
	ps := make([]int32, 0, len(pr.queues))
	for p := range pr.queues {
		ps = append(ps, p)
	}
	slices.Sort(ps)
	at, _ := slices.BinarySearch(ps, pr.turn+1)
	return append(ps[at:len(ps):len(ps)], ps[:at]...)
}

// mergeLimit bounds one write, in customers: it holds up all others in Redis for 1 to 2 µs a customer.
const mergeLimit = 20_000

// merged is one write of the oldest of the commits, the last state of each customer; without commits it has no To.
func merged(from state.Meta, commits []commit) state.Write {
	w := state.Write{From: from}
	var at map[string]int // customer → place in changes
	for i, c := range commits {
		switch {
		case i == 0:
			w.Changes = c.changes // as a rule no more wait
		case len(w.Changes)+len(c.changes) > mergeLimit:
			return w
		default:
			if at == nil {
				w.Changes, at = indexed(w.Changes)
			}
			for _, ch := range c.changes {
				if i, ok := at[ch.CustomerID]; ok {
					w.Changes[i] = ch
					continue
				}
				at[ch.CustomerID] = len(w.Changes)
				w.Changes = append(w.Changes, ch)
			}
		}
		w.ItemRuns = append(w.ItemRuns, c.runs...)
		w.To = from
		w.To.CSN, w.To.StateOffset = c.csn, c.stateOffset
	}
	return w
}

// indexed is a copy of changes, to be changed, and where in it each customer is.
func indexed(changes []engine.Change) ([]engine.Change, map[string]int) {
	at := make(map[string]int, 2*len(changes))
	for i, ch := range changes {
		at[ch.CustomerID] = i
	}
	return append(make([]engine.Change, 0, 2*len(changes)), changes...), at
}

// write applies what waits, or looks whether an idle shard's meta still stands.
func (pr *projector) write(ctx context.Context, p int32, t taken) {
	began := time.Now()
	w := merged(t.from, t.commits)
	err := pr.attempt(ctx, p, w)
	if ctx.Err() != nil {
		return
	}
	pr.m.stage(stageProject, time.Since(began))
	pr.mu.Lock()
	defer pr.mu.Unlock()
	q := t.queue
	q.busy = false
	if pr.queues[p] != q {
		return // taken away or recovered meanwhile
	}
	q.checked = time.Now()
	var refused state.ErrRefused
	switch {
	case err == nil:
		q.acknowledge(w.To)
		if w.To != (state.Meta{}) {
			q.notYet = began.Add(projectEvery)
		}
	case errors.As(err, &refused), errors.Is(err, state.ErrCorrupt):
		q.behind = err
	default:
		q.backoff = min(max(2*q.backoff, firstBackoff), lastBackoff)
		q.notYet = time.Now().Add(q.backoff)
		pr.log.Warn("the store does not take the projection, trying again", zap.Int32("partition", p),
			zap.Duration("in", q.backoff), zap.Error(err))
	}
}

func (pr *projector) attempt(ctx context.Context, p int32, w state.Write) error {
	if w.To != (state.Meta{}) {
		return pr.store.Apply(ctx, p, w)
	}
	have, _, err := pr.store.Meta(ctx, p)
	if err == nil && have != w.From {
		return state.ErrRefused{Have: have}
	}
	return err
}

// acknowledge drops the commits that the store has.
func (q *queue) acknowledge(to state.Meta) {
	q.backoff = 0
	if to == (state.Meta{}) {
		return
	}
	q.meta = to
	n := 0
	for n < len(q.commits) && q.commits[n].csn <= to.CSN {
		q.bytes -= q.commits[n].bytes
		n++
	}
	q.commits = slices.Delete(q.commits, 0, n)
}
