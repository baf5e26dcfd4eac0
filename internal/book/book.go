// Package book holds every customer's kept purchases in memory, so that a question about all of them is answered in a moment: the book
// of business. It is read from the windows in Redis and kept up with leadline.state, from the place on that the windows had reached; segments
// come from the profiles on customers.
//
// It guarantees that what it answers is exactly what the shards had committed at the commits that it names, that it says so while it does
// not know, and that a Redis that is empty, behind or of another cluster costs time and nothing else: the topic alone suffices. A customer takes
// about 170 bytes and its name, five for each purchase day and four for each category on it (package declining's History); those count who have a window or a
// profile. It decides nothing, writes nothing, and is not the place to look up one customer (state is). Beside it stands every published link
// (Links), for the same kind of question. Package desk and the commands import it.
package book

import (
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"

	"leadline/internal/declining"
	"leadline/internal/engine"
	"leadline/internal/sales"
	"leadline/internal/window"
)

// edition is all shards as they were read together.
type edition struct {
	shards   []*shard
	segments *segments
}

func newEdition(partitions int32) *edition {
	e := &edition{segments: newSegments()}
	for p := range partitions {
		e.shards = append(e.shards, newShard(p))
	}
	return e
}

func newShard(p int32) *shard {
	return &shard{partition: p, items: window.NewItems(), at: map[string]int32{}, names: map[string]string{}}
}

// shard is the customers of one partition. Readers hold mu while they count, so that a page is of one commit.
type shard struct {
	partition int32

	mu        sync.RWMutex
	items     *window.Items
	customers []*declining.Customer
	at        map[string]int32  // by id
	names     map[string]string // owners and currencies, each kept once
	csn       int64
	committed sales.Millis // when, as Kafka says; 0 = before this was read
	newest    sales.Day    // how far any customer's own time has come: nobody's window was trimmed by a later day
	reader    engine.Reader
	packer    declining.Packer
}

// take takes in a customer's blob, nil for a customer of whom nothing is kept any more.
func (s *shard) take(id string, blob []byte) error {
	if blob == nil {
		s.change(id, func(c *declining.Customer) { c.OwnerID, c.Currency, c.Last, c.History = "", "", 0, "" })
		return nil
	}
	c, err := s.reader.Read(blob, s.items)
	if err != nil {
		return err
	}
	s.put(id, packed{day: c.Day, owner: c.Owner(), currency: c.Window.Currency(), last: c.Window.Last().Event, history: s.packer.Pack(&c.Window, s.items)})
	return nil
}

// packed is what is kept of a blob.
type packed struct {
	day             sales.Day
	owner, currency string
	last            uint64
	history         declining.History
}

func (s *shard) put(id string, p packed) {
	s.newest = max(s.newest, p.day)
	s.change(id, func(c *declining.Customer) {
		c.OwnerID, c.Currency, c.Last, c.History = s.name(p.owner), s.name(p.currency), p.last, p.history
	})
}

// change makes a new version of a customer: the old one may be on a list. One of whom nothing is left goes.
func (s *shard) change(id string, do func(*declining.Customer)) {
	at, known := s.at[id]
	c := &declining.Customer{}
	if known {
		*c = *s.customers[at]
	} else {
		c.ID = strings.Clone(id)
	}
	do(c)
	left := c.History != "" || c.OwnerID != "" || c.Name != "" || len(c.Segments) > 0
	switch {
	case left && known:
		s.customers[at] = c
	case left:
		s.at[c.ID] = int32(len(s.customers))
		s.customers = append(s.customers, c)
	case known:
		last := len(s.customers) - 1
		s.customers[at] = s.customers[last]
		s.at[s.customers[at].ID] = at
		delete(s.at, id)
		s.customers[last] = nil
		s.customers = s.customers[:last]
	}
}

func (s *shard) name(text string) string {
	if kept, ok := s.names[text]; ok {
		return kept
	}
	kept := strings.Clone(text)
	s.names[kept] = kept
	return kept
}

// atOnce is how many customers one goroutine counts before it takes the next.
const atOnce = 1 << 16

// count adds all customers of the shard to parts, several at a time.
func (s *shard) count(q *declining.Question, room chan struct{}) []*declining.Part {
	number, known := s.items.FindCategory(q.Category)
	if q.Category != "" && !known {
		return nil
	}
	var parts []*declining.Part
	var wait sync.WaitGroup
	for some := range slices.Chunk(s.customers, atOnce) {
		part := declining.NewPart(q, number, len(some))
		parts = append(parts, part)
		room <- struct{}{}
		wait.Go(func() {
			defer func() { <-room }()
			for _, c := range some {
				part.Add(c)
			}
		})
	}
	wait.Wait()
	return parts
}

// count asks everybody.
func (e *edition) count(q *declining.Question) ([]*declining.Part, []Commit) {
	room := make(chan struct{}, runtime.GOMAXPROCS(0))
	parts, commits := make([][]*declining.Part, len(e.shards)), make([]Commit, len(e.shards))
	var wait sync.WaitGroup
	for i, s := range e.shards {
		wait.Go(func() {
			s.mu.RLock()
			defer s.mu.RUnlock()
			parts[i] = s.count(q, room)
			commits[i] = s.commit()
		})
	}
	wait.Wait()
	return slices.Concat(parts...), commits
}

func (s *shard) commit() Commit { return Commit{Shard: s.partition, CSN: s.csn, At: s.committed} }

// newest is how far the customers' time has come, and how many there are.
func (e *edition) newest() (day sales.Day, customers int) {
	for _, s := range e.shards {
		s.mu.RLock()
		day, customers = max(day, s.newest), customers+len(s.customers)
		s.mu.RUnlock()
	}
	return day, customers
}

// categories are all that were ever bought, by name.
func (e *edition) categories() []string {
	all := map[string]bool{}
	for _, s := range e.shards {
		s.mu.RLock()
		for c := range s.items.Categories() {
			all[s.items.CategoryName(int32(c))] = true
		}
		s.mu.RUnlock()
	}
	return slices.Sorted(maps.Keys(all))
}
