package engine

import (
	"cmp"
	"slices"
	"strings"

	"leadline/internal/sales"
)

// maxTimers is how many timers one step fires at most, but for ties and for those that the step itself arms.
const maxTimers = 5_000

// timers are the armed timers of all customers, in memory or not, by the day on which they are due: there are few days and many timers. An
// entry that no longer matches its customer's due day is stale; that shows only when it comes up, so stale entries stay until then.
type timers struct {
	days   []sales.Day           // those that have timers, sorted
	due    map[sales.Day][]Timer // of each day, in no order
	staged []Timer               // taken out by Plan for the step to come, in order
}

func (t *timers) push(timer Timer) {
	day := timer.Due.Day()
	list, known := t.due[day]
	if !known {
		if t.due == nil {
			t.due = map[sales.Day][]Timer{}
		}
		at, _ := slices.BinarySearch(t.days, day)
		t.days = slices.Insert(t.days, at, day)
	}
	t.due[day] = append(list, timer)
}

// take takes out the first day's timers, in order. The same entry may stand there twice, and comes once.
func (t *timers) take() []Timer {
	list := t.due[t.days[0]]
	delete(t.due, t.days[0])
	t.days = slices.Delete(t.days, 0, 1)
	slices.SortFunc(list, compareTimers)
	return slices.Compact(list)
}

func compareTimers(a, b Timer) int {
	if a, b := a.Due.Day(), b.Due.Day(); a != b {
		return cmp.Compare(a, b)
	}
	return strings.Compare(a.CustomerID, b.CustomerID)
}

// reset arms the timers as they were written, when time has come to the day.
func (t *timers) reset(written []Timer, today sales.Day) {
	*t = timers{}
	for _, timer := range written {
		timer.Due = timer.Due.After(today)
		t.push(timer)
	}
}

// stage takes out what is due up to the day, but not beyond that of the limit-th, and gives the day up to which everything is out.
func (t *timers) stage(day sales.Day, limit int) sales.Day {
	t.putBack()
	for len(t.days) > 0 && t.days[0] <= day {
		if len(t.staged) >= limit {
			return t.staged[len(t.staged)-1].Due.Day()
		}
		t.staged = append(t.staged, t.take()...)
	}
	return day
}

// drop forgets what was staged up to the day: it has fired.
func (t *timers) drop(day sales.Day) {
	for len(t.staged) > 0 && t.staged[len(t.staged)-1].Due.Day() > day {
		t.push(t.staged[len(t.staged)-1])
		t.staged = t.staged[:len(t.staged)-1]
	}
	t.staged = t.staged[:0]
}

func (t *timers) putBack() {
	for _, timer := range t.staged {
		t.push(timer)
	}
	t.staged = t.staged[:0]
}
