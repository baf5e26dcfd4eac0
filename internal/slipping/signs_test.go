package slipping

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"leadline/internal/sales"
)

const lookDay = sales.Day(18_000)

var usualQuestion = Question{WindowDays: 90, HorizonDays: 30}

// steady is activity of so much every day.
func steady(level float64) func(after, upTo sales.Day) float64 {
	return func(after, upTo sales.Day) float64 { return level * float64(upTo-after) }
}

func ask(t interface{ Fatal(...any) }, sum func(after, upTo sales.Day) float64, level float64, l *Look) [Signs]float64 {
	var signs [Signs]float64
	season := usualQuestion.NewSeason(lookDay, sum, level)
	c := season.Count(l)
	if c.InWindow == 0 {
		t.Fatal("the customer has bought nothing")
	}
	season.Ask(l, &c, &Usual, &signs)
	return signs
}

func drawLook(t *rapid.T) *Look {
	l := &Look{First: lookDay - 180}
	for day := lookDay - 180; day < lookDay; day++ {
		if rapid.IntRange(0, 9).Draw(t, "bought") == 0 || day == lookDay-89 {
			l.Days = append(l.Days, day)
		}
	}
	l.First = l.Days[0] - sales.Day(rapid.IntRange(0, 400).Draw(t, "earlier"))
	l.Ever = len(l.Days) + rapid.IntRange(0, 30).Draw(t, "before")
	return l
}

// How active everyone is does not matter as long as it stays so; nor do purchases from the day on.
func TestSignsKnowNoLevelAndNoFuture(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawLook(t)
		few, many := ask(t, steady(0.1), 0.1, l), ask(t, steady(7_000), 7_000, l)
		unknown := ask(t, steady(0), 0, l)
		for i := range few {
			if math.Abs(few[i]-many[i]) > 1e-9 || math.Abs(few[i]-unknown[i]) > 1e-9 {
				t.Fatalf("sign %d: %g, %g and %g by levels of activity", i, few[i], many[i], unknown[i])
			}
		}
		l.Days = append(l.Days, lookDay, lookDay+3)
		if later := ask(t, steady(0.1), 0.1, l); later != few {
			t.Fatalf("%v, and with purchases from the day on %v", few, later)
		}
	})
}

// By steady activity the first sign is that of the rate of late, and the last ones are counts.
func TestSignsOfARegularCustomer(t *testing.T) {
	l := &Look{First: lookDay - 180, Ever: 18}
	for day := lookDay - 180; day < lookDay; day += 10 {
		l.Days = append(l.Days, day)
	}
	signs := ask(t, steady(50), 50, l)
	// 9 days in 90, so at most 1 in 30 is slipped.
	if want := halvedOdds(1, 3); math.Abs(signs[SignOdds]-want) > 0.15 || signs[SignDays] != 9 || signs[SignRecent] != 3 || signs[SignAge] != 180 ||
		math.Abs(signs[SignTrend]) > 0.2 {
		t.Errorf("signs %v, the odds of a tenth a day are %g", signs, want)
	}
	silent := *l
	silent.Days = l.Days[:len(l.Days)-4]
	silent.Ever -= 4
	if s := ask(t, steady(50), 50, &silent); s[SignRecent] != 0 || s[SignExpected] >= signs[SignExpected]-0.2 || s[SignTrend] >= signs[SignTrend] {
		t.Errorf("silent for 50 days: %v, regular: %v", s, signs)
	}
}

// When everybody buys three quarters as much, time goes three quarters as fast: who buys three quarters as often has the same signs as before, and
// the horizon takes longer.
func TestADownturnSlowsTime(t *testing.T) {
	before, now := &Look{Ever: 40}, &Look{Ever: 40}
	for n := sales.Day(28); n > 3; n-- {
		before.Days, now.Days = append(before.Days, lookDay-3*n), append(now.Days, lookDay-4*n)
	}
	before.First, now.First = before.Days[0], now.Days[0]
	a, b := ask(t, steady(100), 100, before), ask(t, steady(75), 100, now)
	for i := range a {
		if i != SignAge && math.Abs(a[i]-b[i]) > 1e-9 {
			t.Errorf("sign %d is %g, and %g when three quarters as much goes three quarters as fast", i, a[i], b[i])
		}
	}
	season, usual := usualQuestion.NewSeason(lookDay, func(after, upTo sales.Day) float64 { return 75 * float64(upTo-after) }, 100), usualQuestion.NewSeason(lookDay, steady(100), 100)
	if slow, ok := season.Back(); !ok || slow != 40 {
		t.Errorf("a horizon of 30 days takes %d at three quarters", slow)
	}
	if days, ok := usual.Back(); !ok || days != 30 || !usual.Slipped(9, 1) || usual.Slipped(9, 2) || usual.Slipped(6, 1) {
		t.Errorf("a horizon of 30 days takes %d", days)
	}
	if slump := usualQuestion.NewSeason(lookDay, steady(10), 100); slump.At() != lookDay {
		t.Error("another day")
	} else if _, ok := slump.Back(); ok {
		t.Error("a horizon of 30 days at a tenth is known within 45")
	}
}

// The rate that MBG/NBD expects is its expectation for a short time.
func TestTheExpectedRateIsThatOfAMoment(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := Buyer{Repeats: rapid.IntRange(0, 60).Draw(t, "repeats"), SeenDays: rapid.Float64Range(1, 700).Draw(t, "seen")}
		b.LastDays = rapid.Float64Range(0, b.SeenDays).Draw(t, "last")
		const moment = 1e-4
		if got, want := Usual.rate(&b), Usual.Expected(b, moment)/moment; math.Abs(got-want) > 1e-3*want {
			t.Fatalf("%+v: %g a day, in a moment %g", b, got, want)
		}
	})
}

// What was bought on the days, how the customer pauses, and touches, written out: ten days apart, dearer and of fewer kinds of late.
func TestSignsOfBasketsPausesAndTouches(t *testing.T) {
	l := &Look{First: lookDay - 100, Ever: 9}
	for day := lookDay - 100; day < lookDay-10; day += 10 {
		b := Bought{SpentMinor: 1_000, Kinds: 6}
		if day >= lookDay-30 {
			b = Bought{SpentMinor: 4_000, Kinds: 2}
		}
		l.Days, l.Bought = append(l.Days, day), append(l.Bought, b)
	}
	l.Days, l.Bought = append(l.Days, lookDay), append(l.Bought, Bought{SpentMinor: 1_000_000, Kinds: 99})
	l.Touch(sales.TouchCampaignSent, lookDay-40, lookDay)
	l.Touch(sales.TouchCall, lookDay-50, lookDay)
	l.Touch(sales.TouchPageView, lookDay-3, lookDay)
	l.Touch(sales.TouchCartAdd, lookDay, lookDay)
	signs := ask(t, steady(1), 1, l)
	usual := (7*6 + 2*2) / 9.0
	for sign, want := range map[int]float64{SignSilence: 20, SignGap: 20.0 / 15, SignUneven: 0, SignEarlier: 3, SignEver: 9, SignBasket: 150.0 / 9, SignSpent: 80,
		SignSpentWindow: 140, SignBreadth: math.Log((2*2 + 2*usual) / (4 * usual)), SignReached: 40, SignShown: 3} {
		if math.Abs(signs[sign]-want) > 1e-9 {
			t.Errorf("sign %d is %g, want %g", sign, signs[sign], want)
		}
	}
	once := ask(t, steady(1), 1, &Look{First: lookDay - 50, Ever: 1, Days: []sales.Day{lookDay - 50}, Bought: []Bought{{}}, Reached: lookDay - Reach - 1})
	if once[SignReached] != NotTouched || once[SignShown] != NotTouched || once[SignBreadth] != 0 || once[SignUneven] != 1 || once[SignGap] != 50.0/(noGap+5) {
		t.Errorf("of one who bought once: %v", once)
	}
}
