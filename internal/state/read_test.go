package state_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadline/internal/engine"
	"leadline/internal/state"
	"leadline/internal/state/statetest"
	"leadline/internal/wire"
)

// The reader finds the shard by the id alone.
func TestAReaderIsToldWhatIsKnown(t *testing.T) {
	on(t, func(t *testing.T, o opened) {
		const id, partitions = "客戶 {7}", 4
		p := wire.Partition([]byte(id), partitions)
		see := func(want state.View) {
			t.Helper()
			want.Partition = p
			got, err := o.Customer(t.Context(), id, partitions)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		}
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		begin := func(to state.Meta) state.Rebuild {
			t.Helper()
			b, err := o.Rebuild(t.Context(), p, to)
			must(err)
			return b
		}
		changes := []engine.Change{{CustomerID: id, Blob: []byte("blob"), Due: engine.Due{Look: 9}}}
		runs := []engine.ItemsRun{{First: 0, Run: []byte("dictionary")}}

		see(state.View{Rebuilding: true})
		first := begin(statetest.At(1, 5))
		see(state.View{Rebuilding: true})
		must(first.Finish(t.Context()))
		see(state.View{Meta: statetest.At(1, 5), Items: []engine.ItemsRun{}})
		must(o.Apply(t.Context(), p, state.Write{From: statetest.At(1, 5), To: statetest.At(1, 6), Changes: changes, ItemRuns: runs}))
		see(state.View{Meta: statetest.At(1, 6), Blob: []byte("blob"), Items: runs})

		second := begin(statetest.At(2, 7))
		see(state.View{Meta: statetest.At(1, 6), Blob: []byte("blob"), Items: runs, Rebuilding: true})
		must(second.Finish(t.Context()))
		see(state.View{Meta: statetest.At(2, 7), Items: []engine.ItemsRun{}})
	})
}
