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

func ask(t interface{ Fatal(...any) }, sum func(after, upTo sales.Day) float64, l *Look) [Signs]float64 {
	var signs [Signs]float64
	season := usualQuestion.NewSeason(lookDay, sum)
	if !season.Ask(l, &Usual, &signs) {
		t.Fatal("the customer has bought nothing")
	}
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
		few, many := ask(t, steady(0.1), l), ask(t, steady(7_000), l)
		unknown := ask(t, steady(0), l)
		for i := range few {
			if math.Abs(few[i]-many[i]) > 1e-9 || math.Abs(few[i]-unknown[i]) > 1e-9 {
				t.Fatalf("sign %d: %g, %g and %g by levels of activity", i, few[i], many[i], unknown[i])
			}
		}
		l.Days = append(l.Days, lookDay, lookDay+3)
		if later := ask(t, steady(0.1), l); later != few {
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
	signs := ask(t, steady(50), l)
	// 9 days in 90, so at most 1 in 30 is slipped.
	if want := halvedOdds(1, 3); math.Abs(signs[SignOdds]-want) > 0.15 || signs[SignDays] != 9 || signs[SignRecent] != 3 || signs[SignAge] != 180 ||
		math.Abs(signs[SignTrend]) > 0.2 {
		t.Errorf("signs %v, the odds of a tenth a day are %g", signs, want)
	}
	silent := *l
	silent.Days = l.Days[:len(l.Days)-4]
	silent.Ever -= 4
	if s := ask(t, steady(50), &silent); s[SignRecent] != 0 || s[SignExpected] >= signs[SignExpected]-0.2 || s[SignTrend] >= signs[SignTrend] {
		t.Errorf("silent for 50 days: %v, regular: %v", s, signs)
	}
}

// Where everybody buys less, buying less is no trend of the customer's own, and no slipping away.
func TestADownturnIsNotTheCustomers(t *testing.T) {
	split := lookDay - 1 - levelDays
	sum := func(after, upTo sales.Day) float64 { // 100 a day, and 50 in the last four weeks and from then on
		return 100*float64(max(0, min(upTo, split)-after)) + 50*float64(max(0, upTo-max(after, split)))
	}
	l := &Look{First: lookDay - 180, Ever: 30}
	for day := lookDay - 180; day <= split; day += 5 {
		l.Days = append(l.Days, day)
	}
	for day := split + 8; day < lookDay-10; day += 10 { // half as often, like everybody
		l.Days = append(l.Days, day)
	}
	down, alone := ask(t, sum, l), ask(t, steady(100), l)
	if down[SignTrend] < -0.25 || alone[SignTrend] > -0.4 {
		t.Errorf("signs %v in a downturn, %v without", down, alone)
	}
	season := usualQuestion.NewSeason(lookDay, sum)
	if calm := usualQuestion.NewSeason(lookDay, steady(100)); season.Slipped(18, 2) || !calm.Slipped(18, 2) || !season.Slipped(18, 1) {
		t.Error("2 days in 30 after 18 in 90 are slipped without a downturn, and not in one of a half")
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
