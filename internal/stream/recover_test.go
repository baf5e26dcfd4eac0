package stream

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"leadline/internal/engine"
	"leadline/internal/sales"
	"leadline/internal/state"
	"leadline/internal/state/statetest"
)

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
		damage(t, store, func(blobs map[string][]byte, due map[string]sales.Millis) {
			blobs["cj-torn"], due["cj-timer"] = []byte("torn"), 0
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

// damage changes what the store of shard 0 holds of some customers, behind the engine's back.
func damage(t *testing.T, store state.Store, change func(blobs map[string][]byte, due map[string]sales.Millis), ids ...string) {
	t.Helper()
	ctx := context.Background()
	meta, loaded, err := store.Load(ctx, 0, ids)
	if err != nil {
		t.Fatal(err)
	}
	blobs, due := map[string][]byte{}, map[string]sales.Millis{}
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
