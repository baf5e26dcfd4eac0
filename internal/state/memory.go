package state

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"leadline/internal/engine"
)

// Memory is the projection in this process: for tests, and the plain reading of what Redis must do.
type Memory struct {
	mu     sync.Mutex
	shards map[int32]*memoryShard
}

type memoryShard struct {
	meta    Meta
	visible *memoryGeneration
	claim   *memoryRebuild // the rebuild that may write, nil for none
}

type memoryGeneration struct {
	blobs  map[string][]byte
	timers map[string]engine.Due
	runs   []engine.ItemsRun
}

var _ Store = (*Memory)(nil)

// NewMemory is an empty projection.
func NewMemory() *Memory { return &Memory{shards: make(map[int32]*memoryShard)} }

// Flush empties it, as FLUSHALL does to Redis.
func (s *Memory) Flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.shards)
}

// Meta implements Store.
func (s *Memory) Meta(ctx context.Context, p int32) (m Meta, ok bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m = s.shard(p).meta
	return m, m != Meta{}, ctx.Err()
}

// Load implements Store.
func (s *Memory) Load(ctx context.Context, p int32, ids []string) (Meta, [][]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	shard, blobs := s.shard(p), make([][]byte, len(ids))
	for i, id := range ids {
		blobs[i] = slices.Clone(shard.visible.blobs[id])
	}
	return shard.meta, blobs, ctx.Err()
}

// Apply implements Store.
func (s *Memory) Apply(ctx context.Context, p int32, w Write) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	shard := s.shard(p)
	switch err := cmp.Or(ctx.Err(), w.check()); {
	case err != nil:
		return err
	case shard.meta == w.From && (w.From != Meta{} || shard.claim == nil):
		shard.visible.put(w.Changes, w.ItemRuns)
		shard.meta = w.To
	case shard.meta != w.To:
		return ErrRefused{Have: shard.meta}
	}
	return nil
}

// Timers implements Store.
func (s *Memory) Timers(ctx context.Context, p int32, each func(engine.Timer) error) error {
	timers, err := s.timers(ctx, p)
	if err != nil {
		return err
	}
	for _, t := range timers {
		if err := each(t); err != nil {
			return err
		}
	}
	return nil
}

func (s *Memory) timers(ctx context.Context, p int32) ([]engine.Timer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	shard := s.shard(p)
	if shard.meta == (Meta{}) {
		return nil, ErrRefused{}
	}
	timers := make([]engine.Timer, 0, len(shard.visible.timers))
	for id, due := range shard.visible.timers {
		timers = append(timers, engine.Timer{CustomerID: id, Due: due})
	}
	slices.SortFunc(timers, func(a, b engine.Timer) int {
		return cmp.Compare(a.CustomerID, b.CustomerID)
	})
	return timers, ctx.Err()
}

// Items implements Store.
func (s *Memory) Items(ctx context.Context, p int32) ([]engine.ItemsRun, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	shard := s.shard(p)
	if shard.meta == (Meta{}) {
		return nil, ErrRefused{}
	}
	return slices.Clone(shard.visible.runs), ctx.Err()
}

// Rebuild implements Store.
func (s *Memory) Rebuild(ctx context.Context, p int32, to Meta) (Rebuild, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	shard := s.shard(p)
	if to.Generation <= shard.meta.Generation {
		return nil, ErrRefused{Have: shard.meta}
	}
	shard.claim = &memoryRebuild{store: s, p: p, from: shard.meta, to: to, next: newMemoryGeneration()}
	return shard.claim, ctx.Err()
}

func (s *Memory) shard(p int32) *memoryShard {
	shard, ok := s.shards[p]
	if !ok {
		shard = &memoryShard{visible: newMemoryGeneration()}
		s.shards[p] = shard
	}
	return shard
}

func newMemoryGeneration() *memoryGeneration {
	return &memoryGeneration{blobs: make(map[string][]byte), timers: make(map[string]engine.Due)}
}

func (g *memoryGeneration) put(changes []engine.Change, runs []engine.ItemsRun) {
	for _, c := range changes {
		g.blobs[c.CustomerID] = slices.Clone(c.Blob)
		g.timers[c.CustomerID] = c.Due
		if len(c.Blob) == 0 {
			delete(g.blobs, c.CustomerID)
		}
		if c.Due == (engine.Due{}) {
			delete(g.timers, c.CustomerID)
		}
	}
	for _, run := range runs {
		if n := len(g.runs); n == 0 || run.First > g.runs[n-1].First {
			g.runs = append(g.runs, engine.ItemsRun{First: run.First, Run: slices.Clone(run.Run)})
		}
	}
}

type memoryRebuild struct {
	store    *Memory
	p        int32
	from, to Meta
	next     *memoryGeneration
}

// Put implements Rebuild.
func (b *memoryRebuild) Put(ctx context.Context, changes []engine.Change, runs []engine.ItemsRun) error {
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	if shard := b.store.shard(b.p); shard.claim != b {
		return ErrRefused{Have: shard.meta}
	}
	b.next.put(changes, runs)
	return ctx.Err()
}

// Finish implements Rebuild.
func (b *memoryRebuild) Finish(ctx context.Context) error {
	b.store.mu.Lock()
	defer b.store.mu.Unlock()
	switch shard := b.store.shard(b.p); {
	case shard.claim == b && shard.meta == b.from:
		shard.meta, shard.visible, shard.claim = b.to, b.next, nil
	case shard.meta != b.to:
		return ErrRefused{Have: shard.meta}
	}
	return ctx.Err()
}
