package state_test

import (
	"testing"

	"leadline/internal/engine"
	"leadline/internal/state"
	"leadline/internal/state/statetest"
)

// The model of a Redis that loses the end of its history is what it was that many writes ago, rebuilds and FLUSHALL included.
func TestForgetfulIsWhatItWas(t *testing.T) {
	f, ctx := statetest.NewForgetful(), t.Context()
	metas := []state.Meta{{}}
	done := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		m, _, _ := f.Meta(ctx, 3)
		metas = append(metas, m)
	}
	ann := func(blob string) []engine.Change { return []engine.Change{{CustomerID: "ann", Blob: []byte(blob)}} }
	done(f.Apply(ctx, 3, state.Write{To: statetest.At(1, 1), Changes: ann("one")}))
	done(f.Apply(ctx, 3, state.Write{From: statetest.At(1, 1), To: statetest.At(1, 2), Changes: ann("two")}))
	b, err := f.Rebuild(ctx, 3, statetest.At(2, 2))
	done(err)
	done(b.Put(ctx, ann("again"), nil))
	done(b.Finish(ctx))
	f.Flush()
	done(nil)
	if err := f.Apply(ctx, 3, state.Write{From: statetest.At(9, 9), To: statetest.At(9, 10)}); err == nil {
		t.Fatal("a write that is refused changes nothing, and is none to forget")
	}
	for i := len(metas) - 1; i > 0; i-- {
		if m, _, _ := f.Meta(ctx, 3); m != metas[i] {
			t.Errorf("after %d writes it is at %v, was at %v", i, m, metas[i])
		}
		f.Forget(1)
		if i == 3 {
			if err := b.Put(ctx, ann("late"), nil); err == nil {
				t.Error("a rebuild goes on whose beginning was forgotten")
			}
		}
	}
	if m, _, _ := f.Meta(ctx, 3); m != (state.Meta{}) {
		t.Errorf("all is forgotten, and it is at %v", m)
	}
}
