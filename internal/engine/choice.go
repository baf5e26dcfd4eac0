package engine

import (
	"slices"

	"github.com/cespare/xxhash/v2"
)

// firstOnes is among how many of the best candidates a random one is chosen at times, so that something is learned of what is not offered
// otherwise.
const firstOnes = 10

// choice is which of the candidates is offered.
type choice struct {
	at         int
	propensity float64 // how probable it was that this one is offered
	explored   bool    // it was drawn by lot
}

// choose takes the candidate that stands before all others, or in a share of the events, drawn by the event's id alone, any of the first ten.
// There must be one.
func (s *Shard) choose(o *order, n int, ahead func(i, j int) int) choice {
	best := 0
	for i := range n {
		if ahead(i, best) < 0 {
			best = i
		}
	}
	share := float64(s.rules.ExploreShare)
	first := min(n, firstOnes)
	c := choice{at: best, propensity: 1 - share + share/float64(first)}
	if share == 0 || !drawn(s.lot(o, "explore"), share) {
		return c
	}
	c.explored = true
	ranked := firsts(n, ahead)
	if c.at = ranked[s.lot(o, "which")%uint64(first)]; c.at != best {
		c.propensity = share / float64(first)
	}
	return c
}

// lot is a number drawn for the order's event.
func (s *Shard) lot(o *order, about string) uint64 {
	return xxhash.Sum64String(s.cfg.Prefix + "\x00" + about + "\x00" + o.EventID)
}

// firsts gives the places of the first ten of n, best first.
func firsts(n int, ahead func(i, j int) int) []int {
	first := make([]int, 0, firstOnes+1)
	for i := range n {
		if len(first) == firstOnes && ahead(first[firstOnes-1], i) <= 0 {
			continue
		}
		at, _ := slices.BinarySearchFunc(first, i, ahead)
		first = slices.Insert(first, at, i)
		first = first[:min(len(first), firstOnes)]
	}
	return first
}
