package book

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/declining"
	"leadline/internal/intake"
	"leadline/internal/query"
	"leadline/internal/sales"
	"leadline/internal/state"
)

// live lets so many customers buy over the last hundred days, in three commits, and gives what was not projected of the last.
func (w *town) live(customers int, luck *rand.Rand) (notYet []func()) {
	w.t.Helper()
	var ids []string
	for i := range customers {
		ids = append(ids, fmt.Sprintf("c%d", i))
	}
	for round := range 3 {
		for i, id := range ids {
			for range luck.IntN(4) {
				day := today - 100 + sales.Day(luck.IntN(70+31*(i%2))) // every other one stops
				w.buy(id, order{day, fmt.Sprint("category ", luck.IntN(round+2)), int64(luck.IntN(5000))})
			}
		}
		w.project(notYet)
		notYet = w.commit(ids...)
	}
	return notYet
}

func (w *town) load() *Book {
	w.t.Helper()
	b := New(w.source())
	w.must(b.Load(w.t.Context()))
	return b
}

// Whatever has become of Redis, the book says what happened, and a question in a category counts lines of it only.
func TestTheBookIsWhatHappenedWhateverRedisIs(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(w *town, notYet []func()){
		"up to date":      func(w *town, notYet []func()) { w.project(notYet) },
		"a commit behind": func(*town, []func()) {},
		"empty":           func(w *town, _ []func()) { w.must(w.redis.FlushAll(w.t.Context()).Err()) },
		"away":            func(w *town, _ []func()) { w.must(w.redis.Close()) },
		"of another cluster": func(w *town, notYet []func()) {
			w.project(notYet)
			w.remeta(func(m *state.Meta) { m.Cluster = "other" })
			w.lose()
		},
		"ahead of Kafka": func(w *town, notYet []func()) {
			w.project(notYet)
			w.remeta(func(m *state.Meta) { m.StateOffset = 1 << 40 })
			w.lose()
		},
		"damaged": func(w *town, notYet []func()) { w.project(notYet); w.damage() },
		"without a meta in one shard": func(w *town, notYet []func()) {
			w.project(notYet)
			w.must(w.redis.Del(w.t.Context(), "{"+prefix+"1}meta").Err())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newTown(t)
			notYet := w.live(40, rand.New(rand.NewPCG(1, 2)))
			spoil(w, notYet)
			b := w.load()
			for _, category := range []string{"", "category 0", "category 2", "never bought"} {
				q := usualQuery()
				q.Category = category
				w.check(b, q)
			}
			if len(w.truth(usualQuery())) < 5 {
				t.Fatal("too few customers stopped: the comparison shows nothing")
			}
			if _, commits, err := b.Count(&usualQuery().Question); err != nil || len(commits) != shardsN || commits[1].CSN != 3 {
				t.Errorf("commits %+v, %v", commits, err)
			}
			if day, customers, err := b.Newest(); err != nil || day > today || day < today-20 || customers < 35 {
				t.Errorf("%d customers up to %v, %v", customers, day, err)
			}
		})
	}
}

// remeta changes the metas in Redis by hand.
func (w *town) remeta(change func(*state.Meta)) {
	w.t.Helper()
	for p := range int32(shardsN) {
		m, _, err := w.store.Meta(w.t.Context(), p)
		w.must(err)
		change(&m)
		w.must(w.redis.Set(w.t.Context(), fmt.Sprintf("{%s%d}meta", prefix, p), m.String(), 0).Err())
	}
}

// some are keys of customers in Redis.
func (w *town) some() []string {
	w.t.Helper()
	keys, err := w.redis.Keys(w.t.Context(), "*:c:c1*").Result()
	w.must(err)
	if len(keys) == 0 {
		w.t.Fatal("there are no customers in Redis")
	}
	return keys
}

// damage spoils some blobs in Redis.
func (w *town) damage() {
	w.t.Helper()
	for _, key := range w.some() {
		w.must(w.redis.SetRange(w.t.Context(), key, 12, "spoilt").Err())
	}
}

// lose takes some customers out of Redis.
func (w *town) lose() {
	w.t.Helper()
	w.must(w.redis.Del(w.t.Context(), w.some()...).Err())
}

// A question about a segment counts the profiles as they are: read before or after the windows, changed, erased, moved to another shard.
func TestSegmentsAreThoseOfTheProfiles(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.project(w.live(20, rand.New(rand.NewPCG(3, 4))))
	for i := range 20 {
		w.profile(fmt.Sprintf("c%d", i), map[string]string{"age": []string{"25-34", "35-44"}[i%2], "number": fmt.Sprint(i)})
	}
	w.profile("c1", map[string]string{"age": "25-34"})
	w.profile("c2", nil)
	w.profile("c4", nil, kgo.RecordHeader{Key: intake.RehomedHeader})
	for i := range mostValues {
		w.profile2(fmt.Sprintf("prospect %d", i), map[string]string{"number": fmt.Sprint("p", i)})
	}
	b := w.load()
	for _, value := range []string{"25-34", "35-44", "none of them"} {
		q := usualQuery()
		q.Attribute, q.Value = "age", value
		w.check(b, q)
	}
	for attribute, want := range map[string]string{"number": "too many values", "hair": "no customer's profile has this"} {
		q := usualQuery()
		q.Attribute, q.Value = attribute, "1"
		var bad *query.Bad
		if _, err := list(b, q); !errors.As(err, &bad) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", attribute, err)
		}
	}
	categories, attributes, err := b.Categories()
	if diff := cmp.Diff([][]string{{"category 0", "category 1", "category 2", "category 3"}, {"age"}}, [][]string{categories, attributes}); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

// profile2 writes a profile that the truth need not know.
func (w *town) profile2(id string, attributes map[string]string) {
	w.t.Helper()
	w.profile(id, attributes)
	delete(w.profiles, id)
}

// The book begins with the first question and keeps up: what is committed later counts, what is erased goes, what was aborted never was.
func TestTheBookKeepsUp(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.project(w.live(30, rand.New(rand.NewPCG(5, 6))))
	b := New(w.source())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Follow(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	if _, err := list(b, usualQuery()); !errors.Is(err, ErrReading) {
		t.Errorf("the first question gets %v", err)
	}
	w.eventually(b, usualQuery())
	old, err := list(b, usualQuery())
	if err != nil {
		t.Fatal(err)
	}
	before := map[string]sales.Day{}
	for i := range old.Len() {
		r, _ := old.At(i)
		before[r.Customer.ID] = r.LastDay
	}
	w.buy("c3", order{today - 60, "something new", 700})
	w.buy("newcomer", order{today - 50, "category 0", 800})
	w.erase("c5")
	w.erase("c6")
	notYet := w.commit("c3", "newcomer", "c5", "c6") // Redis may lag: the topic tells
	w.eventually(b, usualQuery())
	q := usualQuery()
	q.Category = "something new" // in another shard, which the question before may not have waited for
	w.eventually(b, q)
	w.project(notYet)
	w.profile("c3", map[string]string{"age": "1"})
	w.profile("newcomer", map[string]string{"age": "1"})
	q = usualQuery()
	q.Attribute, q.Value = "age", "1"
	w.eventually(b, q)
	for i := range old.Len() { // a list that was given does not change any more
		r, _ := old.At(i)
		if r.LastDay != before[r.Customer.ID] {
			t.Errorf("%s moved on an old list", r.Customer.ID)
		}
	}
}

// eventually waits until the book says what happened.
func (w *town) eventually(b *Book, q *declining.Query) {
	w.t.Helper()
	w.until(func() bool {
		got, err := answer(w.t, b, q)
		return err == nil && cmp.Equal(w.truth(q), got)
	}, "the book is what happened")
}

func (w *town) until(yes func() bool, what string) {
	w.t.Helper()
	for patience := time.Now().Add(30 * time.Second); !yes(); {
		if time.Now().After(patience) {
			w.t.Fatal("never: " + what)
		}
		select {
		case <-w.t.Context().Done():
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// Customers move when the topics grow: a book of fewer shards is worth nothing from then on.
func TestAGrowthIsNoticed(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.project(w.live(5, rand.New(rand.NewPCG(7, 8))))
	source := w.source()
	r, err := source.read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	value, err := w.enc.AppendShardRecord(nil, &sales.ShardRecord{CSN: 9, Partitions: shardsN + 1})
	if err != nil {
		t.Fatal(err)
	}
	rec := &kgo.Record{Topic: prefix + "leadline.state", Key: []byte(sales.ShardRecordKey), Value: value}
	if err := r.take(t.Context(), rec); !errors.Is(err, errGrown) {
		t.Errorf("%v", err)
	}
}

// Who of a category or a segment is missed most are the first customers of the list about it; a value that nobody has is nobody's.
func TestMissed(t *testing.T) {
	t.Parallel()
	w := newTown(t)
	w.project(w.live(20, rand.New(rand.NewPCG(8, 9))))
	for i := range 20 {
		w.profile(fmt.Sprintf("c%d", i), map[string]string{"age": []string{"25-34", "35-44"}[i%2]})
	}
	b := w.load()
	for _, of := range []Missed{{Category: "category 1"}, {Attribute: "age", Value: "25-34"}, {Attribute: "age", Value: "none"}, {Attribute: "hair", Value: "red"}} {
		q := usualQuery()
		q.Category, q.Attribute, q.Value = of.Category, of.Attribute, of.Value
		q.Sort, q.HorizonDays = declining.ByRisk, q.Recent.Days()
		of.Recent, of.Baseline, of.Most = q.Recent, q.Baseline, 3
		got, err := b.Missed(t.Context(), of)
		if err != nil {
			t.Fatal(err)
		}
		var want []Member
		if of.Attribute != "hair" {
			l, err := list(b, q)
			if err != nil {
				t.Fatal(err)
			}
			l.Reach(3)
			for i := range min(3, l.Len()) {
				r, _ := l.At(i)
				want = append(want, Member{r.Customer.ID, r.Customer.Name, r.Recent.Days, r.Baseline.Days})
			}
		}
		if diff := cmp.Diff(want, got); diff != "" || len(want) == 0 && of.Value != "none" && of.Attribute != "hair" {
			t.Errorf("%+v: %s", of, diff)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := New(w.source()).Missed(ctx, Missed{}); !errors.Is(err, ErrReading) || !errors.Is(err, context.Canceled) {
		t.Errorf("of a book that nobody reads: %v", err)
	}
}
