package state_test

import (
	"fmt"
	"maps"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadline/internal/engine"
	"leadline/internal/state"
	"leadline/internal/state/statetest"
)

// everyone reads all customers as shard/id → blob.
func everyone(t *testing.T, r *state.Redis, partitions int32) (map[string]string, map[int32]state.Meta) {
	t.Helper()
	var mu sync.Mutex
	got := map[string]string{}
	metas, err := r.Everyone(t.Context(), partitions, func(p int32, id string, blob []byte) error {
		mu.Lock()
		defer mu.Unlock()
		got[fmt.Sprintf("%d/%s", p, id)] = string(blob)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got, metas
}

// All customers of all shards, of this tenant, of the visible generation, and nothing else.
func TestEveryoneIsAllOfTheVisibleGenerations(t *testing.T) {
	on(t, func(t *testing.T, o opened) {
		want, metas := map[string]string{}, map[int32]state.Meta{}
		for p := range int32(3) {
			var changes []engine.Change
			for i := range 1500 {
				id := fmt.Sprintf("客戶 {%d} %d", p, i)
				want[fmt.Sprintf("%d/%s", p, id)] = fmt.Sprint("blob of ", id)
				changes = append(changes, engine.Change{CustomerID: id, Blob: []byte("blob of " + id), Due: engine.Due{Look: 1}})
			}
			metas[p] = statetest.At(1, int64(p)+1)
			runs := []engine.ItemsRun{{First: 0, Run: []byte("dictionary")}}
			if err := o.Apply(t.Context(), p, state.Write{To: metas[p], Changes: changes, ItemRuns: runs}); err != nil {
				t.Fatal(err)
			}
		}
		other := state.NewRedis(o.client, o.prefix+"1")
		if err := other.Apply(t.Context(), 0, state.Write{To: statetest.At(1, 1), Changes: []engine.Change{{CustomerID: "of another tenant", Blob: []byte("x")}}}); err != nil {
			t.Fatal(err)
		}
		b, err := o.Rebuild(t.Context(), 1, statetest.At(2, 9))
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Put(t.Context(), []engine.Change{{CustomerID: "not visible yet", Blob: []byte("new")}}, nil); err != nil {
			t.Fatal(err)
		}
		got, have := everyone(t, o.Redis, 4)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(metas, have); diff != "" {
			t.Error(diff)
		}
		if err := b.Finish(t.Context()); err != nil {
			t.Fatal(err)
		}
		got, have = everyone(t, o.Redis, 3)
		maps.DeleteFunc(want, func(name, _ string) bool { return name[0] == '1' })
		want["1/not visible yet"] = "new"
		if diff := cmp.Diff(want, got); diff != "" || have[1] != statetest.At(2, 9) {
			t.Error(diff, have)
		}
	})
}

// A shard whose generation is replaced while it is read has given some customers of the old one: it must not pass for read.
func TestAShardThatIsRebuiltMeanwhileIsNotRead(t *testing.T) {
	on(t, func(t *testing.T, o opened) {
		for p := range int32(2) {
			if err := o.Apply(t.Context(), p, state.Write{To: statetest.At(1, 1), Changes: []engine.Change{{CustomerID: "ann", Blob: []byte("a")}}}); err != nil {
				t.Fatal(err)
			}
		}
		var once sync.Once
		metas, err := o.Everyone(t.Context(), 2, func(int32, string, []byte) (err error) {
			once.Do(func() {
				var b state.Rebuild
				if b, err = o.Rebuild(t.Context(), 1, statetest.At(2, 2)); err == nil {
					err = b.Finish(t.Context())
				}
			})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[int32]state.Meta{0: statetest.At(1, 1)}, metas); diff != "" {
			t.Error(diff)
		}
	})
}
