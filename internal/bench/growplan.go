package bench

import (
	"fmt"
	"slices"
)

// The curves of growth: what an order costs against one thing at a time.
const (
	CustomersCurve  = "customers"
	DensityCurve    = "density"
	PartitionsCurve = "partitions"
	LinksCurve      = "links"
)

// Curves are all of them.
func Curves() []string { return []string{CustomersCurve, DensityCurve, PartitionsCurve, LinksCurve} }

// Point is what is measured at one place of a curve, as a tenant of its own.
type Point struct {
	Curve      string `json:"curve"`
	Customers  int    `json:"customers"`
	Density    int    `json:"orders_a_window"` // of each customer, in 180 days
	Partitions int32  `json:"partitions"`
	Links      int    `json:"links"`
}

// At is the place on the curve.
func (p Point) At() float64 {
	switch p.Curve {
	case CustomersCurve:
		return float64(p.Customers)
	case DensityCurve:
		return float64(p.Density)
	case PartitionsCurve:
		return float64(p.Partitions)
	default:
		return float64(p.Links)
	}
}

// Places are where each curve is measured.
type Places struct {
	Customers, Densities, Partitions, Links []int
}

const (
	usualCustomers  = 20_000 // of the points of other curves
	usualDensity    = 10
	usualPartitions = 4
	usualLinks      = 200

	mostCustomers  = 9_999_999 // as customer ids have seven digits
	mostDensity    = 180
	mostPartitions = 256
	mostLinks      = categories * (categories - 1)
)

// Plan lists the points of the named curves, each curve's from the lowest up.
func Plan(curves []string, at Places) ([]Point, error) {
	var plan []Point
	for _, curve := range Curves() {
		if !slices.Contains(curves, curve) {
			continue
		}
		values, most := at.of(curve)
		values = slices.Compact(slices.Sorted(slices.Values(values)))
		if len(values) == 0 {
			return nil, fmt.Errorf("the curve %s has no point", curve)
		}
		for _, v := range values {
			if v < 1 || v > most {
				return nil, fmt.Errorf("the curve %s cannot be measured at %d: 1 to %d", curve, v, most)
			}
			plan = append(plan, point(curve, v))
		}
	}
	return plan, nil
}

func (at Places) of(curve string) (values []int, most int) {
	switch curve {
	case CustomersCurve:
		return at.Customers, mostCustomers
	case DensityCurve:
		return at.Densities, mostDensity
	case PartitionsCurve:
		return at.Partitions, mostPartitions
	default:
		return at.Links, mostLinks
	}
}

func point(curve string, v int) Point {
	p := Point{Curve: curve, Customers: usualCustomers, Density: usualDensity, Partitions: usualPartitions, Links: usualLinks}
	switch curve {
	case CustomersCurve:
		p.Customers = v
	case DensityCurve:
		p.Density = v
	case PartitionsCurve:
		p.Partitions = int32(v)
	case LinksCurve:
		p.Links = v
	}
	return p
}

// spans are what is measured at a point, one after the other, with the same customers.
func (p Point) spans() []string {
	if p.Curve == CustomersCurve {
		return []string{Warm, Rush, Cold}
	}
	return []string{Warm}
}

// brief tells whether each customer's history is one order, with as many lines as a window of orders would have. Millions of whole
// histories would take hours.
func (p Point) brief() bool { return p.Curve == CustomersCurve }
