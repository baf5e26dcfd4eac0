package replay

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"leadline/internal/sales"
)

// words are records whose key is the id and whose value is a word.
type words struct{}

func (words) item(_ context.Context, rec *kgo.Record) (item, bool, error) {
	return item{ID: string(rec.Key), Value: rec.Value, Offset: rec.Offset}, true, nil
}

func (words) same(context.Context, []byte, []byte) bool { return false }

func (words) counts(*scope, *item) bool { return true }

func (words) show(_ context.Context, value []byte) []byte {
	return plainJSON(map[string]string{"word": string(value)})
}

type said struct{ id, word string }

// dumb pairs the k-th live record of each id with the k-th replayed one. Live ones from until on count only where they are missed.
func dumb(live, replayed []said, until int) (compared, differ, extra, missing int) {
	for _, id := range []string{"a", "b", "c", "d"} {
		var l, r []said
		var at []int
		for i, s := range live {
			if s.id == id {
				l, at = append(l, s), append(at, i)
			}
		}
		for _, s := range replayed {
			if s.id == id {
				r = append(r, s)
			}
		}
		n := min(len(l), len(r))
		compared += n
		missing += len(r) - n
		for i := range n {
			if l[i].word != r[i].word {
				differ++
			}
		}
		for _, i := range at[n:] {
			if i < until {
				extra++
			}
		}
	}
	return compared, differ, extra, missing
}

// The ledger, which sees each record once and forgets what has matched, comes to what the dumb comparison of everything says.
func TestLedgerAgainstADumbOne(t *testing.T) {
	one := rapid.Custom(func(t *rapid.T) said {
		return said{rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "id"), rapid.SampledFrom([]string{"x", "x", "x", "y"}).Draw(t, "word")}
	})
	rapid.Check(t, func(t *rapid.T) {
		live := rapid.SliceOfN(one, 0, 30).Draw(t, "live")
		replayed := rapid.SliceOfN(one, 0, 30).Draw(t, "replayed")
		if rapid.Bool().Draw(t, "alike") {
			replayed = append(append([]said(nil), live[:len(live)/2]...), replayed[:len(replayed)/4]...)
			replayed = append(replayed, live[len(live)/2:]...)
		}
		until := rapid.IntRange(0, len(live)).Draw(t, "until")
		var f findings
		c := &cursor{}
		for i, s := range live {
			c.fetched = append(c.fetched, &kgo.Record{Key: []byte(s.id), Value: []byte(s.word), Offset: int64(i)})
		}
		l := newLedger("topic", 0, c, int64(until), words{}, &scope{}, &f)
		for rest := replayed; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "commit")
			var items []item
			for _, s := range rest[:n] {
				items = append(items, item{ID: s.id, Value: []byte(s.word)})
			}
			if err := l.expect(t.Context(), items); err != nil {
				t.Fatal(err)
			}
			rest = rest[n:]
		}
		if err := l.settle(t.Context(), int64(len(live))); err != nil {
			t.Fatal(err)
		}
		missing, differ := 0, 0
		for _, items := range l.replayed {
			missing += len(items)
		}
		for _, g := range f.Groups {
			differ += int(g.Count)
		}
		wantCompared, wantDiffer, wantExtra, wantMissing := dumb(live, replayed, until)
		got := fmt.Sprint(l.sum.Compared, differ, len(l.extra()), missing)
		if want := fmt.Sprint(wantCompared, wantDiffer, wantExtra, wantMissing); got != want {
			t.Fatalf("compared, different, extra, missing: %s, want %s", got, want)
		}
	})
}

// A journal that leaves something out, does it twice or speaks of something else is not followed.
func TestJournalIsWhole(t *testing.T) {
	first := sales.Journal{Partition: 2, CSN: 1, Runs: []sales.Range{{Topic: "purchases", From: 10, To: 20}}}
	second := func(edit func(*sales.Journal)) sales.Journal {
		j := sales.Journal{Partition: 2, CSN: 2, Runs: []sales.Range{{Topic: "purchases", From: 20, To: 25}, {Topic: "outcomes", From: 0, To: 1}}}
		edit(&j)
		return j
	}
	for _, tc := range []struct {
		name string
		then sales.Journal
		says string
		cut  bool
	}{
		{"whole", second(func(*sales.Journal) {}), "", false},
		{"gap", second(func(j *sales.Journal) { j.Runs[0].From = 21 }), "gap: purchases-2 was read up to 20, and commit 2 goes on at 21", false},
		{"overlap", second(func(j *sales.Journal) { j.Runs[0].From = 19 }), "overlap: purchases-2 was read up to 20, and commit 2 reads again from 19", false},
		{"empty run", second(func(j *sales.Journal) { j.Runs[0].To = 20 }), "from 20 to 20", false},
		{"gap at the beginning", second(func(j *sales.Journal) { j.Runs[1] = sales.Range{Topic: "customers", From: 7, To: 8} }), "gap: customers-2 begins at 5", false},
		{"input cut", second(func(j *sales.Journal) { j.Runs[1] = sales.Range{Topic: "customers", From: 3, To: 8} }), "it now begins at 5", true},
		{"commit left out", second(func(j *sales.Journal) { j.CSN = 3 }), "after commit 1 the journal has commit 3", false},
		{"commit twice", second(func(j *sales.Journal) { j.CSN = 1 }), "after commit 1 the journal has commit 1", false},
		{"another shard's", second(func(j *sales.Journal) { j.Partition = 1 }), "one of shard 1", false},
		{"no input", second(func(j *sales.Journal) { j.Runs[0].Topic = "forecasts" }), "forecasts, which is no input", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			j := &journal{at: &cursor{p: 2}, next: map[string]int64{}, begins: func(topic string) int64 {
				return map[string]int64{"purchases": 10, "customers": 5}[topic]
			}}
			if err := j.check(&first); err != nil {
				t.Fatal(err)
			}
			err := j.check(&tc.then)
			var cut *cutError
			switch {
			case tc.says == "" && err != nil:
				t.Error(err)
			case tc.says != "" && (err == nil || !strings.Contains(err.Error(), tc.says) || errors.As(err, &cut) != tc.cut):
				t.Errorf("%v, want %q", err, tc.says)
			}
		})
	}
}
