package catalogue

import "math"

// Price is what one unit of size costs, in minor units of the currency.
type Price struct {
	Unit  Unit
	Minor float64 // above 0
}

// Prices are counted in buckets that are 2% wide, so that integer sums of everyone's purchases give a median within 1%.
const (
	bucketWidth  = 0.02
	bucketsASide = 5_000 // prices from e^-99 to e^99 of a minor unit: all there are
	perUnit      = 2 * bucketsASide
)

// Bucket numbers the price for counting: unit of size and logarithm in one number, so that prices per ounce and per piece
// never mix. Prices too small or great for any bucket fall into the last one on their side.
func (p Price) Bucket() int32 {
	n := int32(math.Floor(max(-bucketsASide, min(bucketsASide-1, math.Log(p.Minor)/bucketWidth))))
	return int32(p.Unit)*perUnit + bucketsASide + n
}

// PriceOf gives the middle of the bucket that Bucket named, and false for a number that it never gives.
func PriceOf(bucket int32) (Price, bool) {
	if bucket < 0 || bucket >= int32(Units)*perUnit {
		return Price{}, false
	}
	n := float64(bucket%perUnit - bucketsASide)
	return Price{Unit: Unit(bucket / perUnit), Minor: math.Exp((n + 0.5) * bucketWidth)}, true
}
