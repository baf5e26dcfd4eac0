package sales

import (
	"cmp"
	"maps"
	"slices"
)

// Numbers are named numbers, sorted by name, no name twice: a map that is a list, because an alert has some twenty of them and is said as soon as it
// is made.
type Numbers []Number

// Number is one of them.
type Number struct {
	Name  string
	Value float64
}

// NumbersOf are those of a map; none are nil.
func NumbersOf(byName map[string]float64) Numbers {
	if len(byName) == 0 {
		return nil
	}
	n := make(Numbers, 0, len(byName))
	for name, v := range byName {
		n = append(n, Number{name, v})
	}
	slices.SortFunc(n, func(a, b Number) int { return cmp.Compare(a.Name, b.Name) })
	return n
}

// With is a copy with more of them; of a name that is in both, the new number counts.
func (n Numbers) With(more map[string]float64) Numbers {
	byName := make(map[string]float64, len(n)+len(more))
	for _, one := range n {
		byName[one.Name] = one.Value
	}
	maps.Copy(byName, more)
	return NumbersOf(byName)
}

// Place is where the name stands, −1 if it does not.
func (n Numbers) Place(name string) int {
	at, ok := slices.BinarySearchFunc(n, name, func(a Number, name string) int { return cmp.Compare(a.Name, name) })
	if !ok {
		return -1
	}
	return at
}

// Of is the number of the name, 0 if there is none.
func (n Numbers) Of(name string) float64 {
	if at := n.Place(name); at >= 0 {
		return n[at].Value
	}
	return 0
}
