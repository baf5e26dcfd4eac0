package scorecard

// Cards lists the cards that are learned.
func Cards() []*Card { return []*Card{crossSell, upsell, declining} }

// CrossSell judges how likely the customer of an order takes an offered item within the offer's time. Its values are, in order:
//
//	similarity      the square root of the item's cosine to what the customer bought lately, standardised over the candidates
//	confidence      damped confidence of the best of those antecedents, standardised likewise
//	bought before   purchase days of the item before the window
//	link            log odds of the probability that the link gives the item within 30 days
//	popularity      share of customers who hold the item
//	season          how often the item comes now beside what half a year lets expect; 1 is as usual
//	price           its typical amount of a line over the customer's mean line
//	past answers    offers taken up over offers made, with one of ten in advance: 0.1 is no answer yet
//	activity        affinity.Stratum of the customer
//	history         days since the customer's first purchase: of a short history more is taken for new than is new
//	told            1 if somebody is told, 0 of what is only watched and of the control arm: what telling adds
//
// The prior points were read off one half of the customers of the Complete Journey's public half (points learned from all candidates of a year, of
// links between categories, and rounded); the other half is what they are judged by. Most is said by whether the customer has bought the item
// before the window, by its season and by the link; what is similar says little beyond that once the link is known.
func CrossSell() *Card { return crossSell }

// Places of the characteristics of CrossSell.
const (
	Similarity = iota
	DampedConfidence
	BoughtBefore
	LinkOdds
	Popularity
	Season
	PriceRatio
	PastAnswers
	Activity
	History
	Told
)

// Names of characteristics, as the details and reasons of an alert have them.
const (
	NameSimilarity   = "similarity"
	NameDamped       = "damped_confidence"
	NameBoughtBefore = "bought_before"
	NameLinkOdds     = "link_odds"
	NamePopularity   = "popularity"
	NameSeason       = "season"
	NamePrice        = "price_ratio_to_usual"
	NameRepeated     = "repeated"
	NameTierPrice    = "tier_price_ratio"
	NameAnswers      = "past_answers"
	NameActivity     = "activity"
	NameHistory      = "history"
	NameTold         = "told"
)

// MaxCharacteristics is how many CrossSell or Upsell has at most.
const MaxCharacteristics = Told + 1

// SettleWeeks is how many weeks after that in which the time of an offer, or of what is watched, was up it may take until a shard has told what
// came of it.
const SettleWeeks = 2

// Version 1 asked for the link's chance within the offer's time, which few events of a curve's first weeks tell, and not for the season; version 2 not for
// how long the customer is known, and for what telling adds.
var crossSell = valid(&Card{Name: "cross-sell", Version: 3, Constant: -4.5, Settles: SettleWeeks, Characteristics: []Characteristic{
	slope(NameSimilarity, 0.05, 0, -0.77, -0.26, 0.26, 0.77, 1.28),
	plain(NameDamped, -0.77, -0.26, 0.26, 0.77, 1.28),
	{Name: NameBoughtBefore, Cuts: []float64{1, 2, 4, 8}, Prior: []float64{0, 1.1, 1.2, 1.3, 1.4}},
	slope(NameLinkOdds, 0.6, -3, -7, -6, -5.5, -5, -4.5, -4, -3.5, -3, -2.5, -2, -1.5, -1, -0.5, 0),
	{Name: NamePopularity, Cuts: []float64{0.02, 0.05, 0.1, 0.2, 0.3, 0.5}, Prior: []float64{-0.6, -0.4, -0.15, 0.1, 0.3, 0.4, 0.5}},
	{Name: NameSeason, Cuts: []float64{0.6, 0.8, 0.9, 1.1, 1.25, 1.6, 2.2}, Prior: []float64{-0.6, -0.35, -0.15, 0, 0.15, 0.35, 0.6, 0.9}},
	plain(NamePrice, 0.5, 0.75, 1.33, 2),
	plain(NameAnswers, 0.06, 0.08, 0.095, 0.12, 0.2),
	plain(NameActivity, 6, 8, 10, 12, 14, 16, 18),
	plain(NameHistory, 60, 120, 180),
	plain(NameTold, 1),
}})

// Upsell judges how likely the customer of an order takes the offered tier within the offer's time. Its values are, in order:
//
//	link            log odds of the type's shrunken switch rate
//	repeated        days on which the lower tier was bought
//	price ratio     of the tiers' median unit prices
//	past answers    as of CrossSell
//	activity        as of CrossSell
//	history         as of CrossSell
//	told            as of CrossSell
func Upsell() *Card { return upsell }

// Places of the characteristics of Upsell.
const (
	SwitchOdds = iota
	Repeated
	TierPriceRatio
	UpsellAnswers
	UpsellActivity
	UpsellHistory
	UpsellTold
)

// Version 1 did not ask how long the customer is known, and what telling adds. Of who is known for less than 120 days much is taken for a step up that
// is none, as earlier purchases of the higher tier are not known: that teaches nothing about the others.
var upsell = valid(&Card{Name: "upsell", Version: 2, Constant: -3.4, Settles: SettleWeeks, Least: map[int]int{UpsellHistory: 2}, Characteristics: []Characteristic{
	slope(NameLinkOdds, 0.5, -2.5, -7, -6, -5, -4.5, -4, -3.5, -3, -2.5, -2, -1.5, -1, -0.5, 0),
	plain(NameRepeated, 3, 4, 6, 9),
	plain(NameTierPrice, 1.25, 1.5, 2, 3),
	plain(NameAnswers, 0.06, 0.08, 0.095, 0.12, 0.2),
	plain(NameActivity, 6, 8, 10, 12, 14, 16, 18),
	plain(NameHistory, 60, 120, 180),
	plain(NameTold, 1),
}})

// plain has no points without examples.
func plain(name string, cuts ...float64) Characteristic {
	return Characteristic{Name: name, Cuts: cuts, Prior: make([]float64, len(cuts)+1)}
}

// slope has prior points that rise with the value, from 0 at the usual one: those of the middle of each bin, and of the ends' cuts.
func slope(name string, rise, usual float64, cuts ...float64) Characteristic {
	c := plain(name, cuts...)
	last := len(cuts) - 1
	c.Prior[0], c.Prior[last+1] = rise*(cuts[0]-usual), rise*(cuts[last]-usual)
	for i := range last {
		c.Prior[i+1] = rise * ((cuts[i]+cuts[i+1])/2 - usual)
	}
	return c
}

func valid(c *Card) *Card {
	if err := c.Validate(); err != nil {
		panic(err) // a card of this program
	}
	return c
}
