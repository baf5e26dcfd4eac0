package statetest

import (
	"errors"
	"testing"

	"leadline/internal/engine"
	"leadline/internal/state"
)

func (h Harness) rebuild(t *testing.T, to state.Meta) state.Rebuild {
	t.Helper()
	b, err := h.Store.Rebuild(t.Context(), 3, to)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustPut(t *testing.T, b state.Rebuild, changes ...engine.Change) {
	t.Helper()
	if err := b.Put(t.Context(), changes, nil); err != nil {
		t.Fatal(err)
	}
}

func rebuildInvisible(t *testing.T, h Harness) {
	h.apply(t, state.Meta{}, At(1, 1), put("ann", "old", 5))
	b := h.rebuild(t, At(2, 8))
	err := b.Put(t.Context(), []engine.Change{put("ann", "first", 6), put("bob", "new", 7)}, []engine.ItemsRun{run(0, "i"), run(1, "j")})
	if err != nil {
		t.Fatal(err)
	}
	mustPut(t, b, put("ann", "last", 0))
	h.want(t, At(1, 1), map[string]string{"ann": "old", "bob": ""})
	same(t, h.timers(t, 3), []engine.Timer{timer("ann", 5)})

	if err := b.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.want(t, At(2, 8), map[string]string{"ann": "last", "bob": "new"})
	same(t, h.timers(t, 3), []engine.Timer{timer("bob", 7)})
	items, err := h.Store.Items(t.Context(), 3)
	if err != nil {
		t.Fatal(err)
	}
	same(t, items, []engine.ItemsRun{run(0, "i"), run(1, "j")})
	h.apply(t, At(2, 8), At(2, 9), put("cyd", "next", 0))
	h.want(t, At(2, 9), map[string]string{"cyd": "next"})
}

func rebuildDrops(t *testing.T, h Harness) {
	h.apply(t, state.Meta{}, At(1, 1), put("ann", "old", 5))
	if err := h.rebuild(t, At(2, 8)).Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.want(t, At(2, 8), map[string]string{"ann": ""})
	if timers := h.timers(t, 3); len(timers) != 0 {
		t.Errorf("timers are %v", timers)
	}
}

func rebuildGeneration(t *testing.T, h Harness) {
	h.apply(t, state.Meta{}, At(5, 1))
	for _, g := range []int64{4, 5} {
		_, err := h.Store.Rebuild(t.Context(), 3, At(g, 8))
		wantRefused(t, err, At(5, 1))
	}
}

func rebuildRaced(t *testing.T, h Harness) {
	h.apply(t, state.Meta{}, At(1, 1), put("ann", "old", 0))
	b := h.rebuild(t, At(2, 1))
	mustPut(t, b, put("ann", "behind", 0))
	h.apply(t, At(1, 1), At(1, 2), put("ann", "newer", 0))
	wantRefused(t, b.Finish(t.Context()), At(1, 2))
	h.want(t, At(1, 2), map[string]string{"ann": "newer"})
}

func rebuildTwice(t *testing.T, h Harness) {
	h.apply(t, state.Meta{}, At(1, 1))
	asleep := h.rebuild(t, At(2, 7))
	mustPut(t, asleep, put("ann", "stale", 1), put("bob", "stale", 1))
	later := h.rebuild(t, At(2, 8))
	mustPut(t, later, put("ann", "right", 0))
	wantRefused(t, asleep.Put(t.Context(), []engine.Change{put("ann", "stale", 1)}, nil), At(1, 1))
	wantRefused(t, asleep.Finish(t.Context()), At(1, 1))
	if err := later.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, asleep.Put(t.Context(), []engine.Change{put("ann", "stale", 1)}, nil), At(2, 8))
	h.want(t, At(2, 8), map[string]string{"ann": "right", "bob": ""})
	if timers := h.timers(t, 3); len(timers) != 0 {
		t.Errorf("timers are %v", timers)
	}
}

func rebuildAbandoned(t *testing.T, h Harness) {
	h.apply(t, state.Meta{}, At(1, 1), put("ann", "old", 0))
	mustPut(t, h.rebuild(t, At(2, 7)), put("erased since", "remains", 9))
	b := h.rebuild(t, At(2, 8))
	mustPut(t, b, put("ann", "new", 0))
	if err := b.Finish(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.want(t, At(2, 8), map[string]string{"ann": "new", "erased since": ""})
	if timers := h.timers(t, 3); len(timers) != 0 {
		t.Errorf("timers are %v", timers)
	}
}

func rebuildFlushed(t *testing.T, h Harness) {
	b := h.rebuild(t, At(1, 8))
	mustPut(t, b, put("ann", "lost", 0))
	h.Flush()
	wantRefused(t, b.Put(t.Context(), []engine.Change{put("bob", "kept", 0)}, nil), state.Meta{})
	wantRefused(t, b.Finish(t.Context()), state.Meta{})
	second := h.rebuild(t, At(1, 8))
	mustPut(t, second, put("ann", "again", 0), put("bob", "kept", 0))
	if err := errors.Join(second.Finish(t.Context())); err != nil {
		t.Fatal(err)
	}
	h.want(t, At(1, 8), map[string]string{"ann": "again", "bob": "kept"})
}
