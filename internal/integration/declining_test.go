//go:build integration

package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"leadline/internal/integration/program"
	"leadline/internal/sales"
)

// order is a line of purchases.
func order(customer string, number int, at time.Time) []byte {
	return fmt.Appendf(nil, `{"event_id":"%s-%d","customer_id":"%[1]s","occurred_at":"%[3]s","order_id":"%[1]s-%[2]d","lines":[{"product_id":"p","category":"TEA",`+
		`"quantity":1,"amount_minor":500}],"currency":"EUR"}`+"\n", customer, number, at.UTC().Format(time.RFC3339))
}

// A customer has bought every third day and then nothing for 30 days, at the end of which, a midnight, nothing arrives: its silence is told then, at
// the same time as a replay tells it. Three orders that come late, the last of them of before the others, end the alert. Engines are
// killed before it, after it and at the end, and nothing is said twice.
func TestSilenceIsToldWithoutTraffic(t *testing.T) {
	in := install(t)
	in.check(os.WriteFile(in.config, []byte("rules: {explore_share: 0, holdout_share: 0}\n"), 0o600))
	zone, settings, err := program.Midnight(t.TempDir(), 12*time.Second)
	in.check(err)
	in.env = append([]string{"LEADLINE_CLOCK=live"}, settings...)
	year, month, day := time.Now().In(zone).Date()
	noon := time.Date(year, month, day, 12, 0, 0, 0, zone)
	midnight := sales.Millis(time.Date(year, month, day+1, 0, 0, 0, 0, zone).UnixMilli())

	var orders []byte
	for ago := 175; ago > 30; ago -= 3 { // 175 is a whole number of weeks: the day that ends is one of its looks
		orders = append(orders, order("anna", ago, noon.AddDate(0, 0, -ago))...)
	}
	in.send(orders)
	engine := in.start("engine")
	in.drained(engine)
	engine.Kill()
	engine = in.start("engine")
	told := func(n int) []sales.Alert {
		var alerts []sales.Alert
		within(t, limit, fmt.Sprintf("%d alerts are told", n), func() bool {
			engine.alive()
			alerts = in.alerts()
			return len(alerts) >= n
		})
		return alerts
	}
	opened := told(1)[0]
	engine.Kill()
	if opened.Status != sales.Opened || opened.CustomerID != "anna" || opened.EventTime != midnight || opened.DetectedAt < midnight {
		t.Errorf("told at the midnight %d: %+v", midnight, opened)
	}
	silent := in.deciding(opened.DetectedAt)
	if len(silent.Runs) != 0 || silent.Alerts != 1 {
		t.Errorf("the commit that told of it: %+v", silent)
	}

	engine = in.start("engine")
	for i, ago := range []int{4, 9, 20} {
		in.send(order("anna", 1_000+i, noon.AddDate(0, 0, -ago)))
	}
	told(2)
	engine.Kill()
	engine = in.start("engine")
	in.send(order("bob", 2_000, noon)) // what shows that it is at work
	in.drained(engine)
	engine.stop()
	alerts := in.alerts()
	if len(alerts) != 2 {
		t.Fatalf("%d alerts: %+v", len(alerts), alerts)
	}
	onlyOnce(t, alerts)
	back := alerts[1]
	if back.AlertID != opened.AlertID || back.Revision != 2 || back.Status != sales.Resolved || back.EventTime != sales.Millis(noon.AddDate(0, 0, -20).UnixMilli()) {
		t.Errorf("opened %+v\nended %+v", opened, back)
	}

	in.verified()
	in.must("replay", "backfill", "--to", in.prefix+"again-")
	var again sales.Alert
	in.check(in.decoder().Alert(t.Context(), in.records("again-alerts.declining")[0].Value, &again))
	if again.AlertID != opened.AlertID || again.DetectedAt != opened.DetectedAt || again.RunID == opened.RunID {
		t.Errorf("live %+v\nreplayed %+v", opened, again)
	}
	for what, record := range map[string]any{"live": opened, "in replay": again, "the commit": silent, "ended": back} {
		text, err := json.Marshal(record)
		in.check(err)
		t.Logf("%s: %s", what, text)
	}
}

// deciding is the commit of the time in which alerts were decided.
func (in *installation) deciding(now sales.Millis) (found sales.Journal) {
	in.t.Helper()
	for _, r := range in.records("leadline.journal") {
		var j sales.Journal
		in.check(in.decoder().Journal(in.t.Context(), slices.Clone(r.Value), &j))
		if j.Now == now && j.Alerts > 0 {
			found = j
		}
	}
	return found
}

// verified fails the test unless a replay takes the same decisions.
func (in *installation) verified() {
	in.t.Helper()
	if out := in.must("replay", "verify"); !strings.Contains(out, "\n0 differences") {
		in.t.Error(out)
	}
}

// quietWorld is one in which customers buy about twice a week, some decline, and nothing else happens.
const quietWorld = `{name: sim, start: "2025-01-06", days: 300, customers: 400, orders: {per_day: 0.3, shape: 3, lines: 1},
  links: [], tiers: [], campaigns: [], touches: 0, prospects: {share: 0}, absence: {per_year: 1}}
`

// Shards teach what customers were like before they slipped away, the analyst makes points of that, and the shards say by these points who slips away now:
// while it is killed, once, and as a replay says it.
func TestThePushSpeaks(t *testing.T) {
	in := install(t)
	world := t.TempDir()
	file := filepath.Join(world, "world.yaml")
	in.check(os.WriteFile(file, []byte(quietWorld), 0o600))
	in.must("simulate", "--out", world, "--world", file)
	before, after := in.cutAt(filepath.Join(world, "sim.purchases.jsonl.gz"), "2025-08-20")

	running := in.start("run")
	in.send(before)
	within(t, limit, "points are learned", func() bool {
		running.alive()
		for _, r := range in.records("leadline.models") {
			if string(r.Key) == "declining" {
				return true
			}
		}
		return false
	})
	in.drained(running)
	loading := in.command(binary, "load", "--topic", "purchases", "--rate", "4000", "-")
	loading.Stdin = bytes.NewReader(after)
	in.check(loading.Start())
	in.advance(running, int64(bytes.Count(after, []byte("\n"))/3))
	running.Kill()
	running = in.start("run")
	in.check(loading.Wait())
	in.drained(running)
	running.stop()

	alerts := in.alerts()
	onlyOnce(t, alerts)
	slipping := slices.DeleteFunc(alerts, func(a sales.Alert) bool {
		return a.Status != sales.Opened || a.Kind != sales.Declining || a.Reasons[0].Code != "slipping_away"
	})
	if len(slipping) < 5 {
		t.Errorf("%d customers are said to be slipping away", len(slipping))
	}
	for _, a := range slipping {
		if a.Score < 0.4 || a.Details.Of("probability") < 0.5 {
			t.Errorf("%+v", a)
		}
	}
	in.verified()
}

// cutAt divides the purchases of a world by the day on which they happened.
func (in *installation) cutAt(file, day string) (before, after []byte) {
	in.t.Helper()
	packed, err := os.Open(file)
	in.check(err)
	defer packed.Close()
	unzip, err := gzip.NewReader(packed)
	in.check(err)
	var text bytes.Buffer
	_, err = text.ReadFrom(unzip)
	in.check(err)
	for line := range bytes.Lines(text.Bytes()) {
		var purchase struct {
			OccurredAt string `json:"occurred_at"`
		}
		in.check(json.Unmarshal(line, &purchase))
		if purchase.OccurredAt < day {
			before = append(before, line...)
		} else {
			after = append(after, line...)
		}
	}
	return before, after
}
