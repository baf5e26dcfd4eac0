package book

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"leadline/internal/declining"
	"leadline/internal/engine"
	"leadline/internal/sales"
	"leadline/internal/state"
	"leadline/internal/window"
	"leadline/internal/wire"
	"leadline/internal/wire/wiretest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	prefix  = "x."
	shardsN = 3
	today   = sales.Day(20_000)
)

// town is what engines leave behind: commits on leadline.state, projected to Redis as far as a test lets them; and what really happened.
type town struct {
	t       *testing.T
	kafka   []kgo.Opt
	client  *kgo.Client
	redis   redis.UniversalClient
	store   *state.Redis
	enc     *wire.Encoder
	dec     *wire.Decoder
	cluster string
	topicID string

	items     [shardsN]*window.Items
	written   [shardsN]int // items that the topic has
	metas     [shardsN]state.Meta
	customers map[string]*engine.Customer
	bought    map[string][]order // what really happened, told once more and plainly
	profiles  map[string]map[string]string
}

// order is one line of an order: the days have one order each here.
type order struct {
	day      sales.Day
	category string
	minor    int64
}

func newTown(t *testing.T) *town {
	t.Helper()
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(shardsN, prefix+"leadline.state", prefix+"customers"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	w := &town{t: t, kafka: []kgo.Opt{kgo.SeedBrokers(broker.ListenAddrs()...), kgo.DisableClientMetrics()}, customers: map[string]*engine.Customer{},
		bought: map[string][]order{}, profiles: map[string]map[string]string{}}
	w.redis = state.Dial(state.Options{Addrs: []string{miniredis.RunT(t).Addr()}})
	t.Cleanup(func() { _ = w.redis.Close() })
	w.store = state.NewRedis(w.redis, prefix)
	if w.client, err = kgo.NewClient(append(w.kafka, kgo.TransactionalID("town"), kgo.RecordPartitioner(kgo.ManualPartitioner()))...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.Close)
	registry := wiretest.New()
	w.enc, w.dec = registry.Encoder(), registry.Decoder()
	adm := kadm.NewClient(w.client)
	topics, err := adm.ListTopics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	meta, err := adm.BrokerMetadata(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	id := topics[prefix+"leadline.state"].ID
	w.cluster, w.topicID = meta.Cluster, hex.EncodeToString(id[:])
	for p := range w.items {
		w.items[p] = window.NewItems()
	}
	return w
}

func (w *town) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func shardOf(id string) int32 { return wire.Partition([]byte(id), shardsN) }

// buy lets a customer buy, without a commit.
func (w *town) buy(id string, orders ...order) {
	c := w.customers[id]
	if c == nil {
		c = &engine.Customer{OwnerID: "rep-" + id[:1]}
		w.customers[id] = c
		c.Window.SetCurrency("EUR")
	}
	for _, o := range orders {
		item, err := w.items[shardOf(id)].ID(window.Item{Category: o.category, Type: o.category})
		w.must(err)
		c.Window.Add(o.day, item, 1, o.minor)
		c.Window.AddOrder(window.Order{Day: o.day, Event: uint64(len(w.bought[id]) + 1)})
		c.Day = max(c.Day, o.day)
		w.bought[id] = append(w.bought[id], o)
	}
}

// erase lets nothing be left of a customer.
func (w *town) erase(id string) {
	delete(w.customers, id)
	delete(w.bought, id)
	delete(w.profiles, id)
}

// commit writes the customers' states in one transaction for each of their shards, as an engine does, and gives what is to be projected.
func (w *town) commit(ids ...string) (later []func()) {
	w.t.Helper()
	byShard := map[int32][]string{}
	for _, id := range ids {
		byShard[shardOf(id)] = append(byShard[shardOf(id)], id)
	}
	for _, p := range slices.Sorted(maps.Keys(byShard)) {
		later = append(later, w.commitShard(p, byShard[p]))
	}
	return later
}

func (w *town) commitShard(p int32, ids []string) (project func()) {
	w.t.Helper()
	write := state.Write{From: w.metas[p]}
	csn := w.metas[p].CSN + 1
	w.must(w.client.BeginTransaction())
	send := func(key string, value []byte) int64 {
		w.t.Helper()
		rec := &kgo.Record{Topic: prefix + "leadline.state", Partition: p, Key: []byte(key), Value: value}
		w.must(w.client.ProduceSync(w.t.Context(), rec).FirstErr())
		return rec.Offset
	}
	if run := w.items[p].AppendRun(w.written[p]); run != nil {
		send(fmt.Sprintf("%s%08x", sales.ItemsKeyPrefix, w.written[p]), run)
		write.ItemRuns = append(write.ItemRuns, engine.ItemsRun{First: int32(w.written[p]), Run: run})
		w.written[p] = w.items[p].Len()
	}
	for _, id := range ids {
		var blob []byte
		if c := w.customers[id]; c != nil {
			c.CSN = csn
			blob = engine.EncodeCustomer(nil, c)
		}
		send(id, blob)
		write.Changes = append(write.Changes, engine.Change{CustomerID: id, Blob: blob})
	}
	value, err := w.enc.AppendShardRecord(nil, &sales.ShardRecord{Partition: p, CSN: csn, Partitions: shardsN})
	w.must(err)
	last := send(sales.ShardRecordKey, value)
	w.must(w.client.EndTransaction(w.t.Context(), kgo.TryCommit))
	write.To = state.Meta{Cluster: w.cluster, TopicID: w.topicID, Generation: 1, CSN: csn, StateOffset: last + 1}
	w.metas[p] = write.To
	return func() {
		w.t.Helper()
		w.must(w.store.Apply(w.t.Context(), p, write))
	}
}

func (w *town) project(all []func()) {
	for _, one := range all {
		one()
	}
}

func (w *town) profile(id string, attributes map[string]string, headers ...kgo.RecordHeader) {
	w.t.Helper()
	var value []byte
	if attributes != nil {
		var err error
		value, err = w.enc.AppendCustomer(nil, &sales.Customer{CustomerID: id, Name: "Name of " + id, Attributes: attributes, UpdatedAt: 1e12})
		w.must(err)
	}
	if headers == nil {
		w.profiles[id] = attributes
	}
	w.must(w.client.BeginTransaction())
	w.must(w.client.ProduceSync(w.t.Context(), &kgo.Record{Topic: prefix + "customers", Partition: shardOf(id), Key: []byte(id), Value: value, Headers: headers}).FirstErr())
	w.must(w.client.EndTransaction(w.t.Context(), kgo.TryCommit))
}

func (w *town) source() Source {
	return Source{Kafka: w.kafka, Prefix: prefix, Redis: w.store, Decoder: w.dec, Log: zap.NewNop()}
}

// told is what is asked of a row.
type told struct {
	Owner, Name      string
	Recent, Baseline declining.Tally
	LastDay          sales.Day
}

// truth counts what really happened, for customers whose rate fell to nothing: what becomes of the statistics is package declining's.
func (w *town) truth(q *declining.Query) map[string]told {
	all := map[string]told{}
	for id, orders := range w.bought {
		if q.Attribute != "" && w.profiles[id][q.Attribute] != q.Value {
			continue
		}
		x := told{Owner: "rep-" + id[:1]}
		if w.profiles[id] != nil {
			x.Name = "Name of " + id
		}
		days := map[sales.Day]bool{}
		for _, o := range orders {
			if q.Category != "" && q.Category != o.category {
				continue
			}
			into := &x.Baseline
			if o.day >= q.Recent.From && o.day <= q.Recent.To {
				into = &x.Recent
			} else if o.day < q.Baseline.From || o.day > q.Baseline.To {
				into = nil
			}
			x.LastDay = max(x.LastDay, o.day)
			if into == nil {
				continue
			}
			if !days[o.day] {
				into.Days++
			}
			if q.Category == "" {
				into.Orders++
			}
			days[o.day] = true
			into.SpentMinor += o.minor
		}
		if x.Recent.Days == 0 && x.Baseline.Days > 0 {
			all[id] = x
		}
	}
	return all
}

func usualQuery() *declining.Query {
	return &declining.Query{Question: declining.Question{Baseline: declining.Window{From: today - 100, To: today - 31}, Recent: declining.Window{From: today - 30, To: today},
		HorizonDays: 90, Margin: 1}, Filter: declining.Filter{MaxQ: 1}, Sort: declining.ByP}
}

// list asks as the desk does.
func list(b *Book, q *declining.Query) (*declining.List, error) {
	f := q.Filter
	if q.Attribute != "" {
		var err error
		if f.Segment, err = b.Segment(q.Attribute, q.Value); err != nil {
			return nil, err
		}
	}
	all, _, err := b.Count(&q.Question)
	if err != nil {
		return nil, err
	}
	return all.List(q.Question, f, q.Sort), nil
}

// answer is the book's, of those who bought nothing in the recent window.
func answer(t *testing.T, b *Book, q *declining.Query) (map[string]told, error) {
	t.Helper()
	l, err := list(b, q)
	if err != nil {
		return nil, err
	}
	all := map[string]told{}
	l.Reach(l.Len())
	for i := range l.Len() {
		if r, _ := l.At(i); r.Recent.Days == 0 {
			all[r.Customer.ID] = told{r.Customer.OwnerID, r.Customer.Name, r.Recent, r.Baseline, r.LastDay}
		}
	}
	return all, nil
}

func (w *town) check(b *Book, q *declining.Query) {
	w.t.Helper()
	got, err := answer(w.t, b, q)
	if err != nil {
		w.t.Fatal(err)
	}
	if diff := cmp.Diff(w.truth(q), got); diff != "" {
		w.t.Errorf("-what happened +the book\n%s", diff)
	}
}
