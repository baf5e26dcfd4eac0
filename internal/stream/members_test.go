package stream

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// shards gives what each engine has, by instance.
func (w *world) shards() map[string][]int32 {
	w.t.Helper()
	members, err := Members(w.t.Context(), w.admin(), w.prefix)
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string][]int32{}
	for _, m := range members {
		out[m.Instance] = m.Shards
	}
	return out
}

// A stopped engine keeps its shards until its session ends, unless somebody says that it does not come back.
func TestRemovedEnginesShardsAreTakenOverAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		stays, leaves := w.engine("a"), w.engine("b")
		stays.ready()
		leaves.ready()
		w.eventually("both have shards", func() bool { s := w.shards(); return len(s["a"]) > 0 && len(s["b"]) > 0 })
		leaves.stop()
		if have := w.shards(); len(have["b"]) == 0 {
			t.Errorf("after the stop: %v", have)
		}
		began := time.Now()
		if err := Remove(t.Context(), w.admin(), w.prefix, "b"); err != nil {
			t.Fatal(err)
		}
		for i := range 9 {
			w.buy(customer(i), customer(i), "coffee", time.Now())
		}
		w.eventually("all is read", w.allRead)
		if took := time.Since(began); took >= sessionTimeout/2 {
			t.Errorf("taken over after %s of virtual time", took)
		}
		if have := w.shards(); !slices.Equal(have["a"], []int32{0, 1, 2}) || len(have) != 1 {
			t.Errorf("after the removal: %v", have)
		}
		if err := Remove(t.Context(), w.admin(), w.prefix, "b"); err == nil || !strings.Contains(err.Error(), `no engine "b"`) {
			t.Errorf("removed twice: %v", err)
		}
	})
}

// Removing an engine that runs does no harm: it joins again.
func TestRemovedEngineThatRunsJoinsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.link("coffee", "filters")
		e := w.engine("a")
		e.ready()
		for i := range 9 {
			w.buy(customer(i), customer(i), "coffee", time.Now())
			if i == 4 {
				if err := Remove(t.Context(), w.admin(), w.prefix, "a"); err != nil {
					t.Fatal(err)
				}
			}
		}
		w.eventually("all is read", w.allRead)
		if n := len(w.said()); n != 9 {
			t.Errorf("%d alerts, want 9", n)
		}
	})
}
