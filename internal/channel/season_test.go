package channel_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"

	"leadline/internal/channel"
	"leadline/internal/sales"
)

// seasonsWorld draws three years in which all seasons come again, a little earlier or later: half the channels are steady, the others have a peak for
// 6 to 20 weeks, 3 to 30 times as high as the rest of the year. Of each kind one falls to a tenth in week 40, and one in the third year, at the
// height of the season if it has one. Everybody together buys 2,000 times a week, and half as often from week 100 on.
func seasonsWorld(seed uint64) (everyone channel.Weeks, channels map[string]channel.Weeks, falls map[string]int32) {
	luck := rand.New(rand.NewPCG(seed, 1))
	draw := func(mean float64) int64 { return int64(distuv.Poisson{Lambda: mean, Src: luck}.Rand()) }
	everyone, channels, falls = channel.Weeks{}, map[string]channel.Weeks{}, map[string]int32{}
	business := func(week int32) float64 {
		if week >= 100 {
			return 0.5
		}
		return 1
	}
	for week := range int32(3 * 52) {
		everyone[week] = draw(2_000 * business(week))
	}
	for i := range 60 {
		name, usual, height, wide := fmt.Sprint("steady ", i), 8+40*luck.Float64(), 1.0, 0.0
		peak := int32(luck.IntN(52))
		if i%2 == 1 {
			name, height, wide = fmt.Sprint("season ", i), 3*math.Pow(10, luck.Float64()), 6+14*luck.Float64()
			usual /= math.Sqrt(height)
		}
		switch {
		case i < 2:
			falls[name] = 40
		case i < 4:
			falls[name] = 120
			if i%2 == 1 {
				falls[name] = 104 + peak%40
			}
		}
		days, moved := channel.Weeks{}, int32(0)
		for week := range int32(3 * 52) {
			if week%52 == 0 {
				moved = int32(luck.IntN(5)) - 2
			}
			rate := usual * business(week)
			if away := math.Remainder(float64(week-peak-moved), 52); math.Abs(away) < wide/2 {
				rate *= height
			}
			if at, fallen := falls[name]; fallen && week >= at {
				rate /= 10
			}
			days[week] = draw(rate)
		}
		channels[name] = days
	}
	return everyone, channels, falls
}

// A season's end is no alert once a year is known, and seldom one before; channels that really fall are found, seasonal ones too. Every channel that is
// named is one that fell, but for a few.
func TestSeasonsAreNoFalls(t *testing.T) {
	const worlds = 20
	r := channel.DefaultRules()
	var wrong [2]int // before a year is known, and after
	found, planted := map[string]int{}, map[string]int{}
	for seed := range uint64(worlds) {
		everyone, channels, falls := seasonsWorld(seed)
		episodes := map[string]channel.Episode{}
		named := map[string]bool{}
		for week := int32(25); week < 3*52; week++ {
			for _, s := range channel.Decide(episodes, channel.Test(everyone, channels, episodes, week, r), week, r) {
				at, fell := falls[s.Channel]
				switch {
				case s.Status != sales.Opened:
				case fell && week >= at:
					named[s.Channel] = true
				case s.LastYear < 0:
					wrong[0]++
				default:
					wrong[1]++
				}
			}
		}
		for name, at := range falls {
			kind := fmt.Sprint(name[:6], " ", at > 52)
			planted[kind]++
			if named[name] {
				found[kind]++
			}
		}
	}
	t.Logf("in %d worlds of 60 channels and three years: %d wrong alerts before a year is known and %d after; found %v of %v (true: in the third year)", worlds, wrong[0], wrong[1], found, planted)
	if wrong[0] > worlds || wrong[1] > worlds/4 {
		t.Errorf("%d and %d wrong alerts", wrong[0], wrong[1])
	}
	for _, kind := range []string{"steady false", "steady true", "season true"} {
		if 10*found[kind] < 7*planted[kind] {
			t.Errorf("%s: %d of %d found", kind, found[kind], planted[kind])
		}
	}
}
