package analyst

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"leadline/internal/affinity"
	"leadline/internal/channel"
	"leadline/internal/committed"
	"leadline/internal/engine"
	"leadline/internal/feedback"
	"leadline/internal/sales"
	"leadline/internal/scorecard"
	"leadline/internal/slipping"
	"leadline/internal/wire"
	"leadline/internal/wire/wiretest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	firstDay = sales.Day(17_200)
	shards   = 3
	lateness = time.Hour
)

// rules let small worlds show links.
func rules() affinity.LinkRules {
	r := affinity.DefaultLinkRules()
	r.MinSupport, r.MaxQ = 3, 10 // few customers show little for sure
	return r
}

// world is a Kafka with shards that write tallies, all in virtual time, and the truth about them.
type world struct {
	t       *testing.T
	stack   *kfake.VirtualNetwork
	cluster *kfake.Cluster
	topics  topics
	decoder *wire.Decoder
	encoder *wire.Encoder
	engine  *kgo.Client
	random  *rand.Rand

	csn      [shards]int64
	capacity atomic.Int64                 // of reps
	keep     time.Duration                // how often analysts keep the sums of pairs
	bought   map[string][]affinity.Bought // by customer
	told     map[string][]sales.Cell      // of each, by the tally of pairs
	counts   *affinity.Counts
	offers   *scorecard.Sums
	buyers   slipping.Cells
	cells    map[string]int64 // every sum by its full name
	days     map[sales.Day]float64
	now      [shards]sales.Millis
}

func newWorld(t *testing.T, leaveOut ...string) *world {
	w := &world{t: t, stack: &kfake.VirtualNetwork{}, topics: newTopics("x."), random: rand.New(rand.NewPCG(3, 7)), keep: 1, bought: map[string][]affinity.Bought{}, told: map[string][]sales.Cell{},
		counts: affinity.NewCounts(affinity.DefaultMaxCandidates), offers: scorecard.NewSums(), buyers: slipping.Cells{}, cells: map[string]int64{}, days: map[sales.Day]float64{}}
	names := slices.DeleteFunc(append(append(w.topics.inputs(), w.topics.outputs()...), w.topics.channelAlerts), func(n string) bool { return slices.Contains(leaveOut, n) })
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(9092), kfake.ListenFn(w.stack.Listen), kfake.SeedTopics(1, names...))
	if err != nil {
		t.Fatal(err)
	}
	w.cluster = cluster
	registry := wiretest.New()
	w.decoder, w.encoder = registry.Decoder(), registry.Encoder()
	w.engine = w.client(kgo.TransactionalID("engine"), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	return w
}

func (w *world) close() {
	w.engine.Close()
	w.cluster.Close()
}

func (w *world) kafka() []kgo.Opt {
	return []kgo.Opt{kgo.SeedBrokers(w.cluster.ListenAddrs()...), kgo.Dialer(w.stack.DialContext)}
}

func (w *world) client(opts ...kgo.Opt) *kgo.Client {
	w.t.Helper()
	cl, err := kgo.NewClient(append(opts, w.kafka()...)...)
	if err != nil {
		w.t.Fatal(err)
	}
	return cl
}

// buy adds to what the customer bought, and gives what the shard tallies of it: the difference of all that it says about the customer.
func (w *world) buy(customer string, day sales.Day, items ...string) []sales.Cell {
	for _, item := range items {
		w.bought[customer] = append(w.bought[customer], affinity.Bought{Day: day, Item: item, Lines: 1, AmountMinor: 100})
	}
	next := affinity.Contribution(w.bought[customer], 180, day)
	cells := slices.Clone(next)
	for _, c := range w.told[customer] {
		c.N = -c.N
		cells = append(cells, c)
	}
	w.told[customer] = next
	return cells
}

// tallied adds up cells as a shard does.
func tallied(cells []sales.Cell) []sales.Cell {
	slices.SortFunc(cells, func(a, b sales.Cell) int { return placeOf(&a).compare(placeOf(&b)) })
	var sums []sales.Cell
	for _, c := range cells {
		if n := len(sums); n > 0 && placeOf(&sums[n-1]) == placeOf(&c) {
			sums[n-1].N += c.N
			continue
		}
		sums = append(sums, c)
	}
	return slices.DeleteFunc(sums, func(c sales.Cell) bool { return c.N == 0 })
}

// basket is this or that; every second customer begins with bread and goes on to butter.
func (w *world) basket(customer string, number int) []string {
	items := []string{fmt.Sprint("thing", w.random.IntN(12))}
	switch {
	case number%2 == 0:
	case len(w.bought[customer]) == 0:
		items = append(items, "bread")
	case w.random.IntN(3) == 0:
		items = append(items, "butter")
	}
	return items
}

// step is one commit of one shard on a day: a few customers change what they hold.
func (w *world) step(shard int, day sales.Day) {
	w.t.Helper()
	cells := map[sales.TallyKind][]sales.Cell{
		sales.TallyTiers: {{Row: "COLA", Col: "price:1", Bucket: int32(5_000 + w.random.IntN(3)), N: 1}, {Row: "COLA", Col: "eligible:1", Bucket: 7, N: 2}},
	}
	for range 6 {
		number := w.random.IntN(40)
		customer := fmt.Sprint(shard, "-", number)
		cells[sales.TallyPairs] = append(cells[sales.TallyPairs], w.buy(customer, day, w.basket(customer, number)...)...)
		cells[sales.TallyActivity] = append(cells[sales.TallyActivity], sales.Cell{Row: engine.PurchaseDaysRow, Bucket: int32(day), N: 1})
		cells[sales.TallyActivity] = append(cells[sales.TallyActivity], sales.Cell{Row: feedback.Row(sales.CrossSell, "tea"), Bucket: day.Week(), N: 1,
			Col: []string{feedback.OfUse, feedback.NotUseful, "no_answer"}[w.random.IntN(3)]})
		came := slipping.CellOf(0, []sales.Day{0, sales.Day(1 + number), sales.Day(3 * (20 + number))}, slipping.Ages[number%len(slipping.Ages)])
		cells[sales.TallyActivity] = append(cells[sales.TallyActivity], sales.Cell{Row: came.Row(), Col: came.Col(), Bucket: slipping.Block(day), N: 9})
		cells[sales.TallyExamples] = append(cells[sales.TallyExamples], sales.Cell{Row: scorecard.CrossSell().Name,
			Col: scorecard.Col(uint64(scorecard.CrossSell().Version)+64*uint64(w.random.IntN(4)), w.random.IntN(5) == 0), Bucket: day.Week() - scorecard.SettleWeeks, N: 20})
	}
	cells[sales.TallyPairs] = tallied(cells[sales.TallyPairs])
	w.commit(shard, day, cells)
}

func (w *world) commit(shard int, day sales.Day, cells map[sales.TallyKind][]sales.Cell) {
	w.t.Helper()
	w.csn[shard]++
	w.now[shard] = sales.Calendar{}.Start(day) + sales.Millis(2*lateness.Milliseconds())
	var tallies []*sales.Tally
	for _, kind := range sales.TallyKinds() {
		tallies = append(tallies, &sales.Tally{Kind: kind, Partition: int32(shard), CSN: w.csn[shard], Now: w.now[shard], Cells: cells[kind]})
		w.counts.Add(kind, cells[kind])
		if kind == sales.TallyExamples {
			w.offers.Add(cells[kind])
		}
		for _, c := range cells[kind] {
			if kind == sales.TallyPairs {
				break // counts say what is kept of them
			}
			w.cells[fmt.Sprintf("%s|%s|%s|%d", kind, c.Row, c.Col, affinity.Kept(kind, &c))] += c.N
			w.buyers.Add(&c)
			if kind == sales.TallyActivity && c.Row == engine.PurchaseDaysRow {
				w.days[sales.Day(c.Bucket)] += float64(c.N)
			}
		}
	}
	w.send(kgo.TryCommit, tallies...)
}

// send is one transaction of the engine.
func (w *world) send(end kgo.TransactionEndTry, tallies ...*sales.Tally) {
	w.t.Helper()
	if err := w.engine.BeginTransaction(); err != nil {
		w.t.Fatal(err)
	}
	for _, tally := range tallies {
		value, err := w.encoder.AppendTally(nil, tally)
		if err != nil {
			w.t.Fatal(err)
		}
		rec := &kgo.Record{Topic: w.topics.of(tally.Kind), Value: value}
		if err := w.engine.ProduceSync(w.t.Context(), rec).FirstErr(); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := w.engine.EndTransaction(w.t.Context(), end); err != nil {
		w.t.Fatal(err)
	}
}

// days lets every shard work for so many days, a second of virtual time each, with a transaction in between that comes to nothing.
func (w *world) work(from sales.Day, days int) {
	w.t.Helper()
	for day := from; day < from+sales.Day(days); day++ {
		for shard := range shards {
			w.step(shard, day)
		}
		if day%3 == 0 {
			w.send(kgo.TryAbort, &sales.Tally{Kind: sales.TallyPairs, CSN: w.csn[0] + 1, Cells: []sales.Cell{{N: 1_000}}})
		}
		time.Sleep(time.Second)
	}
}

// member is one analyst, with a network of its own that can be cut.
type member struct {
	*Analyst
	line *line
	stop func() error // ends it and gives what Run returned
	done chan struct{}
}

func (w *world) start() *member {
	l := &line{stack: w.stack}
	a := New(Config{Prefix: "x.", Lateness: lateness, Keep: w.keep, Kafka: []kgo.Opt{kgo.SeedBrokers(w.cluster.ListenAddrs()...), kgo.Dialer(l.dial)}},
		Deps{Decoder: w.decoder, Encoder: w.encoder, Rules: rules, Channels: channel.DefaultRules, Capacity: func() int { return int(w.capacity.Load()) }, Log: zap.NewNop(), Registerer: prometheus.NewRegistry()})
	ctx, cancel := context.WithCancel(context.Background())
	m := &member{Analyst: a, line: l, done: make(chan struct{})}
	var err error
	go func() {
		defer close(m.done)
		err = a.Run(ctx)
	}()
	m.stop = func() error {
		cancel()
		<-m.done
		return err
	}
	return m
}

// line is a network connection that can be cut, as kill -9 would, and mended.
type line struct {
	stack *kfake.VirtualNetwork
	mu    sync.Mutex
	down  bool
	conns []net.Conn
}

func (l *line) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := l.stack.DialContext(ctx, network, address)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil:
		return nil, err
	case l.down:
		return nil, errors.Join(errors.New("the line is down"), conn.Close())
	}
	l.conns = append(l.conns, conn)
	return conn, nil
}

func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = true
	for _, conn := range l.conns {
		_ = conn.Close()
	}
}

func (l *line) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = false
}

// kept is the newest committed value of each key of a topic; nil for a tombstone.
func (w *world) kept(topic string) map[string][]byte {
	w.t.Helper()
	cl := w.client()
	defer cl.Close()
	values := map[string][]byte{}
	spans, err := committed.Whole(w.t.Context(), kadm.NewClient(cl), topic)
	if err == nil {
		err = committed.Read(w.t.Context(), w.kafka(), spans, func(rec *kgo.Record) error {
			values[string(rec.Key)] = rec.Value
			return nil
		})
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return values
}

// check compares what the topics say with the truth.
func (w *world) check() {
	w.t.Helper()
	w.checkRows()
	w.checkLinks()
	w.checkDays()
	w.checkModels()
	w.checkWeights()
}

// checkWeights wants the one weight that follows from what was reported about tea.
func (w *world) checkWeights() {
	w.t.Helper()
	sums := map[string]int64{}
	for name, n := range w.cells {
		for _, col := range []string{feedback.OfUse, feedback.NotUseful} {
			if strings.HasPrefix(name, string(sales.TallyActivity)+"|"+feedback.Row(sales.CrossSell, "tea")+"|"+col+"|") {
				sums[col] += n
			}
		}
	}
	weights := map[string]float64{}
	for key, value := range w.kept(w.topics.forecasts) {
		var f sales.Forecast
		if err := w.decoder.Forecast(w.t.Context(), value, &f); err != nil {
			w.t.Fatal(err)
		}
		if feedback.IsSeries(f.Series) {
			weights[key] = f.Observed
		}
	}
	series, _ := feedback.Series(feedback.Row(sales.CrossSell, "tea"))
	want := map[string]float64{feedback.Key(series): feedback.Weight(sums[feedback.OfUse], sums[feedback.NotUseful])}
	if sums[feedback.NotUseful] == 0 {
		want = map[string]float64{}
	}
	if !maps.Equal(want, weights) {
		w.t.Errorf("weights are said to be %v, want %v", weights, want)
	}
}

// checkModels wants the points that follow from all examples of the weeks that are over, and no others.
func (w *world) checkModels() {
	w.t.Helper()
	reached := sales.Calendar{}.Day(slices.Min(w.now[:]))
	said := w.kept(w.topics.models)
	var published sales.Model
	learned, ok := w.buyers.Learn(reached)
	switch value, said := said[slipping.ModelName]; {
	case said != ok:
		w.t.Errorf("a population is said: %v, and there are customers to learn from: %v", said, ok)
	case ok && w.decoder.Model(w.t.Context(), value, &published) != nil, ok && !sameModel(&published, ptr(learned.Model())):
		w.t.Errorf("the population is said to be %+v, want %+v", published, learned)
	}
	for _, card := range scorecard.Cards() {
		examples := w.offers.Examples(card, reached)
		value, ok := said[card.Name]
		if ok != scorecard.Enough(examples) {
			w.t.Errorf("%s is said: %v, and there are %d examples", card.Name, ok, len(examples))
			continue
		}
		var got sales.Model
		want := scorecard.Learn(card, examples)
		if ok && w.decoder.Model(w.t.Context(), value, &got) != nil || ok && !sameModel(&got, &want) {
			w.t.Errorf("%s is said to be %+v, want %+v", card.Name, got, want)
		}
	}
}

func ptr[T any](v T) *T { return &v }

func (w *world) checkRows() {
	w.t.Helper()
	want := maps.Clone(w.cells)
	maps.DeleteFunc(want, func(_ string, n int64) bool { return n == 0 })
	for shard := range shards {
		for _, kind := range sales.TallyKinds() {
			if w.csn[shard] > 0 {
				want[fmt.Sprintf("progress|%s|csn|%d", kind, shard)] = w.csn[shard]
			}
		}
	}
	_ = w.counts.EachChanged(func(row affinity.Row) error { // all of them: they are never saved
		for i, c := range row.Cells {
			want[fmt.Sprintf("pairs|%s|%s|%d|%d", row.Name, c.Col, c.Bucket, i)] = c.N
		}
		return nil
	})
	got := map[string]int64{}
	for key, value := range w.kept(w.topics.state) {
		var row wire.KnowledgeRow
		if err := w.decoder.KnowledgeRow(w.t.Context(), value, &row); errors.Is(err, wire.ErrTombstone) {
			continue
		} else if err != nil || key != string(row.Kind)+"|"+row.Row {
			w.t.Fatalf("row %q: %v", key, err)
		}
		for i, c := range row.Cells {
			rowName := row.Row
			if row.Kind == sales.TallyExamples {
				rowName = strings.TrimSuffix(rowName, weekMark+strconv.Itoa(int(c.Bucket)))
			}
			name := fmt.Sprintf("%s|%s|%s|%d", row.Kind, rowName, c.Col, c.Bucket)
			if row.Kind == sales.TallyPairs {
				name = fmt.Sprintf("%s|%d", name, i)
			}
			if row.Kind != channelsKind && (row.Kind != progressKind || c.Col == csnCol) {
				got[name] = c.N
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.t.Errorf("sums kept (-want +got):\n%s", diff)
	}
}

func (w *world) checkLinks() {
	w.t.Helper()
	said := w.kept(w.topics.links)
	maps.DeleteFunc(said, func(_ string, value []byte) bool { return value == nil })
	links := w.counts.Links(rules(), slices.Min(w.now[:]))
	if len(links) == 0 {
		w.t.Fatal("this world has no links to compare")
	}
	for _, want := range links {
		var got sales.Link
		if err := w.decoder.Link(w.t.Context(), said[want.Key()], &got); err != nil || !same(got, want) {
			w.t.Errorf("%s is said to be %+v (%v), want %+v", want.Key(), got, err, want)
		}
		delete(said, want.Key())
	}
	for key := range said {
		w.t.Errorf("%s is said and does not hold", key)
	}
}

func (w *world) checkDays() {
	w.t.Helper()
	last := slices.Max(slices.Collect(maps.Keys(w.days)))
	complete := sales.Calendar{}.Day(slices.Min(w.now[:]) - sales.Millis(lateness.Milliseconds()))
	want := map[string]sales.Forecast{}
	for day := slices.Min(slices.Collect(maps.Keys(w.days))); day <= last; day++ {
		start := sales.Calendar{}.Start(day)
		want[fmt.Sprint(sales.ActivitySeries, "|", start)] = sales.Forecast{Series: sales.ActivitySeries, PeriodStart: start,
			PeriodEnd: sales.Calendar{}.Start(day + 1), Observed: w.days[day], Complete: day < complete}
	}
	got := map[string]sales.Forecast{}
	for key, value := range w.kept(w.topics.forecasts) {
		var f sales.Forecast
		if err := w.decoder.Forecast(w.t.Context(), value, &f); err != nil {
			w.t.Fatalf("forecast %q: %v", key, err)
		}
		if f.Series == sales.ActivitySeries {
			got[key] = f
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.t.Errorf("everyone's activity (-want +got):\n%s", diff)
	}
}
