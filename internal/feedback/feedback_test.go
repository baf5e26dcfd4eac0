package feedback_test

import (
	"fmt"
	"math"
	"testing"

	"leadline/internal/feedback"
	"leadline/internal/sales"
)

// A weight falls with each complaint, never rises by one, and reaches half only when as many complain as are taken for granted.
func TestWeightFallsWithComplaints(t *testing.T) {
	last := 1.0
	for complaints := range int64(100) {
		w := feedback.Weight(0, complaints)
		if complaints > 0 && w >= last || w < 0 {
			t.Fatalf("%d complaints weigh %g, one less %g", complaints, w, last)
		}
		last = w
	}
	for _, c := range []struct {
		ofUse, notUseful int64
		want             float64
	}{{0, 0, 1}, {500, 0, 1}, {0, 10, 0.5}, {0, 30, 0.25}, {30, 10, 0.8}, {-3, -1, 1}} {
		if got := feedback.Weight(c.ofUse, c.notUseful); got != c.want {
			t.Errorf("Weight(%d, %d) = %g, want %g", c.ofUse, c.notUseful, got, c.want)
		}
	}
}

func TestTableKnowsWhatWasPublished(t *testing.T) {
	series, ok := feedback.Series(feedback.Row(sales.CrossSell, "FISH|FRESH"))
	if _, other := feedback.Series("purchase-days"); !ok || other {
		t.Fatalf("series %q %t, of another row %t", series, ok, other)
	}
	table := feedback.NewTable()
	table.Set(series, 0.4)
	for _, wrong := range []float64{-1, 1.1, math.NaN(), math.Inf(1)} {
		table.Set(series, wrong)
	}
	table.Set("activity.purchase-days", 0.1)
	said := fmt.Sprint(table.Weight(sales.CrossSell, "FISH|FRESH"), table.Weight(sales.Upsell, "FISH|FRESH"), (*feedback.Table)(nil).Weight(sales.Upsell, "FISH"))
	if said != "0.4 1 1" {
		t.Errorf("weights %s", said)
	}
	if table.Delete(series); table.Weight(sales.CrossSell, "FISH|FRESH") != 1 {
		t.Error("still known after it was taken back")
	}
}
