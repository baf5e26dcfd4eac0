package engine

import (
	"fmt"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"leadline/internal/sales"
)

const endOfTime = sales.Millis(firstDay+20_000) * sales.DayMillis

// playRoughly steps through the events in random batches as a bad day would have it, and then lets a long time pass.
func playRoughly(t *rapid.T, r *rig, events []sales.Event) {
	from := 0
	for _, to := range cuts(t, len(events)) {
		for rapid.IntRange(0, 3).Draw(t, "fails") == 0 {
			before := r.dump()
			r.attempt(events[from:rapid.IntRange(from, len(events)).Draw(t, "until")], 0)
			r.shard.Rollback()
			// What was loaded for the attempt may stay; it is as the projection has it.
			if after := r.dump(); !contains(after, before) {
				t.Fatalf("rolled back to another state:\n%s\ninstead of\n%s", after, before)
			}
		}
		r.step(events[from:to], 0)
		if rapid.Bool().Draw(t, "projects") {
			r.project()
		}
		if rapid.Bool().Draw(t, "evicts") {
			r.shard.Evict(0)
		}
		from = to
	}
	r.step(nil, endOfTime)
}

// playOver plays events in drawn batches, some of which are tried in vain first, and some of which end a life of the shard.
func playOver(t *rapid.T, r *rig, events []sales.Event) {
	from := 0
	for _, to := range cuts(t, len(events)) {
		if rapid.Bool().Draw(t, "fails") {
			r.attempt(events[from:to], 0)
			r.shard.Rollback()
		}
		r.step(events[from:to], 0)
		if rapid.Bool().Draw(t, "restarts") {
			r.restart()
		}
		from = to
	}
}

// contains tells whether every line of before is in after.
func contains(after, before string) bool {
	have := map[string]bool{}
	for _, line := range strings.Split(after, "\n") {
		have[line] = true
	}
	for _, line := range strings.Split(before, "\n") {
		if !have[line] {
			return false
		}
	}
	return true
}

// TestCutsDoNotMatter: all that is said is the same for one event a batch as for any other cut, but for when it was said, and to
// which owner: profiles have no place among the times of purchases.
func TestCutsDoNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		k, _ := worldKnowledge(t)
		events := worldEvents(t)
		whole := func(a *sales.Alert) string {
			b := *a
			b.DetectedAt, b.OwnerID = 0, ""
			return fmt.Sprintf("%+v", b)
		}
		one, rough := newRig(t, k), newRig(t, k)
		for i := range events {
			one.step(events[i:i+1], 0)
		}
		one.step(nil, endOfTime)
		playRoughly(t, rough, events)
		if diff := gocmp.Diff(one.trace(whole), rough.trace(whole)); diff != "" {
			t.Fatalf("(-one by one +in batches):\n%s", diff)
		}
		if diff := gocmp.Diff(one.examples(), rough.examples()); diff != "" {
			t.Fatalf("of examples (-one by one +in batches):\n%s", diff)
		}
	})
}

// TestMemoryDoesNotMatter: the same batches give the same decisions, byte for byte, with everybody in memory and with nobody.
func TestMemoryDoesNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		k, _ := worldKnowledge(t)
		events := worldEvents(t)
		warm, cold := newRig(t, k), newRig(t, k)
		from := 0
		for _, to := range cuts(t, len(events)) {
			warm.step(events[from:to], 0)
			cold.step(events[from:to], 0)
			cold.project()
			cold.shard.Evict(0)
			if len(cold.shard.cache.entries) != 0 {
				t.Fatalf("%d customers left after all were dropped", len(cold.shard.cache.entries))
			}
			from = to
		}
		warm.step(nil, endOfTime)
		cold.step(nil, endOfTime)
		if diff := gocmp.Diff(warm.decisions, cold.decisions); diff != "" {
			t.Fatalf("(-warm +cold):\n%s", diff)
		}
	})
}

// TestRestartDoesNotMatter: a shard restored from record, dictionary, timers and blobs goes on as if nothing had happened.
func TestRestartDoesNotMatter(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		k, _ := worldKnowledge(t)
		events := worldEvents(t)
		on, again := newRig(t, k), newRig(t, k)
		half := rapid.IntRange(0, len(events)).Draw(t, "half")
		on.step(events[:half], 0)
		again.step(events[:half], 0)
		again.restart()
		for _, r := range []*rig{on, again} {
			r.step(events[half:], 0)
			r.step(nil, endOfTime)
		}
		if diff := gocmp.Diff(on.decisions, again.decisions); diff != "" {
			t.Fatalf("(-undisturbed +restarted):\n%s", diff)
		}
	})
}
