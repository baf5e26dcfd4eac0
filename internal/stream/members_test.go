package stream

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
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

// An engine that the group has given up and that has not heard of it goes on ticking for its idle shards. The tick is refused, and
// no commit is doubled or missing.
func TestIdleShardsTickAfterItsPartitionsMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.link("coffee", "filters")
		old := w.engine("a")
		old.ready()
		for i := range 9 {
			w.buy(customer(i), customer(i), "coffee", time.Now())
		}
		w.eventually("all is read", w.allRead)
		refused := func() bool {
			return old.count("transactions_total", "refused")+old.count("transactions_total", "unknown") > 0
		}
		w.cluster.ControlKey(kmsg.Heartbeat.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
			beat := req.(*kmsg.HeartbeatRequest)
			if refused() {
				return nil, nil, false
			}
			w.cluster.KeepControl()
			if beat.InstanceID == nil || *beat.InstanceID != "a" {
				return nil, nil, false
			}
			return beat.ResponseKind(), nil, true // all is well
		})
		if err := Remove(t.Context(), w.admin(), w.prefix, "a"); err != nil {
			t.Fatal(err)
		}
		w.engine("b").ready()
		if have := w.shards(); len(have) != 1 || !slices.Equal(have["b"], []int32{0, 1, 2}) || refused() {
			t.Fatalf("before the tick: %v", have)
		}
		w.eventually("the old owner's tick is refused", refused)
		for i := range 9 {
			w.buy(customer(i), "again-"+customer(i), "tea", time.Now())
		}
		w.eventually("all is read", w.allRead)
		commits := map[int32]int64{}
		for _, j := range w.journal() {
			if commits[j.Partition]++; j.CSN != commits[j.Partition] {
				t.Errorf("shard %d: commit %d follows %d", j.Partition, j.CSN, commits[j.Partition]-1)
			}
		}
		if n := len(w.said()); n != 9 {
			t.Errorf("%d alerts, want 9", n)
		}
		w.eventually("all is projected", w.projected)
		w.sameState()
	})
}
