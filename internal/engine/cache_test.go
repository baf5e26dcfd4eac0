package engine

import (
	"testing"

	"pgregory.net/rapid"
)

// Whatever was loaded, used, changed and acknowledged: what must stay stays, what is kept is counted, and as soon as enough may go the rest
// is as small as was asked for.
func TestEvictDropsOnlyWhatTheProjectionHas(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &Shard{cache: newCache(), acked: rapid.Int64Range(0, 10).Draw(t, "acked")}
		for i := range rapid.IntRange(0, 40).Draw(t, "customers") {
			e := &entry{id: string(rune('a' + i)), csn: rapid.Int64Range(0, 12).Draw(t, "csn")}
			s.cache.add(e)
			e.used = rapid.Bool().Draw(t, "used")
		}
		for round := range 3 {
			keep := rapid.IntRange(0, s.cache.bytes+1).Draw(t, "keep")
			s.Evict(keep)
			bytes, mayGo := 0, 0
			for id, e := range s.cache.entries {
				bytes += e.size
				if id != e.id {
					t.Fatalf("%q stands under %q", e.id, id)
				}
				if e.csn <= s.acked {
					mayGo++
				}
			}
			if bytes != s.cache.bytes || len(s.cache.ring) != len(s.cache.entries) {
				t.Fatalf("round %d: %d bytes counted, are %d; %d in the ring, %d in the map", round, s.cache.bytes, bytes, len(s.cache.ring), len(s.cache.entries))
			}
			if bytes > keep && mayGo > 0 {
				t.Fatalf("round %d: %d bytes are kept where %d were asked for, and %d customers may go", round, bytes, keep, mayGo)
			}
		}
	})
}

// A customer in use outlives those that are not.
func TestEvictDropsTheUnusedFirst(t *testing.T) {
	s := &Shard{cache: newCache()}
	for _, id := range []string{"a", "b", "c", "d"} {
		s.cache.add(&entry{id: id})
	}
	one := s.cache.bytes / 4
	s.Evict(3 * one) // all are in use: the hand goes around once
	s.cache.entries["c"].used = true
	s.Evict(one)
	if s.cache.entries["c"] == nil || len(s.cache.entries) != 1 {
		t.Errorf("left are %v", s.cache.entries)
	}
}
