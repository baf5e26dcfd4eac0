package stream

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"leadline/internal/engine"
	"leadline/internal/state"
	"leadline/internal/state/statetest"
)

// The store is set back to an older snapshot between the dictionary and the timers, and holds the same dictionary: timers of that
// snapshot would be missing the newest, which then never fires.
func TestRewoundWhileRestoring(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(23*time.Hour + 58*time.Minute)
		w := newRecoveryWorld(t, 1)
		w.buy("cj-late", "late", "coffee", time.Now())
		w.eventually("all is projected", func() bool { return w.allRead() && w.projected() })
		w.e.stop()
		w.before("timers", func() {}, func() { w.store.Forget(1) })
		e := w.engine("a")
		w.eventually("eleven offers expire", func() bool { return e.count("timers_fired_total") >= 11 })
		e.stop()
		w.sameState()
	})
}

// A torn write has damaged one customer and lost another's timer. The damage shows when the first is read; by then the second's timer is
// missing in the shard's memory too, which was made from the same store.
func TestDamagedProjectionIsNotHalfBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(23*time.Hour + 58*time.Minute)
		w := newWorldOf(t, 1)
		store := statetest.NewForgetful()
		w.store = store
		w.rules = func() engine.Rules {
			r := engine.DefaultRules()
			r.ExpiryDays = 1
			return r
		}
		w.link("coffee", "filters")
		e := w.engine("a")
		e.ready()
		w.buy("cj-torn", "e-1", "tea", time.Now())
		w.buy("cj-timer", "e-2", "coffee", time.Now())
		w.eventually("all is projected", func() bool { return w.allRead() && w.projected() })
		e.stop()
		damage(t, store, func(blobs map[string][]byte, due map[string]engine.Due) {
			blobs["cj-torn"], due["cj-timer"] = []byte("torn"), engine.Due{}
		}, "cj-torn", "cj-timer")
		e = w.engine("a")
		e.ready()
		w.buy("cj-torn", "e-3", "tea", time.Now())
		w.eventually("all is read", w.allRead)
		w.eventually("the offer expires", func() bool { return e.count("timers_fired_total") > 0 })
		e.stop()
		if said := w.said(); len(said) != 2 {
			t.Errorf("said %v, want the offer and its end", said)
		}
	})
}

// Every way in which a recovery can go, told by the metric, ends with a store that is what leadline.state says, and with no alert said twice.
func TestRecoveryBranches(t *testing.T) {
	forge := func(change func(*state.Meta)) func(*recoveryWorld) {
		return func(w *recoveryWorld) {
			from, _, _ := w.store.Meta(w.ctx, 0)
			to := from
			change(&to)
			w.apply(state.Write{From: from, To: to})
		}
	}
	week := func(w *recoveryWorld) { time.Sleep(7 * 24 * time.Hour) }
	for name, c := range map[string]struct {
		idle         func(*recoveryWorld) // while no engine runs
		at           string               // before the call of this kind, and
		then         func(*recoveryWorld) // this happens
		how, because string
	}{
		"equal":                      {how: asItWas},
		"behind and reachable":       {idle: func(w *recoveryWorld) { w.store.Forget(2) }, how: caughtUp},
		"behind and too old":         {idle: func(w *recoveryWorld) { w.store.Forget(2); week(w) }, how: rebuilt, because: tooOld},
		"empty":                      {idle: func(w *recoveryWorld) { w.store.Flush() }, how: rebuilt, because: "empty"},
		"ahead":                      {idle: forge(func(m *state.Meta) { m.CSN++ }), how: rebuilt, because: "ahead"},
		"the same csn elsewhere":     {idle: forge(func(m *state.Meta) { m.StateOffset++ }), how: rebuilt, because: "ahead"},
		"its place is ahead":         {idle: forge(func(m *state.Meta) { m.CSN, m.StateOffset = m.CSN-1, m.StateOffset+1 }), how: rebuilt, because: "ahead"},
		"other cluster id":           {idle: forge(func(m *state.Meta) { m.Cluster = "another" }), how: rebuilt, because: "other_cluster"},
		"other topic id":             {idle: forge(func(m *state.Meta) { m.TopicID = "another" }), how: rebuilt, because: "other_topic"},
		"corrupt blob":               {idle: (*recoveryWorld).rot, how: rebuilt, because: "corrupt"},
		"corrupt dictionary":         {idle: (*recoveryWorld).tearItems, how: rebuilt, because: "corrupt"},
		"corrupt dictionary, behind": {idle: func(w *recoveryWorld) { w.store.Forget(2); w.tearItems() }, how: rebuilt, because: "corrupt"},
		"torn generation": {idle: func(w *recoveryWorld) { w.store.Flush() }, at: "finish", then: (*recoveryWorld).killAndStart, how: rebuilt,
			because: "empty"},
		"emptied between meta and dictionary":   {at: "items", then: func(w *recoveryWorld) { w.store.Flush() }, how: rebuilt, because: "empty"},
		"emptied between dictionary and timers": {at: "timers", then: func(w *recoveryWorld) { w.store.Flush() }, how: rebuilt, because: "empty"},
		"rewound between meta and dictionary":   {at: "items", then: func(w *recoveryWorld) { w.store.Forget(2) }, how: rebuilt, because: "corrupt"},
		"rewound between dictionary and timers": {at: "timers", then: func(w *recoveryWorld) { w.store.Forget(1) }, how: caughtUp},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newRecoveryWorld(t, 14)
				w.e.stop()
				if c.idle != nil {
					c.idle(w)
				}
				hit := make(chan struct{})
				if c.at != "" {
					w.before(c.at, func() { close(hit) }, func() { c.then(w) })
				}
				w.e = w.engine("a")
				if c.at == "finish" {
					<-hit
					c.then(w)
				}
				w.round("after") // a damaged blob shows only when it is read
				if n := w.e.count("recoveries_total", c.because, c.how); n == 0 {
					t.Errorf("no recovery was %s because %q: %v", c.how, c.because, w.e.log.FilterMessageSnippet("projection").All())
				}
				w.e.stop()
				w.sameState()
				if said := w.said(); len(said) != 10 {
					t.Errorf("%d alerts, want one for each of 10 customers", len(said))
				}
			})
		})
	}
}

// A shard that goes on from memory has its projection mended beside it: nothing is restored, and a customer in memory is served from there.
func TestRecoveryKeepsWhatIsInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newRecoveryWorld(t, 14)
		var restored atomic.Int64
		w.hook.Store(&storeHook{"timers", func() error { restored.Add(1); return nil }, true})
		w.store.Flush()
		w.round("after")
		if n := w.e.count("recoveries_total", "empty", rebuilt); n < 2 || restored.Load() != 0 { // the first was that of the first start
			t.Errorf("rebuilt %v times, restored %d times", n, restored.Load())
		}
		w.e.stop()
		w.sameState()
	})
}

// recoveryWorld is one shard of ten customers whose projection has everything, in several writes.
type recoveryWorld struct {
	*world
	ctx   context.Context
	store *statetest.Forgetful
	e     *running
	hook  atomic.Pointer[storeHook]
}

// storeHook happens before a call, once or each time.
type storeHook struct {
	op     string
	do     func() error
	always bool
}

func newRecoveryWorld(t *testing.T, expiryDays int) *recoveryWorld {
	w := &recoveryWorld{world: newWorldOf(t, 1), ctx: t.Context(), store: statetest.NewForgetful()}
	w.world.store = w.store
	w.ask = func(c storeCall) error {
		h := w.hook.Load()
		if h == nil || h.op != c.op {
			return nil
		}
		if !h.always && !w.hook.CompareAndSwap(h, nil) {
			return nil
		}
		return h.do()
	}
	w.rules = func() engine.Rules {
		r := engine.DefaultRules()
		r.ExpiryDays = expiryDays
		return r
	}
	w.link("coffee", "filters")
	w.e = w.engine("a")
	for _, event := range []string{"first", "second", "third", "fourth"} {
		w.round(event)
	}
	return w
}

// round lets every customer buy something, and waits until it is projected.
func (w *recoveryWorld) round(event string) {
	w.t.Helper()
	for i := range 10 {
		w.buy(customer(i), event+customer(i), map[bool]string{true: "coffee", false: event}[event == "first"], time.Now())
	}
	w.eventually("all is projected", func() bool { return w.allRead() && w.e.Ready() == nil && w.projected() })
}

// before lets something happen at the next call of a kind; what must not happen inside a call is done by the test itself.
func (w *recoveryWorld) before(op string, hit, then func()) {
	w.hook.Store(&storeHook{op: op, do: func() error {
		hit()
		if op == "finish" {
			return errAway // this engine is about to be killed
		}
		then()
		return nil
	}})
}

func (w *recoveryWorld) killAndStart() {
	w.e.kill()
	w.e = w.engine("a")
}

func (w *recoveryWorld) apply(write state.Write) {
	w.t.Helper()
	if err := w.store.Apply(w.ctx, 0, write); err != nil {
		w.t.Fatal(err)
	}
}

func (w *recoveryWorld) rot() {
	damage(w.t, w.store, func(blobs map[string][]byte, _ map[string]engine.Due) { blobs[customer(3)] = []byte("rot") }, customer(3))
}

// tearItems makes the dictionary one that does not fit together.
func (w *recoveryWorld) tearItems() {
	meta, _, _ := w.store.Meta(w.ctx, 0)
	w.apply(state.Write{From: meta, To: meta, ItemRuns: []engine.ItemsRun{{First: 900, Run: []byte("torn")}}})
}

// damage changes what the store of shard 0 holds of some customers, behind the engine's back.
func damage(t testing.TB, store state.Store, change func(blobs map[string][]byte, due map[string]engine.Due), ids ...string) {
	t.Helper()
	ctx := context.Background()
	meta, loaded, err := store.Load(ctx, 0, ids)
	if err != nil {
		t.Fatal(err)
	}
	blobs, due := map[string][]byte{}, map[string]engine.Due{}
	for i, id := range ids {
		blobs[id] = loaded[i]
	}
	err = store.Timers(ctx, 0, func(timer engine.Timer) error {
		due[timer.CustomerID] = timer.Due
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	change(blobs, due)
	w := state.Write{From: meta, To: meta}
	for _, id := range ids {
		w.Changes = append(w.Changes, engine.Change{CustomerID: id, Blob: blobs[id], Due: due[id]})
	}
	if err := store.Apply(ctx, 0, w); err != nil {
		t.Fatal(err)
	}
}
