package stream

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"leadline/internal/engine"
	"leadline/internal/state"
)

// However many commits one write takes, writing until the queue is empty leaves what writing commit by commit leaves.
func TestMergedWritesAreTheCommits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := &queue{meta: state.Meta{Cluster: "c", Generation: 3}}
		want := map[string]string{}
		for csn := range int64(rapid.IntRange(0, 12).Draw(t, "commits")) {
			c := commit{csn: csn + 1, stateOffset: 10 * (csn + 1)}
			// Some commits are so large that they cannot share a write.
			size := rapid.SampledFrom([]int{0, 1, 3, mergeLimit - 2}).Draw(t, "size")
			for i := range size {
				id := fmt.Sprint(i)
				c.changes = append(c.changes, engine.Change{CustomerID: id, Blob: []byte(fmt.Sprint(csn))})
				want[id] = fmt.Sprint(csn)
			}
			q.commits, q.bytes = append(q.commits, c), q.bytes+size
			q.commits[len(q.commits)-1].bytes = size
		}
		last := int64(len(q.commits))
		got := map[string]string{}
		for len(q.commits) > 0 {
			w := q.merged()
			if w.From != q.meta || w.To.CSN <= w.From.CSN || w.To.StateOffset != 10*w.To.CSN || w.To.Generation != 3 {
				t.Fatalf("write from %v to %v", w.From, w.To)
			}
			seen := map[string]bool{}
			for _, ch := range w.Changes {
				if seen[ch.CustomerID] {
					t.Fatalf("customer %s twice in one write", ch.CustomerID)
				}
				seen[ch.CustomerID] = true
				got[ch.CustomerID] = string(ch.Blob)
			}
			q.acknowledge(w.To)
		}
		if q.meta.CSN != last || q.bytes != 0 {
			t.Fatalf("at the end: %v, %d bytes", q.meta, q.bytes)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("wrote %v, want %v", got, want)
		}
	})
}
