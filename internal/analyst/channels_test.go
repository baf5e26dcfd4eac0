package analyst

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/committed"
	"leadline/internal/engine"
	"leadline/internal/feedback"
	"leadline/internal/sales"
)

// week is one commit of each shard on a Sunday: everyone buys on 150 days, of which so many are of the channels.
func (w *world) week(n int32, days map[string]int64) {
	w.t.Helper()
	for shard := range shards {
		var cells []sales.Cell
		for _, row := range slices.Sorted(maps.Keys(days)) {
			cells = append(cells, sales.Cell{Row: row, Bucket: n, N: days[row]})
		}
		if n == 2_460 {
			cells = append(cells, sales.Cell{Row: engine.AttributeRow + "age=young", Col: engine.AttributeMembers, N: 100},
				sales.Cell{Row: engine.AttributeRow + "age=young", Col: feedback.OfUse, Bucket: n, N: 4},
				sales.Cell{Row: engine.AttributeRow + "age=young", Col: "won", Bucket: n, N: 1},
				sales.Cell{Row: feedback.Row(sales.CrossSell, "BREAD"), Col: feedback.OfUse, Bucket: n, N: 2},
				sales.Cell{Row: feedback.Row(sales.CrossSell, "BREAD"), Col: "won", Bucket: n, N: 1})
		}
		cells = append(cells, sales.Cell{Row: engine.PurchaseDaysRow, Bucket: int32(weekStart(n) + 3), N: 50})
		slices.SortFunc(cells, func(a, b sales.Cell) int { return placeOf(&a).compare(placeOf(&b)) })
		w.commit(shard, weekStart(n)+6, map[sales.TallyKind][]sales.Cell{sales.TallyActivity: cells})
	}
}

// channelAlerts is what was said about channels, in words.
func (w *world) channelAlerts() (said []string, alerts []sales.Alert) {
	w.t.Helper()
	cl := w.client()
	defer cl.Close()
	spans, err := committed.Whole(w.t.Context(), kadm.NewClient(cl), w.topics.channelAlerts)
	if err == nil {
		err = committed.Read(w.t.Context(), w.kafka(), spans, func(rec *kgo.Record) error {
			var a sales.Alert
			if err := w.decoder.Alert(w.t.Context(), slices.Clone(rec.Value), &a); err != nil {
				return err
			}
			if string(rec.Key) != a.SubjectID || len(rec.Headers) == 0 {
				w.t.Errorf("key %q, subject %q, %d headers", rec.Key, a.SubjectID, len(rec.Headers))
			}
			said = append(said, fmt.Sprintf("%s %d %s: %s", a.Status, a.Revision, a.SubjectID, a.Title))
			alerts = append(alerts, a)
			return nil
		})
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return said, alerts
}

// A category and the customers of an age go quiet, and the category comes back, and goes quiet again when a year is known. Each is said once, whatever restarts and however many weeks come at once:
// with the analyst stopped after every third week, and with one that reads all of it in the end.
func TestQuietChannelsAreSaidOnce(t *testing.T) {
	var all [2][]string
	for i, often := range []int32{3, 100} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			defer w.close()
			m := w.start()
			for n := int32(2_460); n < 2_550; n++ {
				days := map[string]int64{engine.CategoryRow + "BREAD": 20, engine.CategoryRow + "MILK": 30, engine.AttributeRow + "age=young": 25}
				if n >= 2_500 && n < 2_510 || n >= 2_540 {
					days[engine.CategoryRow+"BREAD"] = 1
				}
				if n >= 2_500 {
					days[engine.AttributeRow+"age=young"] = 2
				}
				w.week(n, days)
				if n%often == often-1 {
					time.Sleep(3 * time.Second)
					if err := m.stop(); err != nil {
						t.Fatal(err)
					}
					m = w.start()
				}
			}
			time.Sleep(time.Minute)
			w.checkRows()
			w.checkDays()
			said, alerts := w.channelAlerts()
			all[i] = said
			if first := alerts[1]; !slices.ContainsFunc(first.Reasons, func(r sales.Reason) bool { return r.Code == "response" && r.Value == 0.5 }) ||
				first.Score < 0.4 || first.Details.Of("expected_days") == 0 || first.Kind != sales.Channel {
				t.Errorf("%+v", first)
			}
			for i, code := range map[int]string{0: "no_year", 1: "no_year", 4: "last_year"} {
				if !slices.ContainsFunc(alerts[i].Reasons, func(r sales.Reason) bool { return r.Code == code }) {
					t.Errorf("%s: %+v", code, alerts[i])
				}
			}
			for code, value := range map[string]float64{"members": 300, "response": 0.25} {
				if !slices.ContainsFunc(alerts[0].Reasons, func(r sales.Reason) bool { return r.Code == code && r.Value == value }) {
					t.Errorf("%s: %+v", code, alerts[0])
				}
			}
			if alerts[1].AlertID == alerts[0].AlertID || !slices.ContainsFunc(alerts[2:], func(a sales.Alert) bool { return a.AlertID == alerts[1].AlertID && a.Status == sales.Resolved }) {
				t.Errorf("ids: %s", said)
			}
			if err := m.stop(); err != nil {
				t.Fatal(err)
			}
		})
	}
	want := []string{"OPENED 1 age=young", "OPENED 1 category=BREAD", "RESOLVED 2 category=BREAD", "EXPIRED 2 age=young", "OPENED 1 category=BREAD"}
	for i := range all {
		var got []string
		for _, line := range all[i] {
			got = append(got, strings.SplitN(line, ":", 2)[0])
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s\n%s", diff, strings.Join(all[i], "\n"))
		}
	}
	if diff := cmp.Diff(all[0], all[1]); diff != "" {
		t.Errorf("(-stopped all the time +read at once):\n%s", diff)
	}
}
