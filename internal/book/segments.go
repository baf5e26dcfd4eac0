package book

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"leadline/internal/declining"
)

// Bounds of what counts as a segment. An attribute with more values names customers, not groups of them, and its values would take
// memory for each customer.
const (
	mostValues     = 1_000
	mostAttributes = 100
)

// segments numbers the values of the profiles' attributes.
type segments struct {
	mu      sync.RWMutex
	numbers map[string]map[string]declining.Segment // by attribute and value; no values: there are too many
	next    declining.Segment
}

func newSegments() *segments {
	return &segments{numbers: map[string]map[string]declining.Segment{}, next: 1}
}

// of gives the numbers of a profile's attributes, in order.
func (s *segments) of(attributes map[string]string) []declining.Segment {
	if len(attributes) == 0 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]declining.Segment, 0, len(attributes))
	for _, attribute := range slices.Sorted(maps.Keys(attributes)) {
		if n := s.number(attribute, attributes[attribute]); n > 0 {
			all = append(all, n)
		}
	}
	if len(all) == 0 {
		return nil
	}
	slices.Sort(all)
	return all
}

func (s *segments) number(attribute, value string) declining.Segment {
	values, known := s.numbers[attribute]
	if !known && len(s.numbers) < mostAttributes {
		values = map[string]declining.Segment{}
		s.numbers[strings.Clone(attribute)] = values
	}
	if values == nil {
		return 0
	}
	n, known := values[value]
	switch {
	case known:
		return n
	case len(values) == mostValues:
		s.numbers[attribute] = nil
		return 0
	}
	n = s.next
	s.next++
	values[strings.Clone(value)] = n
	return n
}

// find gives a segment's number. A value that no customer has is in no profile; why says that the attribute is none to ask by.
func (s *segments) find(attribute, value string) (n declining.Segment, why string) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	values, known := s.numbers[attribute]
	switch {
	case !known && len(s.numbers) == mostAttributes:
		return 0, "only the first attributes that were seen are kept, and this is none of them"
	case !known:
		return 0, "no customer's profile has this attribute"
	case values == nil:
		return 0, "this attribute has too many values to be a segment"
	}
	if n, known = values[value]; !known {
		return nobody, ""
	}
	return n, ""
}

// nobody is in no profile.
const nobody = declining.Segment(-1)

// names lists the attributes that can be asked by.
func (s *segments) names() []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var all []string
	for name, values := range s.numbers {
		if values != nil {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return all
}
