package statetest

import (
	"context"
	"sync"

	"leadline/internal/engine"
	"leadline/internal/state"
)

// Forgetful is a projection in memory that can be set back by any number of its writes, all shards together, as a Redis is
// that comes back from an older snapshot or has lost the end of its append-only file. It is a state.Store and passes the suite.
type Forgetful struct {
	mu     sync.Mutex
	store  *state.Memory
	begun  map[int]*begun // the rebuilds that store knows, by number
	number int            // of the last rebuild
	writes []func()       // everything that changed store, in order
}

var _ state.Store = (*Forgetful)(nil)

// NewForgetful is an empty projection.
func NewForgetful() *Forgetful {
	f := &Forgetful{}
	f.clear()
	return f
}

// begun is a rebuild as far as the store has it.
type begun struct {
	state.Rebuild
	written int
}

func (f *Forgetful) clear() { f.store, f.begun = state.NewMemory(), map[int]*begun{} }

// Forget takes the last n writes back, each Apply, Put, Finish, beginning of a rebuild and Flush being one.
func (f *Forgetful) Forget(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes = f.writes[:max(0, len(f.writes)-n)]
	f.clear()
	for _, again := range f.writes {
		again()
	}
}

// Flush empties it, as FLUSHALL does. That can be forgotten too.
func (f *Forgetful) Flush() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clear()
	f.writes = append(f.writes, f.clear)
}

// write does something and remembers it, if it did change anything.
func (f *Forgetful) write(do func() error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	err := do()
	if err == nil {
		f.writes = append(f.writes, func() { _ = do() }) // it went well the first time, after the same writes
	}
	return err
}

func (f *Forgetful) now() *state.Memory {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.store
}

// Meta implements state.Store.
func (f *Forgetful) Meta(ctx context.Context, p int32) (state.Meta, bool, error) {
	return f.now().Meta(ctx, p)
}

// Load implements state.Store.
func (f *Forgetful) Load(ctx context.Context, p int32, ids []string) (state.Meta, [][]byte, error) {
	return f.now().Load(ctx, p, ids)
}

// Timers implements state.Store.
func (f *Forgetful) Timers(ctx context.Context, p int32, each func(engine.Timer) error) error {
	return f.now().Timers(ctx, p, each)
}

// Items implements state.Store.
func (f *Forgetful) Items(ctx context.Context, p int32) ([]engine.ItemsRun, error) {
	return f.now().Items(ctx, p)
}

// Apply implements state.Store.
func (f *Forgetful) Apply(ctx context.Context, p int32, w state.Write) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return f.write(func() error { return f.store.Apply(context.Background(), p, w) })
}

// Rebuild implements state.Store.
func (f *Forgetful) Rebuild(ctx context.Context, p int32, to state.Meta) (state.Rebuild, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.number++
	b := &forgetfulRebuild{f: f, p: p, number: f.number}
	f.mu.Unlock()
	return b, f.write(func() error {
		next, err := f.store.Rebuild(context.Background(), p, to)
		if err == nil {
			f.begun[b.number] = &begun{Rebuild: next}
		}
		return err
	})
}

type forgetfulRebuild struct {
	f       *Forgetful
	p       int32
	number  int
	written int
}

// Put implements state.Rebuild.
func (b *forgetfulRebuild) Put(ctx context.Context, changes []engine.Change, runs []engine.ItemsRun) error {
	return b.write(ctx, func(r state.Rebuild) error { return r.Put(context.Background(), changes, runs) })
}

// Finish implements state.Rebuild.
func (b *forgetfulRebuild) Finish(ctx context.Context) error {
	return b.write(ctx, func(r state.Rebuild) error { return r.Finish(context.Background()) })
}

// write refuses when the beginning of the rebuild, or any write of it, was forgotten.
func (b *forgetfulRebuild) write(ctx context.Context, do func(state.Rebuild) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	before := b.written
	b.written++
	return b.f.write(func() error {
		r := b.f.begun[b.number]
		if r == nil || r.written != before {
			have, _, _ := b.f.store.Meta(context.Background(), b.p) // it never fails
			return state.ErrRefused{Have: have}
		}
		r.written++
		return do(r.Rebuild)
	})
}
