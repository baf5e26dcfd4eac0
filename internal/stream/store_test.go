package stream

import (
	"context"
	"errors"
	"sync/atomic"

	"leadline/internal/engine"
	"leadline/internal/state"
)

// storeCall is one call of an engine to its store.
type storeCall struct {
	op string // meta, load, apply, timers, items, rebuild, put or finish
	p  int32
	to state.Meta // where an apply or a finish leads
}

// faulty is a store that can be away, as a Redis can, and to which things can happen before a call and before its answer.
type faulty struct {
	state.Store
	away   atomic.Bool
	before func(storeCall) error // an error: the call never arrives
	after  func(storeCall) error // an error: its answer is lost
}

var errAway = errors.New("connection refused")

func (f *faulty) call(c storeCall, do func() error) error {
	if f.away.Load() {
		return errAway
	}
	if f.before != nil {
		if err := f.before(c); err != nil {
			return err
		}
	}
	err := do()
	if err == nil && f.after != nil {
		err = f.after(c)
	}
	return err
}

func (f *faulty) Meta(ctx context.Context, p int32) (m state.Meta, ok bool, err error) {
	err = f.call(storeCall{op: "meta", p: p}, func() error {
		m, ok, err = f.Store.Meta(ctx, p)
		return err
	})
	return m, ok, err
}

func (f *faulty) Load(ctx context.Context, p int32, ids []string) (m state.Meta, blobs [][]byte, err error) {
	err = f.call(storeCall{op: "load", p: p}, func() error {
		m, blobs, err = f.Store.Load(ctx, p, ids)
		return err
	})
	return m, blobs, err
}

func (f *faulty) Apply(ctx context.Context, p int32, w state.Write) error {
	return f.call(storeCall{op: "apply", p: p, to: w.To}, func() error { return f.Store.Apply(ctx, p, w) })
}

func (f *faulty) Timers(ctx context.Context, p int32, each func(engine.Timer) error) error {
	return f.call(storeCall{op: "timers", p: p}, func() error { return f.Store.Timers(ctx, p, each) })
}

func (f *faulty) Items(ctx context.Context, p int32) (runs []engine.ItemsRun, err error) {
	err = f.call(storeCall{op: "items", p: p}, func() error {
		runs, err = f.Store.Items(ctx, p)
		return err
	})
	return runs, err
}

func (f *faulty) Rebuild(ctx context.Context, p int32, to state.Meta) (b state.Rebuild, err error) {
	err = f.call(storeCall{op: "rebuild", p: p}, func() error {
		b, err = f.Store.Rebuild(ctx, p, to)
		return err
	})
	return &faultyRebuild{f, p, to, b}, err
}

type faultyRebuild struct {
	f    *faulty
	p    int32
	to   state.Meta
	next state.Rebuild
}

func (b *faultyRebuild) Put(ctx context.Context, changes []engine.Change, runs []engine.ItemsRun) error {
	return b.f.call(storeCall{op: "put", p: b.p}, func() error { return b.next.Put(ctx, changes, runs) })
}

func (b *faultyRebuild) Finish(ctx context.Context) error {
	return b.f.call(storeCall{op: "finish", p: b.p, to: b.to}, func() error { return b.next.Finish(ctx) })
}
