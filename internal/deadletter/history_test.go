package deadletter

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/sales"
)

// refuseAgain puts a record that was sent again into the dead letters once more, as the engine does: with all its headers.
func (w *world) refuseAgain(p int32, r *kgo.Record) {
	w.t.Helper()
	w.refuse(p, sales.DeadTime, r.Topic, string(r.Key), r.Value, r.Headers...)
}

// newest is what arrived last from the letter.
func (w *world) sentFrom(at Position) *kgo.Record {
	w.t.Helper()
	for _, r := range w.arrived(w.prefix + "purchases") {
		for _, h := range r.Headers {
			if h.Key == HeaderLetter && string(h.Value) == at.String() {
				return r
			}
		}
	}
	w.t.Fatalf("nothing was sent from letter %s", at)
	return nil
}

func places(steps []Step) (at []string) {
	for _, s := range steps {
		text := s.Position.String()
		if s.Gone {
			text += " gone"
		}
		at = append(at, text)
	}
	return at
}

// A record is refused, sent again, refused, edited, refused, sent again: every letter of it tells the whole story.
func TestHistoryOfARecordThatIsRefusedAgainAndAgain(t *testing.T) { historyOfARecord(t, setup(t)) }

func historyOfARecord(t *testing.T, w *world) {
	w.refuse(1, sales.DeadTime, w.prefix+"purchases", "other", w.purchase("other"))
	w.refuse(0, sales.DeadInvalid, w.prefix+"purchases", "ann", w.broken("ann"))
	at := []Position{{0, 0}, {1, 1}, {0, 1}}
	w.retry(Filter{At: at[:1]}, false)
	w.refuseAgain(1, w.sentFrom(at[0]))
	w.retryEdited(file(t, with(w.export()[at[1]], `"quantity":-1`, `"quantity":2`)), false)
	w.refuseAgain(0, w.sentFrom(at[1]))
	if got := w.retry(Filter{At: at[2:]}, false); got.Again != 1 || got.Sent != 1 {
		t.Errorf("report is %+v", got)
	}
	for _, from := range at {
		letter, steps, err := w.box.Find(t.Context(), from)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"0/0", "1/1", "0/1"}, places(steps)); diff != "" {
			t.Errorf("from %s: %s", from, diff)
		}
		if !letter.Sent || steps[1].Retried != 1 || steps[1].Edited != "" || steps[2].Retried != 2 || steps[2].Edited == "" || steps[2].From.String() != "1/1" {
			t.Errorf("from %s: %+v", from, steps)
		}
	}
	if last := w.sentFrom(at[2]); len(last.Headers) != 3 || string(last.Headers[0].Value) != "3" || string(last.Headers[2].Value) != fmt.Sprint(w.export()[at[2]].Edited) {
		t.Errorf("the last one carries %v", last.Headers)
	}
	if _, steps, err := w.box.Find(t.Context(), Position{1, 0}); err != nil || len(steps) != 1 {
		t.Errorf("a letter without a history: %v, %v", steps, err)
	}
}

// Producers can write Leadline's headers too, and retention takes letters.
func TestHistoriesThatLeadNowhere(t *testing.T) {
	w := setup(t)
	from := func(at string) kgo.RecordHeader { return kgo.RecordHeader{Key: HeaderLetter, Value: []byte(at)} }
	w.refuse(0, sales.DeadTime, w.prefix+"purchases", "gone", nil)
	w.refuse(0, sales.DeadTime, w.prefix+"purchases", "itself", nil, from("0/1"))
	w.refuse(0, sales.DeadTime, w.prefix+"purchases", "circle", nil, from("0/3"))
	w.refuse(0, sales.DeadTime, w.prefix+"purchases", "circle", nil, from("0/2"))
	w.refuse(0, sales.DeadTime, w.prefix+"purchases", "orphan", nil, from("0/0"))
	w.refuse(0, sales.DeadTime, w.prefix+"purchases", "spoilt", nil, from("0/x"), kgo.RecordHeader{Key: HeaderRetried, Value: []byte("-3")},
		kgo.RecordHeader{Key: HeaderEdited, Value: []byte("\x1b[2J")})
	w.retry(Filter{At: []Position{{0, 1}, {0, 2}}}, false)
	var cut kadm.Offsets
	cut.Add(kadm.Offset{Topic: w.prefix + "dead-letters", Partition: 0, At: 1})
	if _, err := kadm.NewClient(w.cl).DeleteRecords(t.Context(), cut); err != nil {
		t.Fatal(err)
	}
	for at, want := range map[int64]string{1: "0/1", 2: "0/3 0/2", 3: "0/2 0/3", 4: "0/0 gone 0/4", 5: "0/5"} {
		l, steps, err := w.box.Find(t.Context(), Position{0, at})
		if err != nil || strings.Join(places(steps), " ") != want || l.Retried != 0 || l.Edited != "" {
			t.Errorf("0/%d: %v, %v, %+v", at, places(steps), err, l)
		}
	}
}

// Whatever stands in a letter, its JSON prints and says the same when it is read again.
func TestHostileLettersPrint(t *testing.T) {
	w := setup(t)
	hostile := "a\x1b]0;owned\x07\u009b2J\x9b\x7f\u202e\x00\n"
	value, err := w.enc.AppendPurchase(nil, &sales.Purchase{EventID: "e\u009b", CustomerID: "\x1b[31m", OccurredAt: 1, OrderID: "\u202e", Currency: "EUR",
		Lines: []sales.Line{{ProductID: "\x7f"}}})
	if err != nil {
		t.Fatal(err)
	}
	w.refuse(0, sales.DeadLetterClass(hostile), hostile, hostile, value, kgo.RecordHeader{Key: hostile, Value: []byte(hostile)}, kgo.RecordHeader{Key: "null"},
		kgo.RecordHeader{Key: "leadline-reason", Value: []byte(strings.Repeat(hostile, 10_000))})
	w.refuse(0, sales.DeadNotAvro, strings.Repeat("x", 1<<19), strings.Repeat("\xff", 1<<18), []byte{0, 0, 0, 0, 7, 0xff})
	page, err := w.box.List(t.Context(), Filter{}, 10, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range page.Letters {
		l := &page.Letters[i]
		if n := len(l.Key) + len(l.Reason) + len(l.Class) + len(l.Source.Topic); n > 4_000 || l.Value != nil || l.Headers != nil {
			t.Errorf("a list holds %d bytes of letter %s", n, l.Position)
		}
		whole, history, err := w.box.Find(t.Context(), l.Position)
		if err != nil {
			t.Fatal(err)
		}
		out, err := w.box.LetterJSON(t.Context(), &whole, history)
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(out)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range string(text) {
			if r == utf8.RuneError || !strconv.IsPrint(r) {
				t.Errorf("letter %s: %q in %.300s", l.Position, r, text)
				break
			}
		}
		edits := file(t, out.Letter)
		if got := w.retryEdited(edits, true); got.Edited != 0 || got.Chosen != 1 {
			t.Errorf("read again it counts as edited: %+v", got)
		}
	}
}
