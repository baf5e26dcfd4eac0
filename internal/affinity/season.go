package affinity

// An item's season is how often it comes now, beside how often it came in the last half year. In blocks of 28 days: now is the present one and
// the one before it, half a year those two and the four before them.
const (
	seasonNow  = 2
	seasonAll  = 6
	seasonDamp = 5 // comings that say "as usual": what seldom comes has no season by chance
)

// seasons gives, by item, how often it came to customers of late over what its share of all that came in half a year lets expect: 1 is as
// usual, 2 twice as often. All comings count alike, whenever they were: what decays is what lies behind the half year. Beside all items'
// comings a time when everybody buys more is no item's season, nor is a history that has just begun.
func (j *judgement) seasons() []float64 {
	blocks := j.decay.blocks()
	count := func(places []place) (now, all float64) {
		for _, p := range places {
			if age := blocks - 1 - int(p.at)/Strata; age < seasonAll {
				all += p.n
				if age < seasonNow {
					now += p.n
				}
			}
		}
		return now, all
	}
	var everyNow, every float64
	seasons := make([]float64, len(j.items))
	for _, places := range j.come {
		now, all := count(places)
		everyNow, every = everyNow+now, every+all
	}
	share := 1.0
	if every > 0 {
		share = everyNow / every
	}
	for id, places := range j.come {
		now, all := count(places)
		seasons[id] = (max(0, now) + seasonDamp) / (max(0, all)*share + seasonDamp)
	}
	return seasons
}
