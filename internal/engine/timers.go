package engine

import (
	"cmp"
	"container/heap"
	"slices"

	"leadline/internal/sales"
)

// maxTimers is how many timers one step fires at most, but for ties and for those that the step itself arms.
const maxTimers = 5_000

// timers are the armed timers of all customers, in memory or not. An entry that no longer matches its customer's due time is stale;
// that shows only when it comes up, so stale entries stay until then.
type timers struct {
	heap   timerHeap
	staged []Timer // taken out by Plan for the step to come, in order
}

type timerHeap []Timer

func (h timerHeap) Len() int           { return len(h) }
func (h timerHeap) Less(i, j int) bool { return compareTimers(h[i], h[j]) < 0 }
func (h timerHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }

// Push is for package heap.
func (h *timerHeap) Push(x any) { *h = append(*h, x.(Timer)) }

// Pop is for package heap.
func (h *timerHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

func compareTimers(a, b Timer) int {
	return cmp.Or(cmp.Compare(a.Due, b.Due), cmp.Compare(a.CustomerID, b.CustomerID))
}

func (t *timers) reset(armed []Timer) {
	t.heap, t.staged = slices.Clone(armed), nil
	heap.Init(&t.heap)
}

func (t *timers) push(timer Timer) { heap.Push(&t.heap, timer) }

// stage takes out what is due up to now, but not beyond the time of the limit-th, and gives the time up to which everything is out.
func (t *timers) stage(now sales.Millis, limit int) sales.Millis {
	t.putBack()
	for len(t.heap) > 0 && t.heap[0].Due <= now {
		if len(t.staged) >= limit && t.heap[0].Due > t.staged[len(t.staged)-1].Due {
			return t.staged[len(t.staged)-1].Due
		}
		next := heap.Pop(&t.heap).(Timer)
		if n := len(t.staged); n == 0 || t.staged[n-1] != next { // the same entry may stand there twice
			t.staged = append(t.staged, next)
		}
	}
	return now
}

// drop forgets what was staged up to now: it has fired.
func (t *timers) drop(now sales.Millis) {
	for len(t.staged) > 0 && t.staged[len(t.staged)-1].Due > now {
		heap.Push(&t.heap, t.staged[len(t.staged)-1])
		t.staged = t.staged[:len(t.staged)-1]
	}
	t.staged = t.staged[:0]
}

func (t *timers) putBack() {
	for _, timer := range t.staged {
		heap.Push(&t.heap, timer)
	}
	t.staged = t.staged[:0]
}
