package catalogue

import (
	"math"
	"regexp"
	"strconv"
	"strings"
)

// Unit is what a size is measured in. Sizes compare only within a unit.
type Unit uint8

// Each is the unit of products whose name tells no size: the price is that of one piece. Ounces count as mass unless
// the name says fluid ounces.
const (
	Each   Unit = iota
	Mass        // ounces
	Volume      // fluid ounces
	Count       // pieces in a pack
	Area        // square feet
	Units       // how many units there are
)

var unitNames = [Units]string{"each", "ounce", "fluid ounce", "piece", "square foot"}

// String gives the unit's name in the singular.
func (u Unit) String() string { return unitNames[u] }

// Size is how much is in one piece of a product. Amount is above 0.
type Size struct {
	Unit   Unit
	Amount float64
}

// measures are the words for units in product names, with what one of them is in the unit.
var measures = map[string]Size{
	"OZ": {Mass, 1}, "LB": {Mass, 16}, "LBS": {Mass, 16}, "G": {Mass, 0.035274}, "KG": {Mass, 35.274},
	"FL OZ": {Volume, 1}, "ML": {Volume, 0.033814}, "L": {Volume, 33.814}, "LTR": {Volume, 33.814}, "LITER": {Volume, 33.814},
	"PT": {Volume, 16}, "QT": {Volume, 32}, "GA": {Volume, 128}, "GAL": {Volume, 128},
	"CT": {Count, 1}, "PK": {Count, 1}, "PC": {Count, 1}, "EA": {Count, 1}, "DZ": {Count, 12},
	"LOAD": {Count, 1}, "LOADS": {Count, 1}, "LD": {Count, 1}, "LDS": {Count, 1},
	"SQ FT": {Area, 1},
}

// sizePattern finds the size at the end of a name: the packs before it ("6 PK/4 OZ", "3/3 OZ"), the number (with a fraction
// as in "13 1/2 OZ") and the measure.
var sizePattern = regexp.MustCompile(
	`(?i)(?:^|\s)(?:(\d{1,4}) ?PK[/ ]\s*|\d{1,4} ?CT/)?(?:(\d{1,4})\s+)?(?:(\d{1,4})/)?(\d{1,6}(?:\.\d{1,4})?|\.\d{1,4})\s*` +
		`(FL OZ|SQ FT|OZ|LBS?|KG|G|ML|LTR|LITER|L|PT|QT|GAL?|CT|PK|PC|EA|DZ|LOADS?|LDS?)(?: (?:BAG|BTL|CAN|PET))?$`)

// bareMeasure finds a measure without a number, which is one of it: "ORGANIC PEARS LB".
var bareMeasure = regexp.MustCompile(`(?i)\s(LB|PT|QT|GAL)$`)

// ParseSize reads the size at the end of a product's name. Without one, the size is one piece.
func ParseSize(name string) Size {
	name = strings.TrimSpace(name)
	if m := sizePattern.FindStringSubmatch(name); m != nil {
		return size(m[1], m[2], m[3], m[4], m[5])
	}
	if m := bareMeasure.FindStringSubmatch(name); m != nil {
		return measures[strings.ToUpper(m[1])]
	}
	return Size{Each, 1}
}

// size puts the parts of a size together. packs, whole and over may be empty.
func size(packs, whole, over, number, measure string) Size {
	amount := decimal(number)
	if over != "" {
		amount = slash(decimal(whole), decimal(over), amount)
	}
	if packs != "" {
		amount *= decimal(packs)
	}
	unit := measures[strings.ToUpper(measure)]
	if amount <= 0 {
		return Size{Each, 1}
	}
	return Size{unit.Unit, unit.Amount * amount}
}

// slash reads "1/2" as a half, "13 1/2" as thirteen and a half, and "3/3" or "4/187" as so many packs of that size.
func slash(whole, over, under float64) float64 {
	fraction := over < under && (under == 2 || under == 3 || under == 4 || under == 8)
	if even := math.Mod(over, 2) == 0 && math.Mod(under, 2) == 0; fraction && !even {
		return whole + over/under
	}
	return over * under
}

// decimal reads digits that the pattern has matched; nothing is 0.
func decimal(digits string) float64 {
	n, _ := strconv.ParseFloat(digits, 64)
	return n
}
