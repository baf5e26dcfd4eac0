// Package statetest is the one suite that every state.Store passes: memory, a fake Redis, real servers. Only tests
// import it.
package statetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadline/internal/engine"
	"leadline/internal/sales"
	"leadline/internal/state"
)

// Harness is one empty store and how to empty it behind its back.
type Harness struct {
	Store state.Store
	Flush func()
}

// Run runs the suite on stores that open makes.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	for name, story := range map[string]func(*testing.T, Harness){
		"an empty store has nothing and says so":       empty,
		"what was applied is read back":                applied,
		"nothing is written when the meta is not so":   refusals,
		"an apply whose answer was lost may be sent":   repeated,
		"shards do not see each other":                 shards,
		"ids may hold anything":                        unusualIDs,
		"ten thousand changes at once":                 manyChanges,
		"item runs are kept once":                      itemRuns,
		"all timers come, whatever their number":       allTimers,
		"a reader of timers may stop":                  timersStop,
		"timers of an emptied store are refused":       timersFlushed,
		"a rebuild is invisible until it is finished":  rebuildInvisible,
		"a rebuild drops what it did not put":          rebuildDrops,
		"a rebuild needs a higher generation":          rebuildGeneration,
		"a rebuild loses to whoever moved the meta":    rebuildRaced,
		"of two rebuilds the later one wins":           rebuildTwice,
		"an abandoned rebuild leaves nothing behind":   rebuildAbandoned,
		"a rebuild notices that the store was emptied": rebuildFlushed,
		"emptying between meta and load is detected":   flushed,
		"a cancelled context writes nothing":           cancelled,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(t, open(t))
		})
	}
}

// At is the meta of generation g at commit csn.
func At(g, csn int64) state.Meta {
	return state.Meta{Cluster: "c-1", TopicID: "t-1", Generation: g, CSN: csn, StateOffset: csn * 10}
}

func put(id, blob string, look sales.Day) engine.Change {
	return engine.Change{CustomerID: id, Blob: []byte(blob), Due: engine.Due{Look: look}}
}

func timer(id string, look sales.Day) engine.Timer {
	return engine.Timer{CustomerID: id, Due: engine.Due{Look: look}}
}

func gone(id string) engine.Change { return engine.Change{CustomerID: id} }

func run(first int32, bytes string) engine.ItemsRun {
	return engine.ItemsRun{First: first, Run: []byte(bytes)}
}

// Apply must succeed.
func (h Harness) apply(t *testing.T, from, to state.Meta, changes ...engine.Change) {
	t.Helper()
	if err := h.Store.Apply(t.Context(), 3, state.Write{From: from, To: to, Changes: changes}); err != nil {
		t.Fatal(err)
	}
}

// want compares meta and blobs of shard 3; an empty string stands for no blob.
func (h Harness) want(t *testing.T, meta state.Meta, blobs map[string]string) {
	t.Helper()
	ids := slices.Sorted(func(yield func(string) bool) {
		for id := range blobs {
			if !yield(id) {
				return
			}
		}
	})
	m, got, err := h.Store.Load(t.Context(), 3, ids)
	if err != nil {
		t.Fatal(err)
	}
	if m != meta {
		t.Errorf("load says meta %v, want %v", m, meta)
	}
	for i, id := range ids {
		if string(got[i]) != blobs[id] || (got[i] == nil) != (blobs[id] == "") {
			t.Errorf("customer %q has blob %q, want %q", id, got[i], blobs[id])
		}
	}
}

func (h Harness) timers(t *testing.T, p int32) []engine.Timer {
	t.Helper()
	var all []engine.Timer
	err := h.Store.Timers(t.Context(), p, func(tm engine.Timer) error {
		all = append(all, tm)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(all, byCustomer)
	return all
}

func byCustomer(a, b engine.Timer) int { return strings.Compare(a.CustomerID, b.CustomerID) }

// wantRefused fails unless err is a refusal by a store that has the meta.
func wantRefused(t *testing.T, err error, have state.Meta) {
	t.Helper()
	var refused state.ErrRefused
	if !errors.As(err, &refused) {
		t.Fatalf("error is %v, want a refusal", err)
	}
	if refused.Have != have {
		t.Errorf("refused with meta %v, want %v", refused.Have, have)
	}
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func empty(t *testing.T, h Harness) {
	m, ok, err := h.Store.Meta(t.Context(), 3)
	if m != (state.Meta{}) || ok || err != nil {
		t.Errorf("meta is %v, %v, %v", m, ok, err)
	}
	h.want(t, state.Meta{}, map[string]string{"ann": ""})
	_, err = h.Store.Items(t.Context(), 3)
	wantRefused(t, err, state.Meta{})
	wantRefused(t, h.Store.Timers(t.Context(), 3, func(engine.Timer) error { return nil }), state.Meta{})
}

func applied(t *testing.T, h Harness) {
	h.apply(t, state.Meta{}, At(1, 1), put("ann", "a1", 50), put("bob", "b1", 0))
	h.want(t, At(1, 1), map[string]string{"ann": "a1", "bob": "b1", "cyd": ""})
	h.apply(t, At(1, 1), At(1, 2), gone("ann"), put("bob", "b2", 70), gone("never there"))
	h.want(t, At(1, 2), map[string]string{"ann": "", "bob": "b2"})
	same(t, h.timers(t, 3), []engine.Timer{timer("bob", 70)})
	m, ok, err := h.Store.Meta(t.Context(), 3)
	if m != At(1, 2) || !ok || err != nil {
		t.Errorf("meta is %v, %v, %v", m, ok, err)
	}
	h.apply(t, At(1, 2), At(1, 3))
	h.want(t, At(1, 3), map[string]string{"bob": "b2"})
}

func refusals(t *testing.T, h Harness) {
	here := At(1, 5)
	h.apply(t, state.Meta{}, here, put("ann", "a", 10))
	stale, otherGeneration, otherCluster, otherTopic := here, here, here, here
	stale.CSN, otherGeneration.Generation, otherCluster.Cluster, otherTopic.TopicID = 4, 2, "c-2", "t-2"
	for _, from := range []state.Meta{{}, stale, otherGeneration, otherCluster, otherTopic} {
		to := from
		to.Generation, to.CSN = max(1, from.Generation), 6
		err := h.Store.Apply(t.Context(), 3, state.Write{From: from, To: to,
			Changes: []engine.Change{put("ann", "spoilt", 99), put("bob", "spoilt", 1)}, ItemRuns: []engine.ItemsRun{run(0, "spoilt")}})
		wantRefused(t, err, here)
	}
	h.want(t, here, map[string]string{"ann": "a", "bob": ""})
	same(t, h.timers(t, 3), []engine.Timer{timer("ann", 10)})
	items, err := h.Store.Items(t.Context(), 3)
	if len(items) != 0 || err != nil {
		t.Errorf("items are %v, %v", items, err)
	}
	var refused state.ErrRefused
	err = h.Store.Apply(t.Context(), 3, state.Write{From: here, To: At(2, 6)})
	if err == nil || errors.As(err, &refused) {
		t.Errorf("a write that changes the generation gives %v, want an error that recovery does not try to mend", err)
	}
}

func repeated(t *testing.T, h Harness) {
	h.apply(t, state.Meta{}, At(1, 1), put("ann", "a1", 5))
	for range 2 {
		h.apply(t, At(1, 1), At(1, 2), put("ann", "a2", 6))
	}
	h.want(t, At(1, 2), map[string]string{"ann": "a2"})
}

func shards(t *testing.T, h Harness) {
	h.apply(t, state.Meta{}, At(1, 1), put("ann", "three", 5))
	w := state.Write{To: At(4, 9), Changes: []engine.Change{put("ann", "thirty", 6)}, ItemRuns: []engine.ItemsRun{run(0, "x")}}
	if err := h.Store.Apply(t.Context(), 30, w); err != nil {
		t.Fatal(err)
	}
	h.want(t, At(1, 1), map[string]string{"ann": "three"})
	same(t, h.timers(t, 30), []engine.Timer{timer("ann", 6)})
	same(t, h.timers(t, 3), []engine.Timer{timer("ann", 5)})
}

func unusualIDs(t *testing.T, h Harness) {
	ids := []string{"Zoë Größe", "客戶 7", "{3}", "}{", "a:b:c", "1:c:ann", "*?[x]", "with space", "tab\tand\nline", `quo"te'\`, "\xff\xfe not utf-8",
		"nul\x00inside", "meta", "timers", "9999999999999999999999"}
	changes, want := []engine.Change{}, map[string]string{}
	timers := []engine.Timer{}
	for i, id := range ids {
		changes = append(changes, put(id, "blob of "+id, sales.Day(i+1)))
		timers = append(timers, timer(id, sales.Day(i+1)))
		want[id] = "blob of " + id
	}
	h.apply(t, state.Meta{}, At(1, 1), changes...)
	h.want(t, At(1, 1), want)
	slices.SortFunc(timers, byCustomer)
	same(t, h.timers(t, 3), timers)

	b, err := h.Store.Rebuild(t.Context(), 3, At(2, 1))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(b.Put(t.Context(), changes, nil), b.Finish(t.Context())); err != nil {
		t.Fatal(err)
	}
	h.want(t, At(2, 1), want)
	for _, id := range ids {
		h.apply(t, At(2, 1), At(2, 1), gone(id))
	}
}

func manyChanges(t *testing.T, h Harness) {
	changes, want, erased := []engine.Change{}, map[string]string{}, []engine.Change{}
	for i := range 10_000 {
		id := fmt.Sprintf("customer-%05d", i)
		changes = append(changes, put(id, fmt.Sprintf("blob %d", i), sales.Day(1+i%7)))
		want[id] = fmt.Sprintf("blob %d", i)
		if i%2 == 0 {
			erased = append(erased, gone(id))
		}
	}
	h.apply(t, state.Meta{}, At(1, 1), changes...)
	h.want(t, At(1, 1), want)
	h.apply(t, At(1, 1), At(1, 2), erased...)
	for _, c := range erased {
		want[c.CustomerID] = ""
	}
	h.want(t, At(1, 2), want)
	if n := len(h.timers(t, 3)); n != 5_000 {
		t.Errorf("%d timers, want 5000", n)
	}
}

func itemRuns(t *testing.T, h Harness) {
	ctx := t.Context()
	write := func(from, to state.Meta, runs ...engine.ItemsRun) {
		t.Helper()
		if err := h.Store.Apply(ctx, 3, state.Write{From: from, To: to, ItemRuns: runs}); err != nil {
			t.Fatal(err)
		}
	}
	write(state.Meta{}, At(1, 1), run(0, "zero\x00\xff"), run(2, "two"))
	write(At(1, 1), At(1, 2), run(0, "zero\x00\xff"), run(2, "two"), run(300, ""), run(70_000, "far"))
	write(At(1, 2), At(1, 3), run(300, ""))
	got, err := h.Store.Items(ctx, 3)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, []engine.ItemsRun{run(0, "zero\x00\xff"), run(2, "two"), run(300, ""), run(70_000, "far")})
}

func allTimers(t *testing.T, h Harness) {
	changes, want := []engine.Change{}, []engine.Timer{}
	for i := range 7_003 { // several pages
		due := engine.Due{Look: 20_000, Expiry: sales.Day(i / 3)}
		id := fmt.Sprintf("%05d", i)
		changes = append(changes, engine.Change{CustomerID: id, Blob: []byte("x"), Due: due})
		want = append(want, engine.Timer{CustomerID: id, Due: due})
	}
	h.apply(t, state.Meta{}, At(1, 1), changes...)
	same(t, h.timers(t, 3), want)
}

func timersStop(t *testing.T, h Harness) {
	h.apply(t, state.Meta{}, At(1, 1), put("ann", "x", 1), put("bob", "x", 2))
	enough, seen := errors.New("enough"), 0
	err := h.Store.Timers(t.Context(), 3, func(engine.Timer) error {
		seen++
		return enough
	})
	if !errors.Is(err, enough) || seen != 1 {
		t.Errorf("stopped with %v after %d", err, seen)
	}
}

func timersFlushed(t *testing.T, h Harness) {
	h.apply(t, state.Meta{}, At(1, 1), put("ann", "x", 1))
	h.Flush()
	wantRefused(t, h.Store.Timers(t.Context(), 3, func(engine.Timer) error { return nil }), state.Meta{})
}

func flushed(t *testing.T, h Harness) {
	h.apply(t, state.Meta{}, At(1, 1), put("ann", "a", 0))
	if _, ok, err := h.Store.Meta(t.Context(), 3); !ok || err != nil {
		t.Fatal(ok, err)
	}
	h.Flush()
	h.want(t, state.Meta{}, map[string]string{"ann": ""})
	wantRefused(t, h.Store.Apply(t.Context(), 3, state.Write{From: At(1, 1), To: At(1, 2), Changes: []engine.Change{put("bob", "b", 0)}}), state.Meta{})
	h.want(t, state.Meta{}, map[string]string{"ann": "", "bob": ""})
}

func cancelled(t *testing.T, h Harness) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := h.Store.Apply(ctx, 3, state.Write{To: At(1, 1)}); !errors.Is(err, context.Canceled) {
		t.Errorf("apply gives %v", err)
	}
	h.want(t, state.Meta{}, nil)
}
