package stream

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
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
			w := merged(q.meta, q.commits)
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

// doorStore lets no write end before its door is opened.
type doorStore struct {
	*state.Memory
	door chan struct{}

	mu     sync.Mutex
	inside []int32 // the shards that are being written
	total  int
}

func (s *doorStore) Apply(ctx context.Context, p int32, w state.Write) error {
	s.mu.Lock()
	s.inside, s.total = append(s.inside, p), s.total+1
	s.mu.Unlock()
	select {
	case <-s.door:
	case <-ctx.Done():
	}
	return s.Memory.Apply(ctx, p, w)
}

// While the store works on one shard the next is made, but a shard's commits come one write after the other, however many wait.
func TestTwoShardsAreWrittenAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &doorStore{Memory: state.NewMemory(), door: make(chan struct{})}
		pr := newProjector(store, zap.NewNop(), newMetrics(prometheus.NewRegistry()))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { pr.run(ctx); close(done) }()
		for p := range int32(3) {
			pr.begin(p, state.Meta{})
		}
		for csn := range int64(4) {
			for p := range int32(3) {
				pr.add(p, commit{csn: csn + 1, stateOffset: csn + 1, changes: []engine.Change{{CustomerID: "ann", Blob: []byte(fmt.Sprint(csn))}}})
			}
			synctest.Wait()
			if len(store.inside) != writersAtOnce || store.inside[0] == store.inside[1] {
				t.Fatalf("shards %v are being written", store.inside)
			}
		}
		close(store.door)
		time.Sleep(projectEvery) // of virtual time: what came meanwhile waits until then
		synctest.Wait()
		if !pr.empty() {
			t.Error("something still waits, and nobody writes it")
		}
		for p := range int32(3) {
			if m, blobs, err := store.Load(ctx, p, []string{"ann"}); m.CSN != 4 || string(blobs[0]) != "3" || err != nil {
				t.Errorf("shard %d is at %v with %q, %v", p, m, blobs, err)
			}
		}
		if store.total != 5 { // two shards' first commit and the rest, the third's all at once
			t.Errorf("%d writes", store.total)
		}
		cancel()
		<-done
	})
}
