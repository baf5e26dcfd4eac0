package engine

import (
	"hash"

	"leadline/internal/sales"
	"leadline/internal/scorecard"
	"leadline/internal/slipping"
	"leadline/internal/window"
)

// scratch is memory that the rules use again and again, so that an event allocates only what it keeps.
type scratch struct {
	round    uint32    // of the leads below
	learned  Knowledge // that the leads below come from
	lines    []orderLine
	taken    marks // what cross-sell must not offer
	distinct marks
	types    marks   // those of the order with a tier
	leads    []leads // by number at the link level

	touchLeads  []leads // by number of the touch
	touchesSeen marks

	candidates  []candidate // of a cross-sell
	candidateAt places      // of them, by number
	refused     []refusal   // with batch.Explain alone
	bought      bought
	question    question
	steps       []upStep
	cards       []*scorecard.Score

	orderDays   []sales.Day
	orderBought []slipping.Bought   // on each of them
	seasons     []slipping.Season   // by their day's last bits
	slipCard    *scorecard.Score    // valid if known
	slipBest    [slipping.Signs]int // attributes with the most points on it
	slipKnown   bool
	population  *slipping.Population // nil: not looked up

	tiers    []tierUse
	holdings holdings
	days     []sales.Day
	before   []int32 // what a customer held
	touched  []int32 // and by which touches
	last     []lastBought
	blob     []byte
	windows  window.Decoder
	job      JobOrder
	weights  weights
	name     []byte    // what an alert's id is made from
	sha      hash.Hash // SHA-1, as UUIDs of version 5 are defined
}

// forget drops the leads: knowledge, rules or the dictionary are not what they were.
func (sc *scratch) forget() {
	sc.round, sc.learned, sc.weights = sc.round+1, Knowledge{}, weights{}
	sc.cards = sc.cards[:0]
	sc.slipKnown, sc.population = false, nil
	clear(sc.seasons)
}

// use says what knowledge holds in the step that begins. One version of it has one content.
func (sc *scratch) use(k *Knowledge) {
	if *k != sc.learned {
		sc.forget()
		sc.learned = *k
	}
}

// marks is a set of small numbers that empties in one step.
type marks struct {
	round uint32
	at    []uint32
}

// next empties the set and makes room for the numbers below n.
func (m *marks) next(n int) {
	m.round++
	if len(m.at) < n {
		m.at = append(m.at, make([]uint32, n-len(m.at))...)
	}
	if m.round == 0 { // after four thousand million rounds the old marks would look new
		clear(m.at)
		m.round = 1
	}
}

// of makes the set one of the given numbers below n.
func (m *marks) of(n int, numbers []int32) *marks {
	m.next(n)
	for _, number := range numbers {
		m.add(number)
	}
	return m
}

// add puts the number in and tells whether it is new.
func (m *marks) add(n int32) bool {
	if m.at[n] == m.round {
		return false
	}
	m.at[n] = m.round
	return true
}

// drop takes the number out and tells whether it was in.
func (m *marks) drop(n int32) bool {
	if m.at[n] != m.round {
		return false
	}
	m.at[n] = 0 // no round
	return true
}

// has tells whether the number is in the set. One that was not known when the set was emptied is not.
func (m *marks) has(n int32) bool { return int(n) < len(m.at) && m.at[n] == m.round }

// places tells where in a list the thing of a small number stands; it empties in one step.
type places struct {
	round uint32
	at    []place
}

type place struct {
	round uint32
	place int32
}

// next empties it and makes room for the numbers below n.
func (p *places) next(n int) {
	p.round++
	if len(p.at) < n {
		p.at = append(p.at, make([]place, n-len(p.at))...)
	}
	if p.round == 0 { // as with marks
		clear(p.at)
		p.round = 1
	}
}

func (p *places) put(n, at int32) { p.at[n] = place{round: p.round, place: at} }

// get is −1 for a number that stands nowhere.
func (p *places) get(n int32) int32 {
	if int(n) >= len(p.at) || p.at[n].round != p.round {
		return -1
	}
	return p.at[n].place
}
