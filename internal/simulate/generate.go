package simulate

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"leadline/internal/sales"
)

// Topics are the input topics that a world has records for.
func Topics() []string {
	return []string{"products", "campaigns", "customers", "touchpoints", "purchases"}
}

// Event is one record on its way.
type Event struct {
	Topic  string
	Due    sales.Millis // when it is delivered; when it happened stands in the record
	Record any          // *sales.Purchase, *sales.Touchpoint, *sales.Customer, *sales.Product or *sales.Campaign; not to be changed
}

// Generate makes the world, calls each for every record, and tells the truth. Products and campaigns come first, then everything in the
// order of delivery. A record delivered twice is the same one twice. It ends with each's first error.
func (w World) Generate(each func(Event) error) (*Truth, error) {
	if err := w.Validate(); err != nil {
		return nil, fmt.Errorf("world: %w", err)
	}
	g := &generator{model: newModel(&w), each: each}
	g.truth, g.bought = newTruth(g.model), make([]bool, len(g.items))
	for _, p := range g.products() {
		g.queue = append(g.queue, Event{Topic: "products", Due: g.first, Record: p})
	}
	for _, k := range g.campaigns() {
		g.queue = append(g.queue, Event{Topic: "campaigns", Due: g.first, Record: k})
	}
	customers := make([]*customer, w.Customers)
	for i := range customers {
		customers[i] = g.newCustomer(i)
	}
	for day := range w.Days {
		for _, c := range customers {
			g.day(c, day)
		}
		if err := g.deliver(g.at(day+1, 0)); err != nil {
			return nil, err
		}
	}
	if err := g.deliver(math.MaxInt64); err != nil {
		return nil, err
	}
	g.truth.finish()
	return g.truth, nil
}

// generator is a world in the making.
type generator struct {
	*model
	truth  *Truth
	queue  []Event // made and not yet due
	bought []bool  // by item, on the customer's day in hand
	each   func(Event) error
}

// deliver hands over what is due before the instant. The order among events of one instant is that in which they were made, which is the
// customers'.
func (g *generator) deliver(before sales.Millis) error {
	slices.SortStableFunc(g.queue, func(a, b Event) int { return cmp.Compare(a.Due, b.Due) })
	n := 0
	for ; n < len(g.queue) && g.queue[n].Due < before; n++ {
		if err := g.each(g.queue[n]); err != nil {
			return err
		}
	}
	rest := copy(g.queue, g.queue[n:])
	clear(g.queue[rest:])
	g.queue = g.queue[:rest]
	return nil
}

// send puts an event of a customer on its way, by its own luck. What would happen after the world's end does not.
func (g *generator) send(luck *rand.Rand, topic string, at sales.Millis, record any) {
	d := g.w.Delivery
	due := at
	switch u := luck.Float64(); {
	case u < d.LateShare:
		due += sales.Millis((1 + (d.LateDays-1)*luck.Float64()) * sales.DayMillis)
	case u < d.LateShare+d.DelayedShare:
		due += sales.Millis(d.DelayMinutes * luck.Float64() * 60_000)
	}
	again := luck.Float64() < d.RepeatedShare
	repeatedAt := due + 1 + sales.Millis(3*luck.Float64()*sales.DayMillis)
	if at >= g.at(g.w.Days, 0) {
		return
	}
	g.queue = append(g.queue, Event{Topic: topic, Due: due, Record: record})
	if again {
		g.queue = append(g.queue, Event{Topic: topic, Due: repeatedAt, Record: record})
	}
}

// poisson draws by Knuth's product of uniforms, in parts, as e^-mean must not vanish.
func poisson(luck *rand.Rand, mean float64) int {
	n := 0
	for ; mean > 30; mean -= 30 {
		n += poisson(luck, 30)
	}
	limit := math.Exp(-mean)
	for product := luck.Float64(); product > limit; product *= luck.Float64() {
		n++
	}
	return n
}
