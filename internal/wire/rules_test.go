package wire

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadline/internal/sales"
)

func TestChecks(t *testing.T) {
	long := strings.Repeat("x", 257)
	purchase := func(class sales.DeadLetterClass, reason string, change func(*sales.Purchase)) func(*testing.T) {
		return func(t *testing.T) {
			p := threeLines()
			change(p)
			if class == "" {
				if err := CheckPurchase(p); err != nil {
					t.Error(err)
				}
				return
			}
			wantPoison(t, CheckPurchase(p), class, reason)
		}
	}
	const invalid, timed = sales.DeadInvalid, sales.DeadTime
	for name, check := range map[string]func(*testing.T){
		"as it should be":          purchase("", "", func(*sales.Purchase) {}),
		"ids need not be ASCII":    purchase("", "", func(p *sales.Purchase) { p.CustomerID = "Müller, Zoë" }),
		"no order id":              purchase("", "", func(p *sales.Purchase) { p.OrderID = "" }),
		"256 bytes":                purchase("", "", func(p *sales.Purchase) { p.CustomerID = long[1:] }),
		"empty customer":           purchase(invalid, "customer_id is empty", func(p *sales.Purchase) { p.CustomerID = "" }),
		"empty event":              purchase(invalid, "event_id is empty", func(p *sales.Purchase) { p.EventID = "" }),
		"reserved customer":        purchase(invalid, "control character 0x0", func(p *sales.Purchase) { p.CustomerID = sales.ShardRecordKey }),
		"reserved category":        purchase(invalid, "category has the control character 0x1", func(p *sales.Purchase) { p.Lines[2].Category = "\x01lines" }),
		"long customer":            purchase(invalid, "257 bytes", func(p *sales.Purchase) { p.CustomerID = long }),
		"long non-ASCII customer":  purchase(invalid, "258 bytes", func(p *sales.Purchase) { p.CustomerID = strings.Repeat("ü", 129) }),
		"1970":                     purchase(timed, "before 1990", func(p *sales.Purchase) { p.OccurredAt = 0 }),
		"a moment before 1990":     purchase(timed, "before 1990", func(p *sales.Purchase) { p.OccurredAt = 631151999999 }),
		"1990":                     purchase("", "", func(p *sales.Purchase) { p.OccurredAt = 631152000000 }),
		"no lines":                 purchase(invalid, "no lines", func(p *sales.Purchase) { p.Lines = nil }),
		"quantity 0":               purchase(invalid, "lines[1].quantity is 0", func(p *sales.Purchase) { p.Lines[1].Quantity = 0 }),
		"negative quantity":        purchase(invalid, "lines[2].quantity is -3", func(p *sales.Purchase) { p.Lines[2].Quantity = -3 }),
		"negative amount":          purchase(invalid, "lines[0].amount_minor is -1", func(p *sales.Purchase) { p.Lines[0].AmountMinor = -1 }),
		"free of charge":           purchase("", "", func(p *sales.Purchase) { p.Lines[0].AmountMinor = 0 }),
		"sum overflows":            purchase(invalid, "come to more", func(p *sales.Purchase) { p.Lines[0].AmountMinor, p.Lines[1].AmountMinor = 1<<53, 1 }),
		"amount overflows":         purchase(invalid, "come to more", func(p *sales.Purchase) { p.Lines[0].AmountMinor = 1<<63 - 1 }),
		"currency in small print":  purchase(invalid, "currency", func(p *sales.Purchase) { p.Currency = "usd" }),
		"no currency":              purchase(invalid, "currency", func(p *sales.Purchase) { p.Currency = "" }),
		"two currencies":           purchase(invalid, "currency", func(p *sales.Purchase) { p.Currency = "USD,EUR" }),
		"article without an id":    purchase(invalid, "product_id is empty", func(p *sales.Purchase) { p.Lines[1].ProductID = "" }),
		"currency of three points": purchase(invalid, "currency", func(p *sales.Purchase) { p.Currency = "U$D" }),
	} {
		t.Run(name, check)
	}
}

func TestChecksOfOtherRecords(t *testing.T) {
	minus := int64(-1)
	for reason, err := range map[string]error{
		"value_minor is -1":     CheckTouchpoint(&sales.Touchpoint{EventID: "e", CustomerID: "c", OccurredAt: earliest, ValueMinor: &minus}),
		"customer_id is empty":  CheckCustomer(&sales.Customer{UpdatedAt: earliest}),
		"before 1990":           CheckOutcome(&sales.Outcome{EventID: "e", AlertID: "a", CustomerID: "c"}),
		"alert_id is empty":     CheckOutcome(&sales.Outcome{EventID: "e", CustomerID: "c", OccurredAt: earliest}),
		"until must be later":   CheckOutcome(&sales.Outcome{EventID: "e", AlertID: "a", CustomerID: "c", OccurredAt: earliest, Result: "snoozed", Until: earliest}),
		"two years after":       CheckOutcome(&sales.Outcome{EventID: "e", AlertID: "a", CustomerID: "c", OccurredAt: earliest, Result: "snoozed", Until: earliest * 2}),
		"own event_id":          CheckOutcome(&sales.Outcome{EventID: "e", AlertID: "a", CustomerID: "c", OccurredAt: earliest, Undoes: "e"}),
		"to_rep_id has":         CheckOutcome(&sales.Outcome{EventID: "e", AlertID: "a", CustomerID: "c", OccurredAt: earliest, ToRepID: "\x00"}),
		"margin is 1.5":         CheckProduct(&sales.Product{ProductID: "p", MarginShare: 1.5}),
		"tier is -1":            CheckProduct(&sales.Product{ProductID: "p", Tier: -1}),
		"ends_at is before":     CheckCampaign(&sales.Campaign{CampaignID: "c", StartsAt: earliest, EndsAt: earliest - 1}),
		`are both "a"`:          CheckIdentity(&sales.Identity{EventID: "e", FromID: "a", ToID: "a", OccurredAt: earliest}),
		"series is empty":       CheckSignal(&sales.Signal{EventID: "e", OccurredAt: earliest}),
		"contact_cost_minor is": CheckCampaign(&sales.Campaign{CampaignID: "c", StartsAt: earliest, EndsAt: earliest, ContactCostMinor: &minus}),
	} {
		var p *Poison
		if !errors.As(err, &p) || !strings.Contains(p.Reason, reason) {
			t.Errorf("got %v, want %q", err, reason)
		}
	}
}

const goodLine = `{"event_id":"e","customer_id":"c","occurred_at":"2024-03-01T12:30:00Z","order_id":"o","currency":"EUR","kind":"REFUND",` +
	`"lines":[{"product_id":"p","category":"MILK","quantity":2,"amount_minor":799}]}`

func TestFromJSON(t *testing.T) {
	want := &sales.Purchase{EventID: "e", CustomerID: "c", OccurredAt: 1709296200000, OrderID: "o", Currency: "EUR", Kind: sales.Refund,
		Lines: []sales.Line{{ProductID: "p", Category: "MILK", Quantity: 2, AmountMinor: 799}}}
	for name, line := range map[string]string{
		"as it stands in the contract": goodLine,
		"milliseconds":                 strings.Replace(goodLine, `"2024-03-01T12:30:00Z"`, `1709296200000`, 1),
		"another time zone":            strings.Replace(goodLine, `T12:30:00Z`, `T13:30:00+01:00`, 1),
		"numbers as text":              strings.Replace(goodLine, `"quantity":2,"amount_minor":799`, `"quantity":"2","amount_minor":"799"`, 1),
		"numbers with a point":         strings.Replace(goodLine, `"quantity":2,"amount_minor":799`, `"quantity":2.0,"amount_minor":7.99e2`, 1),
		"null where optional":          strings.Replace(goodLine, `"kind"`, `"store":null,"channel":null,"kind"`, 1),
	} {
		got, err := FromJSON("Purchase", []byte(line))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if d := cmp.Diff(any(want), got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
}

func TestFromJSONSaysWhatIsWrong(t *testing.T) {
	cases := []struct{ from, to, want string }{
		{`"event_id":"e",`, ``, "event_id: required field is missing"},
		{`"event_id":"e"`, `"event_id":null`, "event_id: required field is missing"},
		{`"order_id"`, `"custmer":"x","order_id"`, "custmer: unknown field"},
		{`"product_id":"p"`, `"product_id":"p","sku":1`, "lines[0].sku: unknown field"},
		{`"quantity":2`, `"quantity":"two"`, `lines[0].quantity: want a whole number, got "two"`},
		{`"quantity":2`, `"quantity":2.5`, "lines[0].quantity: want a whole number, got 2.5"},
		{`"quantity":2`, `"quantity":3000000000`, "lines[0].quantity: want a whole number of 32 bits, got 3000000000"},
		{`"quantity":2`, `"quantity":-2`, "lines[0].quantity is -2"},
		{`"2024-03-01T12:30:00Z"`, `"01.03.2024"`, `occurred_at: want a time as RFC 3339 or milliseconds since 1970, got "01.03.2024"`},
		{`"REFUND"`, `"SWAP"`, `kind: want one of [ORDER REFUND], got "SWAP"`},
		{`"currency":"EUR"`, `"currency":7`, "currency: want a string, got 7"},
		{`"lines":[`, `"lines":[7,`, "lines[0]: want an object, got 7"},
		{`"currency":"EUR"`, `"currency":"EURO"`, "currency"},
		{`"e"`, "\"\xff\"", "not UTF-8"},
		{`{"event_id"`, `[{"event_id"`, "not a JSON object"},
		{`]}`, `]} {}`, "more than one JSON object"},
		{goodLine, `null`, "not a JSON object"},
	}
	for _, c := range cases {
		line := strings.Replace(goodLine, c.from, c.to, 1)
		if line == goodLine {
			t.Fatalf("%s is not in the line", c.from)
		}
		got, err := FromJSON("Purchase", []byte(line))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %+v, %v, want %q", c.to, got, err, c.want)
		}
	}
	if _, err := FromJSON("Alert", []byte(goodLine)); err == nil {
		t.Error("an output was taken as input")
	}
	_, err := FromJSON("Customer", []byte(`{"customer_id":"c","updated_at":1709296200000,"consent":{"email":"maybe"}}`))
	if err == nil || !strings.Contains(err.Error(), "consent.email: want one of [granted denied]") {
		t.Errorf("consent: %v", err)
	}
}

// The vectors are those of Kafka's own UtilsTest.testMurmur2, and partitions that the Java client gives.
func TestPartition(t *testing.T) {
	for key, want := range map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536, "a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971, "abc": 479470107,
	} {
		if got := int32(murmur2([]byte(key))); got != want {
			t.Errorf("murmur2(%q) = %d, want %d", key, got, want)
		}
		if got := Partition([]byte(key), 12); got != (want&0x7fffffff)%12 {
			t.Errorf("Partition(%q) = %d", key, got)
		}
	}
	if got := int32(murmur2(nil)); got != 275646681 {
		t.Errorf("murmur2 of nothing = %d", got)
	}
}

func TestCloudEvent(t *testing.T) {
	got := map[string]string{}
	for _, h := range CloudEvent(&sales.Alert{AlertID: "a-1", Revision: 2, Kind: sales.CrossSell, SubjectID: "c1", DetectedAt: 1709296200250}, "/leadline") {
		got[h.Key] = string(h.Value)
	}
	want := map[string]string{"ce_specversion": "1.0", "ce_id": "a-1.2", "ce_type": "leadline.v1.alert.cross-sell", "ce_source": "/leadline",
		"ce_time": "2024-03-01T12:30:00.250Z", "ce_subject": "c1", "content-type": "application/avro"}
	if !maps.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}

func TestKeysAndTopics(t *testing.T) {
	keys := []string{Key(&sales.Purchase{CustomerID: "1"}), Key(&sales.Touchpoint{CustomerID: "2"}), Key(&sales.Customer{CustomerID: "3"}),
		Key(&sales.Product{ProductID: "4"}), Key(&sales.Campaign{CampaignID: "5"}), Key(&sales.Identity{FromID: "6", ToID: "x"}),
		Key(&sales.Signal{Series: "7"}), Key(&sales.Outcome{CustomerID: "8"})}
	if want := []string{"1", "2", "3", "4", "5", "6", "7", "8"}; !slices.Equal(keys, want) {
		t.Errorf("keys %v", keys)
	}
	if got := AlertTopic(&sales.Alert{Kind: sales.Upsell}); got != "alerts.upsell" {
		t.Error(got)
	}
	if got := AlertTopic(&sales.Alert{Kind: sales.Upsell, SuppressedBy: sales.ByHoldout}); got != "alerts.suppressed" {
		t.Error(got)
	}
}
