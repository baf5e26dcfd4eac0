package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"leadline/internal/sales"
)

// cache holds the customers that are in memory.
type cache struct {
	entries map[string]*entry
	bytes   int
	clock   int64 // counts uses
}

// entry is a customer in memory with its pre-image: the blob as last committed.
type entry struct {
	id      string
	lot     uint64 // in the standing experiment
	state   Customer
	blob    []byte       // nil: nothing was kept
	due     sales.Millis // of the committed state
	csn     int64        // of the commit that wrote blob, or took it away
	used    int64
	size    int
	touched bool // by the open step
	dirty   bool // changed by the open step
	next    pending
	before  holding // what the open step found held
}

// pending is what the open step's commit will make of the entry.
type pending struct {
	changed bool
	blob    []byte
	due     sales.Millis
}

func newCache() cache { return cache{entries: map[string]*entry{}} }

// restore makes the entry's state what its committed blob says.
func (s *Shard) restore(e *entry) error {
	e.dirty = false
	if e.blob == nil {
		e.state = Customer{}
		return nil
	}
	return decodeCustomer(&e.state, e.blob, s.items, &s.step.scratch.windows)
}

// Load brings a customer into memory: its blob as the projection has it, nil for a customer of whom nothing is kept. One that is in
// memory already stays as it is. ErrCorrupt when the blob is damaged.
func (s *Shard) Load(customerID string, blob []byte) error {
	if s.cache.entries[customerID] != nil {
		return nil
	}
	e := &entry{id: strings.Clone(customerID), lot: s.draw(customerID), blob: slices.Clone(blob)}
	if err := s.restore(e); err != nil {
		return fmt.Errorf("load customer %s: %w", customerID, err)
	}
	e.csn, e.due = e.state.CSN, e.state.Due(s.cfg.Calendar)
	if e.csn > s.acked {
		return fmt.Errorf("load customer %s: commit %d is ahead of the acknowledged %d: %w", customerID, e.csn, s.acked, ErrCorrupt)
	}
	s.cache.entries[e.id] = e
	s.cache.use(e)
	s.cache.resize(e)
	return nil
}

// Acknowledge says that the projection has everything up to the commit.
func (s *Shard) Acknowledge(csn int64) { s.acked = max(s.acked, csn) }

// Evict drops customers that the projection has until the rest takes about keepBytes, the longest unused first. Not between Plan and
// Commit or Rollback.
func (s *Shard) Evict(keepBytes int) {
	if s.cache.bytes <= keepBytes {
		return
	}
	var old []*entry
	for _, e := range s.cache.entries {
		if e.csn <= s.acked && !e.touched {
			old = append(old, e)
		}
	}
	slices.SortFunc(old, func(a, b *entry) int { return cmp.Or(cmp.Compare(a.used, b.used), cmp.Compare(a.id, b.id)) })
	// Down to seven eighths, so that not every batch sorts the cache.
	for _, e := range old {
		if s.cache.bytes <= keepBytes/8*7 {
			return
		}
		s.cache.bytes -= e.size
		delete(s.cache.entries, e.id)
	}
}

func (c *cache) use(e *entry) {
	c.clock++
	e.used = c.clock
}

// resize counts the entry's memory: the structs, and the slices that grow.
func (c *cache) resize(e *entry) {
	const structs = 512
	w := &e.state.Window
	c.bytes -= e.size
	e.size = structs + len(e.id) + len(e.blob) + 24*len(w.Lines()) + 24*len(w.Orders()) + 16*len(w.Touches())
	c.bytes += e.size
}
