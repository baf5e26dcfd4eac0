// Package scorecard judges how likely something is by a scorecard, as credit scoring knows it: a logistic regression over binned
// characteristics, whose points are learned from counts of coded examples (N. Siddiqi, Credit Risk Scorecards, 2006; L. C. Thomas et al., Credit
// Scoring and Its Applications, 2002).
//
// A Card asks a few questions (characteristics); the answer to each falls into one bin (attribute) and has points, log odds. All
// attributes of one decision are packed into a code, which is kept with what was decided; when it ends, the code is counted as taken or not. So
// an example is as it was when it was decided, and nothing of what came later can leak into it. Sums of integers by code merge exactly, over
// shards and in any order, and Learn fits the points to them again and again.
//
// It guarantees that codes and columns read back what was written, and that the same sums give the same points. Without examples a card has its
// prior points. It is pure: no clock, no IO, no order of maps in a result. It is not where the characteristics are seen (package engine), nor the keeper of
// the sums (package analyst).
package scorecard

import (
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"slices"
)

// Card is the definition of a scorecard. Whatever changes in it changes Version: examples of another version do not count.
type Card struct {
	Name            string
	Version         int32
	Constant        float64 // log odds without examples, all characteristics as usual
	Characteristics []Characteristic
	Settles         int32       // weeks after theirs in which examples may still be told: younger ones do not count
	Least           map[int]int // by characteristic, its least attribute of which examples teach; the others are answered and do not teach

	// Neighbours is how near to each other's deviation neighbours are expected, as a precision; 0: within a fifth. It is higher where
	// examples tell less than they are many, being of the same customers again and again.
	Neighbours float64
}

// Characteristic is one question and the bins of its answers.
type Characteristic struct {
	Name  string
	Cuts  []float64 // ascending: attribute i is that of the values which have i of them at or below
	Prior []float64 // points of each attribute without examples, against what is usual: one more than cuts
}

// Attribute is the bin of a value. NaN falls into the first.
func (c *Characteristic) Attribute(v float64) int {
	n := 0
	for _, cut := range c.Cuts { // all of them: a loop that ends early takes longer, as nobody can foresee where
		if v >= cut {
			n++
		}
	}
	return n
}

// Blank is the card of somebody who knows nothing yet: no prior points but for the constant and those of the characteristic.
func (c *Card) Blank(but string) *Card {
	blank := *c
	blank.Characteristics = slices.Clone(c.Characteristics)
	for i := range blank.Characteristics {
		if ch := &blank.Characteristics[i]; ch.Name != but {
			ch.Prior = make([]float64, len(ch.Prior))
		}
	}
	return &blank
}

// Validate tells what is wrong with the definition.
func (c *Card) Validate() error {
	if c.Name == "" || c.Version < 1 || c.Version >= versions || len(c.Characteristics) == 0 {
		return fmt.Errorf("card %q version %d with %d characteristics: wants a name, a version of 1 to 63 and a characteristic", c.Name, c.Version,
			len(c.Characteristics))
	}
	codes := uint64(versions)
	for i := range c.Characteristics {
		ch := &c.Characteristics[i]
		if len(ch.Prior) != len(ch.Cuts)+1 {
			return fmt.Errorf("card %s, %s: %d cuts make %d attributes, and there are prior points of %d", c.Name, ch.Name, len(ch.Cuts), len(ch.Cuts)+1, len(ch.Prior))
		}
		for j, cut := range ch.Cuts {
			if math.IsNaN(cut) || j > 0 && cut <= ch.Cuts[j-1] {
				return fmt.Errorf("card %s, %s: cut %g is not above the one before", c.Name, ch.Name, cut)
			}
		}
		high, low := bits.Mul64(codes, uint64(len(ch.Prior)))
		if high != 0 {
			return fmt.Errorf("card %s has more codes than 64 bits", c.Name)
		}
		codes = low
	}
	return nil
}

// versions is how many versions a code tells apart: it is made under one release and read under another.
const versions = 64

// Code packs the version and one attribute of each characteristic, in mixed radix. It is never 0, which says that nothing was coded.
func (c *Card) Code(attributes []int) uint64 {
	code := uint64(0)
	for i := len(c.Characteristics) - 1; i >= 0; i-- {
		code = code*uint64(len(c.Characteristics[i].Prior)) + uint64(attributes[i])
	}
	return code*versions + uint64(c.Version)
}

// Attributes unpacks a code into the slice, one for each characteristic; false for a number that is no code of the card's version.
func (c *Card) Attributes(code uint64, into []int) bool {
	if code%versions != uint64(c.Version) {
		return false
	}
	code /= versions
	for i := range c.Characteristics {
		n := uint64(len(c.Characteristics[i].Prior))
		into[i] = int(code % n)
		code /= n
	}
	return code == 0
}

func (c *Card) teaches(attributes []int) bool {
	for characteristic, least := range c.Least {
		if attributes[characteristic] < least {
			return false
		}
	}
	return true
}

// Example is a code and how often it was taken and not, faded by age.
type Example struct {
	Code       uint64
	Taken, Not float64
}

// sorted gives those examples that are of the card and teach, by code: sums of floating-point numbers depend on their order.
func (c *Card) sorted(examples []Example) []Example {
	into := make([]int, len(c.Characteristics))
	out := slices.Clone(examples)
	out = slices.DeleteFunc(out, func(e Example) bool {
		return !(e.Taken >= 0 && e.Not >= 0 && e.Taken+e.Not > 0) || !c.Attributes(e.Code, into) || !c.teaches(into)
	})
	slices.SortFunc(out, func(a, b Example) int { return cmp.Compare(a.Code, b.Code) })
	return out
}
