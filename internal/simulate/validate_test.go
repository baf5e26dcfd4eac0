package simulate

import (
	"errors"
	"strings"
	"testing"
)

func TestGenerateEndsWithTheFirstError(t *testing.T) {
	stop := errors.New("disk full")
	calls := 0
	_, err := small(10, 10).Generate(func(Event) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

func TestWorldFiles(t *testing.T) {
	for text, want := range map[string]string{
		"":                                  "",
		"orders: {per_day: 0.5}":            "",
		"ordres: {}":                        "unknown field",
		"start: tomorrow":                   `start "tomorrow"`,
		"absence: {per_year: .nan}":         "absence: per_year NaN",
		"shocks: [{from: 9, to: 3}]":        "shocks[0]: from 9 to 3",
		"customers: 0":                      "customers 0",
		"prospects: {weights: {height: 1}}": `"height" is no feature`,
		"links: [{from: a, to: a, from_share: 0.1, to_share: 0.1, lift: 1, lag_days: 9, lag_shape: 2}]":     "link from a to itself",
		"links: [{from: a, to: b, from_share: 0.1, to_share: 0.2, lift: 0.5, lag_days: 9, lag_shape: 2}]":   "lift 0.5",
		"links: [{from: a, to: b, from_share: 0.1, to_share: 0.9, lift: 100, lag_days: 1, lag_shape: 100}]": "of the orders where the curves are highest",
		"tiers: [{type: ink, order_share: 0.1, ready: 1, switch: 0.1, price_ratio: 2}]":                     `tier type "ink"`,
	} {
		w, err := Parse([]byte(text))
		if err == nil {
			err = w.Validate()
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("links: []\nseason: {week: [1,2,3,4,5,6,7]}\n")
	f.Add("prospects: {touches: {page_view: 1e9}}")
	f.Fuzz(func(t *testing.T, text string) {
		w, err := Parse([]byte(text))
		if err != nil || w.Days*w.Customers > 1<<40 {
			return
		}
		w.Orders.Types, w.Days = min(w.Orders.Types, 100), min(w.Days, 100)
		_ = w.Validate() // must not panic
	})
}
