package stream

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// customer is the id of the i-th customer.
func customer(i int) string { return fmt.Sprintf("cj-%d", i) }

// Many customers buy coffee, which leads to filters: each is offered filters exactly once, with the whole envelope.
func TestPurchasesBecomeAlerts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.link("coffee", "filters")
		e := w.engine("a")
		e.ready()
		for i := range 30 {
			w.buy(customer(i), fmt.Sprintf("e-%d", i), "coffee", time.Now())
		}
		w.eventually("all purchases are read", func() bool { return e.count("events_total", "purchases") == 30 })
		e.stop()
		alerts := w.alerts()
		if len(w.said()) != 30 {
			t.Errorf("%d alerts for 30 customers", len(alerts))
		}
		for _, a := range alerts {
			if a.FromProduct != "coffee" || a.ToProduct != "filters" || a.RunID != "live" {
				t.Errorf("alert %+v", a)
			}
		}
	})
}
