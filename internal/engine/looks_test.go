package engine

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"leadline/internal/sales"
	"leadline/internal/window"
)

// loudly is Step as a plain engine would take it: every customer whose timer is due is written, whether a look finds anything or not.
func (s *Shard) loudly(b Batch) Decision {
	s.begin(&b)
	for i := range b.Events {
		s.apply(i, &b.Events[i])
	}
	for _, t := range s.timers.staged {
		if e := s.customer(t.CustomerID); e.timer().Day() == t.Due.Day() && t.Due.Day() <= s.cfg.Calendar.Day(b.Plan.Now) {
			s.touch(e)
		}
	}
	s.fireDue(b.Plan.Now)
	s.clock.now, s.clock.csn = max(s.clock.now, b.Plan.Now), b.CSN
	s.decide()
	return s.step.out
}

// states are the customers as they are at the shard's time, written or not.
func (r *rig) states() map[string]string {
	r.project()
	states := map[string]string{}
	for id, blob := range r.blobs {
		c, err := DecodeCustomer(blob, r.shard.items)
		if err != nil {
			r.Fatalf("%v", err)
		}
		c.CatchUp(r.shard.today(), &r.shard.rules)
		c.CSN = 0
		states[id] = fmt.Sprintf("%+v", *c)
	}
	return states
}

// TestLooksInVainDoNotMatter: an engine that writes nothing when looks find nothing says, tallies and holds what one does that writes each time,
// however often it is rolled back, restarted and emptied of customers meanwhile. (That cuts do not matter TestCutsDoNotMatter shows.)
func TestLooksInVainDoNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		k, _ := worldKnowledge(t)
		events := worldEvents(t)
		rules := testRules()
		rules.Declining.Alpha, rules.Declining.MinBaselineDays = 0.2, 1 // spells in few events
		plain, quiet := newRig(t, k), newRig(t, k)
		plain.take = (*Shard).loudly
		for _, r := range []*rig{plain, quiet} {
			r.shard.cfg.Rules = rules
			r.shard.SetRules(rules)
		}
		step := func(events []sales.Event, now sales.Millis) {
			want, got := plain.step(events, now), quiet.step(events, now)
			if diff := gocmp.Diff(want.Alerts, got.Alerts); diff != "" || want.TimersFired != got.TimersFired {
				t.Fatalf("commit %d fires %d timers, want %d, and says (-plain +quiet):\n%s", quiet.csn, got.TimersFired, want.TimersFired, diff)
			}
		}
		from := 0
		for _, to := range cuts(t, len(events)) {
			if rapid.IntRange(0, 3).Draw(t, "fails") == 0 {
				quiet.attempt(events[from:to], 0)
				quiet.shard.Rollback()
			}
			step(events[from:to], 0)
			switch rapid.IntRange(0, 3).Draw(t, "then") {
			case 0:
				quiet.restart()
			case 1:
				quiet.project()
				quiet.shard.Evict(0)
			}
			from = to
		}
		for week := range rapid.IntRange(0, 60).Draw(t, "weeks of silence") {
			step(nil, quiet.shard.Now()+7*sales.DayMillis)
			if week%5 == 4 {
				quiet.restart()
			}
		}
		if diff := gocmp.Diff(told(plain.decisions), told(quiet.decisions)); diff != "" {
			t.Fatalf("tallied (-plain +quiet):\n%s", diff)
		}
		if diff := gocmp.Diff(plain.states(), quiet.states()); diff != "" {
			t.Fatalf("held (-plain +quiet):\n%s", diff)
		}
	})
}

// somebody are customers with an order each, all on one day.
func somebody(n int) (events []sales.Event) {
	for i := range n {
		events = append(events, buy(fmt.Sprint("c", i), noon, fmt.Sprint("e", i), "TEA"))
	}
	return events
}

// TestALookInVain: nothing is written, a shard that starts again right after it does not look again nor need anybody in memory, and the next
// look is a week later.
func TestALookInVain(t *testing.T) {
	t.Parallel()
	r := newRig(t, emptyKnowledge())
	r.step(somebody(20), 0)
	r.project()
	r.shard.Evict(0)
	at := sales.Calendar{}.Start(firstDay + LookEvery + 1)
	for range 5 {
		if d := r.step(nil, at); d.TimersFired != 20 || len(d.Changes) != 0 {
			t.Fatalf("%d timers fired and %d customers changed, want 20 and none", d.TimersFired, len(d.Changes))
		}
		r.restart()
		if p := r.shard.PlanAt(nil, at+LookEvery*sales.DayMillis-1, 0); len(p.Missing) != 0 {
			t.Fatalf("started again it needs %v", p.Missing)
		}
		if d := r.step(nil, at+LookEvery*sales.DayMillis-1); d.TimersFired != 0 {
			t.Fatalf("started again it looks at %d", d.TimersFired)
		}
		at += LookEvery * sales.DayMillis
	}
}

// TestALookInVainIsRolledBack: after a step that was not committed it takes place again.
func TestALookInVainIsRolledBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, emptyKnowledge())
	r.step(somebody(3), 0)
	before := r.dump()
	for range 3 {
		if d := r.attempt(nil, noon+30*sales.DayMillis); d.TimersFired != 3*4 {
			t.Fatalf("%d timers fired, want 12", d.TimersFired)
		}
		r.shard.Rollback()
		r.shard.Plan(nil, Readiness{}) // puts back what was taken out
		if after := r.dump(); after != before {
			t.Fatalf("was\n%s\nis\n%s", before, after)
		}
	}
}

// TestWhoIsBehindIsWrittenOnce: an event that changes nothing finds the customer behind its looks, which is written; after that it changes
// nothing.
func TestWhoIsBehindIsWrittenOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t, emptyKnowledge())
	order := somebody(1)
	r.step(order, 0)
	r.step(nil, noon+20*sales.DayMillis)
	for i, want := range []int{1, 0} {
		d := r.step(order, 0)
		if d.Duplicates != 1 || len(d.Changes) != want {
			t.Errorf("delivery %d: %d known already and %d changed, want 1 and %d", i+2, d.Duplicates, len(d.Changes), want)
		}
	}
	r.project()
	c, err := DecodeCustomer(r.blobs["c0"], r.shard.items)
	if err != nil || c.Day != firstDay+14 || c.LookDay != firstDay+21 {
		t.Errorf("its time is %s and it is looked at on %s, %v", c.Day, c.LookDay, err)
	}
}

func TestDueAfter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		day := rapid.Map(rapid.IntRange(-20, 40), func(d int) sales.Day { return sales.Day(d) })
		due, today := Due{Look: day.Draw(t, "look"), Expiry: day.Draw(t, "expiry")}, day.Draw(t, "today")
		want := due
		for want.Look != 0 && want.Look+1 <= today { // its moment has come
			if want.Look += 7; want.Look == 0 && due.Look != 0 {
				t.Skip("day 0, which stands for never, is not one of anybody's days")
			}
		}
		if got := due.After(today); got != want {
			t.Fatalf("%v after %d is %v, want %v", due, today, got, want)
		}
	})
}

// TestMovingBetweenTimes: whoever moves to a shard whose time is behind is not looked at twice for it, nor left out where it is ahead: all that
// is tallied is what is held at the end.
func TestMovingBetweenTimes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		moves := newRig(t, emptyKnowledge())
		rules := testRules()
		rules.SlackDays = 30 // so that much leaves the window while looks find nothing
		moves.shard.cfg.Rules = rules
		moves.shard.SetRules(rules)
		day := firstDay
		for i := range rapid.IntRange(1, 20).Draw(t, "orders") {
			day += sales.Day(rapid.IntRange(0, 4).Draw(t, "days"))
			moves.step([]sales.Event{buy("anna", sales.Calendar{}.Start(day), fmt.Sprint("e", i), item(i))}, 0)
		}
		moves.step(nil, sales.Calendar{}.Start(day+sales.Day(rapid.IntRange(100, 200).Draw(t, "silence"))))
		ahead := sales.Day(rapid.IntRange(-30, 30).Draw(t, "ahead"))
		moves.rehome(moves.shard.today() + ahead)
		for range rapid.IntRange(1, 10).Draw(t, "weeks") {
			moves.step(nil, moves.shard.Now()+7*sales.DayMillis)
		}
		want := map[string]int64{}
		moves.project()
		for _, blob := range moves.blobs {
			c, err := DecodeCustomer(blob, moves.shard.items)
			if err != nil {
				t.Fatal(err)
			}
			c.CatchUp(moves.shard.today(), &moves.shard.rules)
			for pair := range dumbHoldings(moves.shard, c) {
				want[pair]++
			}
		}
		if diff := gocmp.Diff(want, heldByTallies(moves.decisions)); diff != "" {
			t.Fatalf("%d days ahead (-held +tallied):\n%s", ahead, diff)
		}
	})
}

// rehome brings all customers to a new shard with a dictionary and a time of its own.
func (r *rig) rehome(today sales.Day) {
	r.project()
	items := window.NewItems()
	from, to := Home{Items: r.shard.items, Today: r.shard.today()}, Home{Items: items, Today: today}
	r.due, r.csn = map[string]Due{}, r.csn+1
	for _, id := range slices.Sorted(maps.Keys(r.blobs)) {
		moved, err := Rehome(r.blobs[id], from, to, r.csn)
		if err != nil {
			r.Fatalf("%v", err)
		}
		if r.due[id], err = BlobDue(moved); err != nil {
			r.Fatalf("%v", err)
		}
		r.blobs[id] = moved
	}
	record := r.record()
	record.Now, record.Items = sales.Calendar{}.Start(today), int32(items.Len())
	var runs []ItemsRun
	for first := 0; first < items.Len(); first += window.RunItems {
		runs = append(runs, ItemsRun{First: int32(first), Run: items.AppendRun(first)})
	}
	r.begin(record, runs)
}

// BenchmarkWeekOfLooks is what a week of looks that find nothing costs a shard that has its 10,000 customers, with an order each week, in memory:
// as they are taken, and as they would be if each were written.
func BenchmarkWeekOfLooks(b *testing.B) {
	for _, way := range []struct {
		name string
		take func(*Shard, Batch) Decision
	}{{"quiet", (*Shard).Step}, {"written", (*Shard).loudly}} {
		b.Run(way.name, func(b *testing.B) {
			const customers = 10_000
			r := newRig(b, emptyKnowledge())
			r.shard.SetRules(DefaultRules())
			week, fired, changed := 0, 0, 0
			take := func(events []sales.Event, now sales.Millis) Decision {
				d := r.attempt(events, now)
				r.shard.Commit()
				r.csn++
				return d
			}
			for ; week < 20; week++ {
				take(weekOfOrders(customers, week), 0)
			}
			r.take = way.take
			b.ReportAllocs()
			for b.Loop() {
				if week++; week%10 == 0 { // without orders there would be nothing to look at some day
					b.StopTimer()
					take(weekOfOrders(customers, week), 0)
					b.StartTimer()
				}
				d := take(nil, sales.Calendar{}.Start(firstDay+sales.Day(7*week+9)))
				fired, changed = fired+d.TimersFired, changed+len(d.Changes)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(fired), "ns/look")
			b.ReportMetric(float64(changed)/float64(fired), "blobs/look")
		})
	}
}

func weekOfOrders(customers, week int) []sales.Event {
	events := make([]sales.Event, customers)
	for i := range events {
		day := firstDay + sales.Day(7*week+i%7)
		events[i] = buy(fmt.Sprint("c", i), sales.Calendar{}.Start(day), fmt.Sprint("e", i, "-", week), item(i), item(i*7+week))
	}
	return events
}
