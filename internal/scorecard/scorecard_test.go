package scorecard

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"leadline/internal/sales"
)

func TestCardsAreValid(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Cards() {
		if err := c.Validate(); err != nil || seen[c.Name] {
			t.Errorf("%s: %v, seen %v", c.Name, err, seen[c.Name])
		}
		seen[c.Name] = true
	}
}

// drawCard is any card of a few questions.
func drawCard(t *rapid.T) *Card {
	c := &Card{Name: "any", Version: 3, Constant: rapid.Float64Range(-3, 1).Draw(t, "constant")}
	for i := range rapid.IntRange(1, 5).Draw(t, "characteristics") {
		ch := Characteristic{Name: string(rune('a' + i))}
		for at := range rapid.IntRange(0, 6).Draw(t, "cuts") {
			ch.Cuts = append(ch.Cuts, float64(at)-2.5)
		}
		for range len(ch.Cuts) + 1 {
			ch.Prior = append(ch.Prior, rapid.Float64Range(-2, 2).Draw(t, "points"))
		}
		c.Characteristics = append(c.Characteristics, ch)
	}
	return c
}

func drawAttributes(t *rapid.T, c *Card) []int {
	attributes := make([]int, len(c.Characteristics))
	for i := range attributes {
		attributes[i] = rapid.IntRange(0, len(c.Characteristics[i].Cuts)).Draw(t, "attribute")
	}
	return attributes
}

func TestCodesReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawCard(t)
		want, got := drawAttributes(t, c), make([]int, len(c.Characteristics))
		code := c.Code(want)
		if !c.Attributes(code, got) || code == 0 {
			t.Fatalf("code %d of %v is none", code, want)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

// Any number is either a code that comes back, or none.
func FuzzCodes(f *testing.F) {
	f.Add(uint64(0))
	f.Add(uint64(1))
	f.Add(uint64(123_456_789))
	f.Add(uint64(math.MaxUint64))
	f.Fuzz(func(t *testing.T, code uint64) {
		for _, c := range Cards() {
			attributes := make([]int, len(c.Characteristics))
			if c.Attributes(code, attributes) && c.Code(attributes) != code {
				t.Errorf("%s: %d is read as %v, which is %d", c.Name, code, attributes, c.Code(attributes))
			}
		}
	})
}

// Any text is either a column that comes back, or none.
func FuzzColumns(f *testing.F) {
	for _, s := range []string{"1:taken", "zz:not", "", ":taken", "0:taken", "+1:not", "1:taken:not", "ffffffffffffffffff:not"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, col string) {
		code, taken, err := ParseCol(col)
		if err == nil && (code == 0 || Col(code, taken) != col) {
			t.Errorf("%q is read as %d, %v", col, code, taken)
		}
	})
}

func TestAttributeOfAValue(t *testing.T) {
	c := Characteristic{Cuts: []float64{1, 2, 3}}
	for v, want := range map[float64]int{math.Inf(-1): 0, 0.99: 0, 1: 1, 1.5: 1, 2: 2, 2.999: 2, 3: 3, math.Inf(1): 3} {
		if got := c.Attribute(v); got != want {
			t.Errorf("%g is in bin %d, want %d", v, got, want)
		}
	}
	if got := c.Attribute(math.NaN()); got != 0 {
		t.Errorf("no number is in bin %d", got)
	}
}

func TestWrongCardsAreRefused(t *testing.T) {
	wide := Characteristic{Name: "wide", Prior: make([]float64, 1<<17)}
	for i := range 1<<17 - 1 {
		wide.Cuts = append(wide.Cuts, float64(i))
	}
	good := Characteristic{Name: "a", Cuts: []float64{1}, Prior: []float64{0, 0}}
	for name, c := range map[string]*Card{
		"no name":         {Version: 1, Characteristics: []Characteristic{good}},
		"no version":      {Name: "x", Characteristics: []Characteristic{good}},
		"nothing asked":   {Name: "x", Version: 1},
		"points missing":  {Name: "x", Version: 1, Characteristics: []Characteristic{{Name: "a", Cuts: []float64{1}, Prior: []float64{0}}}},
		"cuts descend":    {Name: "x", Version: 1, Characteristics: []Characteristic{{Name: "a", Cuts: []float64{1, 1}, Prior: []float64{0, 0, 0}}}},
		"too many codes":  {Name: "x", Version: 1, Characteristics: []Characteristic{wide, wide, wide, wide}},
		"a cut is no cut": {Name: "x", Version: 1, Characteristics: []Characteristic{{Name: "a", Cuts: []float64{math.NaN()}, Prior: []float64{0, 0}}}},
	} {
		if c.Validate() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// Sums do not depend on the order of the cells, nor on the shards that they come from.
func TestSumsMergeInAnyOrder(t *testing.T) {
	c := CrossSell()
	rapid.Check(t, func(t *rapid.T) {
		cells := rapid.SliceOf(rapid.Custom(func(t *rapid.T) sales.Cell {
			return sales.Cell{Row: c.Name, Col: Col(64*rapid.Uint64Range(1, 9).Draw(t, "code")+uint64(c.Version), rapid.Bool().Draw(t, "taken")),
				Bucket: rapid.Int32Range(2_800, 2_804).Draw(t, "week"), N: rapid.Int64Range(1, 5).Draw(t, "n")}
		})).Draw(t, "cells")
		one, other := NewSums(), NewSums()
		one.Add(cells)
		for _, i := range rapid.Permutation(indices(len(cells))).Draw(t, "order") {
			other.Add(cells[i : i+1])
		}
		day := sales.Day(7*2_803 + 1)
		if diff := cmp.Diff(one.Examples(c, day), other.Examples(c, day)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func indices(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// Customers who are not known for long are offered a step up, and what they do teaches nothing about the others.
func TestStepsUpOfNewCustomersDoNotTeach(t *testing.T) {
	c := Upsell()
	attributes := make([]int, len(c.Characteristics))
	var examples []Example
	for a := range c.Characteristics[UpsellHistory].Prior {
		attributes[UpsellHistory] = a
		examples = append(examples, Example{Code: c.Code(attributes), Taken: 50, Not: 50})
	}
	if m := Learn(c, examples); m.Examples != 200 {
		t.Errorf("learned from %g of 400 examples, want those of 120 days and more", m.Examples)
	}
	if m := Learn(c, examples[:2]); m.Examples != 0 || m.Constant != c.Constant {
		t.Errorf("learned from customers of less: %+v", m)
	}
}

// What was up in a week counts when the week is over and settled, and half as much a quarter of a year later.
func TestExamplesCountWhenTheirWeekIsOver(t *testing.T) {
	c, s := CrossSell(), NewSums()
	monday := sales.Day(19_723) // 2024-01-01
	five := 5*64 + uint64(c.Version)
	s.Add([]sales.Cell{
		{Row: c.Name, Col: Col(five, true), Bucket: monday.Week(), N: 3}, {Row: c.Name, Col: Col(five, false), Bucket: monday.Week(), N: 8},
		{Row: "gossip", Col: Col(five, true), Bucket: monday.Week(), N: 100}, {Row: c.Name, Col: "5", Bucket: monday.Week(), N: 100},
		{Row: c.Name, Col: Col(five+1, true), Bucket: monday.Week(), N: 100}, // of another version
	})
	settled := monday + 7*sales.Day(1+c.Settles)
	if got := s.Examples(c, settled-1); len(got) != 0 {
		t.Errorf("the week is not settled, and gives %v", got)
	}
	if got := s.Examples(c, settled); len(got) != 1 {
		t.Errorf("the week is settled, and gives %v", got)
	}
	want := []Example{{Code: five, Taken: 1.5, Not: 4}}
	if diff := cmp.Diff(want, s.Examples(c, monday+7*HalfLife)); diff != "" {
		t.Error(diff)
	}
}
