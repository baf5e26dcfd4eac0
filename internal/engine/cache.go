package engine

import (
	"fmt"
	"slices"
	"strings"
)

// cache holds the customers that are in memory. Over its ring goes a hand that drops those which were not used since it was there last.
type cache struct {
	entries map[string]*entry
	bytes   int
	ring    []*entry
	hand    int
	whole   bool // all customers of the shard are in memory: who is not is new
}

// entry is a customer in memory with its pre-image: the blob as last committed.
type entry struct {
	id      string
	lot     uint64 // in the standing experiment
	state   Customer
	blob    []byte // nil: nothing was kept
	due     Due    // of the committed state, its look moved on past those that have found nothing since
	csn     int64  // of the commit that wrote blob, or took it away
	size    int
	used    bool // since the hand was there
	touched bool // changed by the open step
	looked  bool // by the open step, which found nothing
	next    pending
}

// timer is what is due of the customer at the point where the open step is, or else as committed.
func (e *entry) timer() Due {
	if e.touched {
		return e.state.Due()
	}
	return e.due
}

// pending is what the open step's commit will make of the entry.
type pending struct {
	changed bool
	blob    []byte
	due     Due
}

func newCache() cache { return cache{entries: map[string]*entry{}, whole: true} }

// restore makes the entry what its committed blob says at the shard's time.
func (s *Shard) restore(e *entry) error {
	if e.blob == nil {
		e.state, e.due = Customer{}, Due{}
		return nil
	}
	if err := decodeCustomer(&e.state, e.blob, s.items, &s.step.scratch.windows); err != nil {
		return err
	}
	e.due = e.state.Due().After(s.today())
	return nil
}

// Load brings a customer into memory: its blob as the projection has it, nil for a customer of whom nothing is kept. One that is in
// memory already stays as it is. ErrCorrupt when the blob is damaged.
func (s *Shard) Load(customerID string, blob []byte) error {
	if s.cache.entries[customerID] != nil {
		return nil
	}
	e := s.entry(customerID)
	e.blob = slices.Clone(blob)
	if err := s.restore(e); err != nil {
		return fmt.Errorf("load customer %s: %w", customerID, err)
	}
	e.csn = e.state.CSN
	if e.csn > s.acked {
		return fmt.Errorf("load customer %s: commit %d is ahead of the acknowledged %d: %w", customerID, e.csn, s.acked, ErrCorrupt)
	}
	s.cache.add(e)
	return nil
}

// entry is a customer of whom nothing is kept yet.
func (s *Shard) entry(id string) *entry { return &entry{id: strings.Clone(id), lot: s.draw(id)} }

// Acknowledge says that the projection has everything up to the commit.
func (s *Shard) Acknowledge(csn int64) { s.acked = max(s.acked, csn) }

// Evict drops customers that the projection has until the rest takes about keepBytes, those first that were not used for long. Not
// between Plan and Commit or Rollback.
func (s *Shard) Evict(keepBytes int) {
	c := &s.cache
	for left := 2 * len(c.ring); left > 0 && c.bytes > keepBytes; left-- { // twice around finds all that can go
		if c.hand >= len(c.ring) {
			c.hand = 0
		}
		switch e := c.ring[c.hand]; {
		case e.csn > s.acked || e.touched:
			c.hand++
		case e.used:
			e.used = false
			c.hand++
		default:
			c.dropAtHand()
		}
	}
}

func (c *cache) add(e *entry) {
	c.entries[e.id] = e
	c.ring = append(c.ring, e)
	e.used = true
	c.resize(e)
}

// dropAtHand puts the ring's last one in the place of the dropped one.
func (c *cache) dropAtHand() {
	e, last := c.ring[c.hand], len(c.ring)-1
	c.ring[c.hand], c.ring[last] = c.ring[last], nil
	c.ring = c.ring[:last]
	c.bytes -= e.size
	delete(c.entries, e.id)
	c.whole = false
}

// resize counts the entry's memory: the structs, and the slices that grow, with the room that they have to grow into.
func (c *cache) resize(e *entry) {
	const structs = 560
	w := &e.state.Window
	c.bytes -= e.size
	e.size = structs + len(e.id) + cap(e.blob) + 24*cap(w.Lines()) + 24*cap(w.Orders()) + 16*cap(w.Touches()) +
		12*cap(w.Past()) + 48*cap(e.state.Open) + 24*cap(e.state.Said) + 128*cap(e.state.Reports)
	c.bytes += e.size
}
