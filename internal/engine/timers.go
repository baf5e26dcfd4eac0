package engine

import (
	"cmp"
	"slices"
	"strings"

	"leadline/internal/sales"
)

// maxTimers is how many timers one step fires at most, but for ties and for those that the step itself arms.
const maxTimers = 5_000

// timers are the armed timers of all customers, in memory or not. An entry that no longer matches its customer's due day is stale;
// that shows only when it comes up, so stale entries stay until then.
type timers struct {
	heap   timerHeap
	staged []Timer // taken out by Plan for the step to come, in order
}

// timerHeap is a binary heap by compareTimers. (Package container/heap would allocate each timer once more.)
type timerHeap []Timer

func (h *timerHeap) push(t Timer) {
	*h = append(*h, t)
	list := *h
	for i := len(list) - 1; i > 0; {
		parent := (i - 1) / 2
		if compareTimers(list[parent], list[i]) <= 0 {
			return
		}
		list[i], list[parent] = list[parent], list[i]
		i = parent
	}
}

func (h *timerHeap) pop() Timer {
	list := *h
	first, last := list[0], len(list)-1
	list[0], list[last] = list[last], Timer{}
	*h = list[:last]
	h.sink()
	return first
}

// sink brings the first timer to its place.
func (h timerHeap) sink() {
	for i := 0; ; {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if child+1 < len(h) && compareTimers(h[child+1], h[child]) < 0 {
			child++
		}
		if compareTimers(h[i], h[child]) <= 0 {
			return
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}

func compareTimers(a, b Timer) int {
	if a, b := a.Due.Day(), b.Due.Day(); a != b {
		return cmp.Compare(a, b)
	}
	return strings.Compare(a.CustomerID, b.CustomerID)
}

// reset arms the timers as they were written, when time has come to the day.
func (t *timers) reset(written []Timer, today sales.Day) {
	t.heap, t.staged = slices.Clone(written), nil
	for i := range t.heap {
		t.heap[i].Due = t.heap[i].Due.After(today)
	}
	slices.SortFunc(t.heap, compareTimers) // a sorted list is a heap
}

// stage takes out what is due up to the day, but not beyond that of the limit-th, and gives the day up to which everything is out.
func (t *timers) stage(day sales.Day, limit int) sales.Day {
	t.putBack()
	for len(t.heap) > 0 && t.heap[0].Due.Day() <= day {
		if len(t.staged) >= limit && t.heap[0].Due.Day() > t.staged[len(t.staged)-1].Due.Day() {
			return t.staged[len(t.staged)-1].Due.Day()
		}
		next := t.heap.pop()
		if n := len(t.staged); n == 0 || t.staged[n-1] != next { // the same entry may stand there twice
			t.staged = append(t.staged, next)
		}
	}
	return day
}

// drop forgets what was staged up to the day: it has fired.
func (t *timers) drop(day sales.Day) {
	for len(t.staged) > 0 && t.staged[len(t.staged)-1].Due.Day() > day {
		t.heap.push(t.staged[len(t.staged)-1])
		t.staged = t.staged[:len(t.staged)-1]
	}
	t.staged = t.staged[:0]
}

func (t *timers) putBack() {
	for _, timer := range t.staged {
		t.heap.push(timer)
	}
	t.staged = t.staged[:0]
}
