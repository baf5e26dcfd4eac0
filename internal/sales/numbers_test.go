package sales

import (
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// What is made of a map has each of its names once, in order, with its number, and no other.
func TestNumbersAreThoseOfTheMap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		byName := rapid.MapOf(rapid.StringN(0, 3, -1), rapid.Float64()).Draw(t, "map")
		numbers := NumbersOf(byName)
		var names []string
		for i, n := range numbers {
			names = append(names, n.Name)
			if numbers.Place(n.Name) != i || numbers.Of(n.Name) != byName[n.Name] {
				t.Fatalf("%q stands at %d of %v", n.Name, numbers.Place(n.Name), numbers)
			}
		}
		if want := slices.Sorted(maps.Keys(byName)); !slices.Equal(names, want) {
			t.Fatalf("names %q, want %q", names, want)
		}
		more := rapid.MapOf(rapid.StringN(0, 3, -1), rapid.Float64()).Draw(t, "more")
		both := maps.Clone(byName)
		maps.Copy(both, more)
		if with := numbers.With(more); !slices.Equal(with, NumbersOf(both)) {
			t.Fatalf("%v with %v is %v", numbers, more, with)
		}
		other := rapid.StringN(0, 3, -1).Draw(t, "other")
		if _, ok := byName[other]; !ok && (numbers.Place(other) != -1 || numbers.Of(other) != 0) {
			t.Fatalf("%q stands nowhere in %v", other, numbers)
		}
	})
}
