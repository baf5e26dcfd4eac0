package analyst

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/committed"
	"leadline/internal/feedback"
	"leadline/internal/sales"
	"leadline/internal/wire"
)

// demand is one commit of each shard on a Sunday: an alert worth 100, one worth 200 and one worth 400 for rep-1.
func (w *world) demand(n int32) {
	w.t.Helper()
	for shard := range shards {
		var cells []sales.Cell
		for _, worth := range []float64{100, 200, 400} {
			cells = append(cells, sales.Cell{Row: feedback.DemandRow("rep-1"), Col: feedback.DemandCol(worth), Bucket: n, N: 1})
		}
		w.commit(shard, weekStart(n)+6, map[sales.TallyKind][]sales.Cell{sales.TallyActivity: tallied(cells)})
	}
	time.Sleep(3 * time.Second)
}

// leastWorths is all that was said about rep-1, −1 where it was taken back.
func (w *world) leastWorths() (said []float64) {
	w.t.Helper()
	cl := w.client()
	defer cl.Close()
	spans, err := committed.Whole(w.t.Context(), kadm.NewClient(cl), w.topics.forecasts)
	if err == nil {
		err = committed.Read(w.t.Context(), w.kafka(), spans, func(rec *kgo.Record) error {
			series, _ := feedback.CapacitySeries(feedback.DemandRow("rep-1"))
			var f sales.Forecast
			switch err := w.decoder.Forecast(w.t.Context(), rec.Value, &f); {
			case string(rec.Key) != feedback.Key(series):
			case rec.Value == nil:
				said = append(said, -1)
			case err != nil:
				return err
			default:
				said = append(said, f.Observed)
			}
			return nil
		})
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return said
}

// Of nine alerts a week, three of each worth, as many are said as there is room for in four weeks that are over. It is said when it changes, restarts or
// not, and taken back when there is room for all; and of weeks that do not count any more nothing is kept.
func TestRepsHaveRoomForWhatIsWorthMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.close()
		m, n := w.start(), int32(2_460)
		weeks := func(capacity int, often int32, want ...float64) {
			t.Helper()
			w.capacity.Store(int64(capacity))
			for end := n + often; n < end; n++ {
				w.demand(n)
			}
			got := w.leastWorths()
			if len(got) != len(want) {
				t.Fatalf("room for %d in week %d: %v, want about %v", capacity, n, got, want)
			}
			for i := range want {
				if got[i] < want[i] || got[i] > want[i]*1.02 {
					t.Fatalf("room for %d in week %d: %v, want about %v", capacity, n, got, want)
				}
			}
		}
		weeks(0, 6)
		weeks(4, 1, 200) // 16 of the 36
		weeks(4, 3, 200) // still
		if err := m.stop(); err != nil {
			t.Fatal(err)
		}
		m = w.start()
		weeks(4, 1, 200)
		weeks(2, 1, 200, 400)      // 8: not even all of the best
		weeks(8, 1, 200, 400, 100) // 32
		if got := w.leastWorths(); got[0] == 200 || got[1] == 400 || got[2] == 100 {
			t.Errorf("%v: those of that worth are too many", got)
		}
		var row wire.KnowledgeRow
		if err := w.decoder.KnowledgeRow(t.Context(), w.kept(w.topics.state)[string(sales.TallyActivity)+"|"+feedback.DemandRow("rep-1")], &row); err != nil {
			t.Fatal(err)
		}
		if oldest := slices.MinFunc(row.Cells, func(a, b sales.Cell) int { return int(a.Bucket - b.Bucket) }).Bucket; oldest != n-1-feedback.DemandWeeks {
			t.Errorf("the oldest week kept is %d, in week %d", oldest, n-1)
		}
		w.capacity.Store(0)
		w.demand(n)
		if got := w.leastWorths(); len(got) != 4 || got[3] != -1 {
			t.Errorf("without a bound: %v", got)
		}
		if err := m.stop(); err != nil {
			t.Fatal(err)
		}
	})
}
