package window

// Item is what a customer holds and what links lead between: a product's category, its finer type and its upsell tier,
// as the catalogue said at the time of the purchase. Type equals Category when the catalogue knows none; Tier 0 is unknown.
type Item struct {
	Category string
	Type     string
	Tier     int32
}
