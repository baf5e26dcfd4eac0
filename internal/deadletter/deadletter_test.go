package deadletter

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"leadline/internal/committed"
	"leadline/internal/embedded"
	"leadline/internal/sales"
	"leadline/internal/wire"
	"leadline/schemas"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a broker with a tenant's topics.
type world struct {
	t      *testing.T
	prefix string // of the tenant
	box    *Box
	enc    *wire.Encoder
	cl     *kgo.Client
	// asked runs when the schema registry is asked.
	asked func() error
}

// partitions of the inputs.
const partitions = 4

// ids of the schemas that this world's registry knows.
var ids = map[string]int{"purchases-value": 7, "customers-value": 8}

func (w *world) SchemaByID(_ context.Context, id int) (string, error) {
	if err := w.asked(); err != nil {
		return "", err
	}
	for subject, known := range ids {
		if id == known {
			text, _ := schemas.ForTopic(strings.TrimSuffix(subject, "-value"))
			return text, nil
		}
	}
	return "", wire.ErrUnknownSchema
}

// setup starts a world on a broker of its own.
func setup(t *testing.T) *world {
	t.Helper()
	servers, err := embedded.Start(t.Context(), embedded.Options{DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := servers.Stop(); err != nil {
			t.Error(err)
		}
	})
	return settle(t, "acme.", kgo.SeedBrokers(servers.KafkaAddr))
}

// settle makes a tenant's topics.
func settle(t *testing.T, prefix string, opts ...kgo.Opt) *world {
	t.Helper()
	cl, err := kgo.NewClient(append(opts, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.UnknownTopicRetries(-1))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	adm := kadm.NewClient(cl)
	_, err1 := adm.CreateTopics(t.Context(), partitions, 1, nil, prefix+"purchases", prefix+"customers")
	_, err2 := adm.CreateTopics(t.Context(), 2, 1, nil, prefix+"dead-letters")
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, prefix: prefix, cl: cl, enc: wire.NewEncoder(ids), asked: func() error { return nil }}
	w.box = &Box{Opts: opts, Prefix: prefix, Decoder: wire.NewDecoder(w),
		SchemaIDs: func(context.Context) (map[string]int, error) { return ids, w.asked() }}
	return w
}

// refuse writes a dead letter as the engine does.
func (w *world) refuse(p int32, class sales.DeadLetterClass, topic, key string, value []byte, headers ...kgo.RecordHeader) {
	w.t.Helper()
	for _, h := range [][2]string{{"leadline-class", string(class)}, {"leadline-reason", "because"}, {"leadline-source-topic", topic},
		{"leadline-source-partition", "1"}, {"leadline-source-offset", "42"}, {"leadline-source-timestamp", "1700000000000"}} {
		headers = append(headers, kgo.RecordHeader{Key: h[0], Value: []byte(h[1])})
	}
	rec := &kgo.Record{Topic: w.prefix + "dead-letters", Partition: p, Key: []byte(key), Value: value, Headers: headers}
	if err := w.cl.ProduceSync(w.t.Context(), rec).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) purchase(customer string) []byte {
	w.t.Helper()
	value, err := w.enc.AppendPurchase(nil, &sales.Purchase{EventID: "e", CustomerID: customer, OccurredAt: 1_700_000_000_000, OrderID: "o",
		Currency: "EUR", Lines: []sales.Line{{ProductID: "p", Category: "c", Quantity: 1, AmountMinor: 5}}})
	if err != nil {
		w.t.Fatal(err)
	}
	return value
}

func (w *world) retry(f Filter, dry bool) Report {
	w.t.Helper()
	report, err := w.box.Retry(w.t.Context(), f, dry)
	if err != nil {
		w.t.Fatal(err)
	}
	return report
}

// settled waits until the marks of ended transactions are written, which a real broker does after it said that they ended.
func (w *world) settled(topic string) {
	w.t.Helper()
	adm := kadm.NewClient(w.cl)
	for {
		stable, err1 := adm.ListCommittedOffsets(w.t.Context(), topic)
		all, err2 := adm.ListEndOffsets(w.t.Context(), topic)
		if err := errors.Join(err1, err2); err != nil {
			w.t.Fatal(err)
		}
		if cmp.Equal(stable.Offsets(), all.Offsets()) {
			return
		}
	}
}

// arrived reads all that is committed in a topic, and in which partition.
func (w *world) arrived(topic string) []*kgo.Record {
	w.t.Helper()
	w.settled(topic)
	var records []*kgo.Record
	spans, err := committed.Whole(w.t.Context(), kadm.NewClient(w.cl), topic)
	if err == nil {
		err = committed.Read(w.t.Context(), w.box.Opts, spans, func(r *kgo.Record) error {
			records = append(records, r)
			return nil
		})
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return records
}

func TestALetterIsSentOnce(t *testing.T) { aLetterIsSentOnce(t, setup(t)) }

func aLetterIsSentOnce(t *testing.T, w *world) {
	trace := kgo.RecordHeader{Key: "traceparent", Value: []byte("00-abc")}
	w.refuse(0, sales.DeadTime, w.prefix+"purchases", "ann", []byte("bytes"), trace, kgo.RecordHeader{Key: "leadline-class", Value: []byte("a producer's own")})
	w.refuse(1, sales.DeadInvalid, w.prefix+"customers", "bob", nil)

	if got := w.retry(Filter{Class: sales.DeadTime}, true); got.Sent != 1 || len(w.arrived(w.prefix+"purchases")) != 0 {
		t.Errorf("a dry retry reports %+v and sends %d", got, len(w.arrived(w.prefix+"purchases")))
	}
	want := Report{Chosen: 1, Sent: 1, Topics: map[string]int{w.prefix + "purchases": 1}}
	if diff := cmp.Diff(want, w.retry(Filter{Class: sales.DeadTime}, false)); diff != "" {
		t.Error(diff)
	}
	want = Report{Chosen: 1, Before: 1, Topics: map[string]int{}}
	if diff := cmp.Diff(want, w.retry(Filter{Class: sales.DeadTime}, false)); diff != "" {
		t.Error(diff)
	}
	want = Report{Chosen: 2, Before: 1, Sent: 1, Topics: map[string]int{w.prefix + "customers": 1}}
	if diff := cmp.Diff(want, w.retry(Filter{}, false)); diff != "" {
		t.Error(diff)
	}
	w.refuse(0, sales.DeadTime, w.prefix+"purchases", "cyd", []byte("later"))
	if got := w.retry(Filter{}, false); got.Chosen != 3 || got.Before != 2 || got.Sent != 1 {
		t.Errorf("a new letter gives %+v", got)
	}

	got := w.arrived(w.prefix + "purchases")
	if len(got) != 2 {
		t.Fatalf("%d records arrived, want 2", len(got))
	}
	for _, r := range got {
		if r.Partition != wire.Partition(r.Key, partitions) {
			t.Errorf("%s is in partition %d", r.Key, r.Partition)
		}
		if string(r.Key) == "ann" {
			headers := []kgo.RecordHeader{trace, {Key: HeaderRetried, Value: []byte("1")}, {Key: HeaderLetter, Value: []byte("0/0")}}
			if diff := cmp.Diff(headers, r.Headers); diff != "" || string(r.Value) != "bytes" {
				t.Errorf("value %q, headers %s", r.Value, diff)
			}
		}
	}
	if tombstone := w.arrived(w.prefix + "customers"); len(tombstone) != 1 || tombstone[0].Value != nil || string(tombstone[0].Key) != "bob" {
		t.Errorf("the tombstone arrived as %v", tombstone)
	}
}

func TestARecordRefusedAgainIsCounted(t *testing.T) {
	w := setup(t)
	w.refuse(0, sales.DeadTime, w.prefix+"purchases", "ann", []byte("v"), kgo.RecordHeader{Key: HeaderRetried, Value: []byte("2")},
		kgo.RecordHeader{Key: HeaderLetter, Value: []byte("1/7")})
	w.retry(Filter{}, false)
	want := []kgo.RecordHeader{{Key: HeaderRetried, Value: []byte("3")}, {Key: HeaderLetter, Value: []byte("0/0")}}
	if diff := cmp.Diff(want, w.arrived(w.prefix + "purchases")[0].Headers); diff != "" {
		t.Error(diff)
	}
}

func TestAMisroutedRecordGetsItsCustomersKey(t *testing.T) {
	w := setup(t)
	w.refuse(0, sales.DeadMisrouted, w.prefix+"purchases", "wrong", w.purchase("客戶 7"))
	w.refuse(0, sales.DeadMisrouted, w.prefix+"purchases", "right", w.purchase("right"))
	w.refuse(0, sales.DeadMisrouted, w.prefix+"purchases", "unreadable", []byte("not avro"))
	w.refuse(0, sales.DeadMisrouted, w.prefix+"customers", "tombstone", nil)
	if got := w.retry(Filter{}, false); got.Sent != 4 || got.Rekeyed != 1 {
		t.Errorf("report is %+v", got)
	}
	keys := map[string]bool{}
	for _, r := range append(w.arrived(w.prefix+"purchases"), w.arrived(w.prefix+"customers")...) {
		keys[string(r.Key)] = true
		if r.Partition != wire.Partition(r.Key, partitions) {
			t.Errorf("%s is in partition %d", r.Key, r.Partition)
		}
	}
	if diff := cmp.Diff(map[string]bool{"客戶 7": true, "right": true, "unreadable": true, "tombstone": true}, keys); diff != "" {
		t.Error(diff)
	}
}

func TestWithoutTheRegistryNothingIsSentUnderAWrongKey(t *testing.T) {
	w := setup(t)
	w.refuse(0, sales.DeadMisrouted, w.prefix+"purchases", "wrong", w.purchase("ann"))
	down := errors.New("registry is down")
	w.asked = func() error { return down }
	if _, err := w.box.Retry(t.Context(), Filter{}, false); !errors.Is(err, down) {
		t.Errorf("error is %v", err)
	}
	w.asked = func() error { return nil }
	if got := w.retry(Filter{}, false); got.Sent != 1 {
		t.Errorf("report is %+v", got)
	}
}

// TestOfTwoRetriesAtOnceOneGoesOn lets a second retry run whole while the first one is about to send.
func TestOfTwoRetriesAtOnceOneGoesOn(t *testing.T) { ofTwoRetriesAtOnceOneGoesOn(t, setup(t)) }

func ofTwoRetriesAtOnceOneGoesOn(t *testing.T, w *world) {
	for i := range 5 {
		w.refuse(int32(i%2), sales.DeadMisrouted, w.prefix+"purchases", "wrong", w.purchase(fmt.Sprint("customer ", i)))
	}
	second := *w.box
	second.Decoder = wire.NewDecoder(&world{asked: func() error { return nil }})
	w.asked = func() error {
		report, err := second.Retry(t.Context(), Filter{}, false)
		if report.Sent != 5 {
			t.Errorf("the second retry reports %+v", report)
		}
		return err
	}
	if report, err := w.box.Retry(t.Context(), Filter{}, false); err == nil || report.Sent != 0 {
		t.Errorf("the first retry sent %d and gives %v", report.Sent, err)
	}
	if n := len(w.arrived(w.prefix + "purchases")); n != 5 {
		t.Errorf("%d records arrived, want 5", n)
	}
}

func TestManyLettersAreSentInSeveralTransactions(t *testing.T) {
	manyLettersAreSentInSeveralTransactions(t, setup(t))
}

func manyLettersAreSentInSeveralTransactions(t *testing.T, w *world) {
	const many = 2*perTransaction + 37
	records := make([]*kgo.Record, many)
	for i := range records {
		records[i] = &kgo.Record{Topic: w.prefix + "dead-letters", Partition: int32(i % 2), Key: strconv.AppendInt(nil, int64(i), 10),
			Headers: []kgo.RecordHeader{{Key: "leadline-source-topic", Value: []byte(w.prefix + "purchases")}}}
	}
	if err := w.cl.ProduceSync(t.Context(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := w.box.Retry(t.Context(), Filter{}, false); err != nil {
			t.Fatal(err)
		}
	}
	keys := map[string]int{}
	for _, r := range w.arrived(w.prefix + "purchases") {
		keys[string(r.Key)]++
	}
	if len(keys) != many {
		t.Errorf("%d keys arrived, want %d", len(keys), many)
	}
	for key, n := range keys {
		if n != 1 {
			t.Errorf("key %s arrived %d times", key, n)
		}
	}
}

func TestALetterFromNowhereStays(t *testing.T) {
	w := setup(t)
	w.refuse(0, sales.DeadTime, w.prefix+"gone", "ann", nil)
	w.refuse(0, sales.DeadTime, "", "ann", nil)
	if got := w.retry(Filter{}, false); got.Lost != 2 || got.Sent != 0 {
		t.Errorf("report is %+v", got)
	}
}

func TestListShowsWhatTheFilterChooses(t *testing.T) {
	w := setup(t)
	w.refuse(0, sales.DeadTime, w.prefix+"purchases", "ann", []byte("a"))
	w.refuse(0, sales.DeadMisrouted, w.prefix+"purchases", "bob", []byte("b"))
	w.refuse(1, sales.DeadTime, w.prefix+"customers", "cyd", nil)
	w.refuse(1, sales.DeadTime, w.prefix+"customers", "\xff", nil)
	w.retry(Filter{At: []Position{{0, 1}}}, false)
	hour := time.Now().Add(time.Hour)
	for name, c := range map[string]struct {
		filter Filter
		want   map[string]bool // key: was it sent
	}{
		"all":          {Filter{}, map[string]bool{"ann": false, "bob": true, "cyd": false, "\xff": false}},
		"by class":     {Filter{Class: sales.DeadTime}, map[string]bool{"ann": false, "cyd": false, "\xff": false}},
		"by topic":     {Filter{SourceTopic: w.prefix + "customers"}, map[string]bool{"cyd": false, "\xff": false}},
		"by place":     {Filter{At: []Position{{1, 0}}}, map[string]bool{"cyd": false}},
		"by places":    {Filter{At: []Position{{1, 0}, {0, 1}, {5, 5}}}, map[string]bool{"cyd": false, "bob": true}},
		"by word":      {Filter{Reason: "BECAUSE"}, map[string]bool{"ann": false, "bob": true, "cyd": false, "\xff": false}},
		"no such word": {Filter{Reason: "whence"}, map[string]bool{}},
		"by key":       {Filter{Key: "bob"}, map[string]bool{"bob": true}},
		"odd key":      {Filter{Key: "base64:/w=="}, map[string]bool{"\xff": false}},
		"unsent":       {Filter{Unsent: true, SourceTopic: w.prefix + "purchases"}, map[string]bool{"ann": false}},
		"since before": {Filter{Since: time.Now().Add(-time.Hour), Key: "ann"}, map[string]bool{"ann": false}},
		"since later":  {Filter{Since: hour}, map[string]bool{}},
		"until later":  {Filter{Until: hour, Key: "ann"}, map[string]bool{"ann": false}},
		"until before": {Filter{Until: time.Now().Add(-time.Hour)}, map[string]bool{}},
	} {
		page, err := w.box.List(t.Context(), c.filter, 10, nil)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]bool{}
		for _, l := range page.Letters {
			got[string(l.Key)] = l.Sent
		}
		if diff := cmp.Diff(c.want, got); diff != "" || page.Counts.Letters != len(c.want) {
			t.Errorf("%s: %d letters, -want +got\n%s", name, page.Counts.Letters, diff)
		}
	}
	got, _, err := w.box.Find(t.Context(), Position{0, 0})
	if err != nil {
		t.Fatal(err)
	}
	want := Letter{Position: Position{0, 0}, Class: sales.DeadTime, Reason: "because", Source: sales.Source{Topic: w.prefix + "purchases", Partition: 1, Offset: 42},
		SourceTime: time.UnixMilli(1_700_000_000_000).UTC(), Key: []byte("ann"), Value: []byte("a"), Bytes: 1}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Letter{}, "RefusedAt")); diff != "" {
		t.Error(diff)
	}
	for _, nowhere := range []Position{{0, 99}, {7, 0}} {
		if _, _, err := w.box.Find(t.Context(), nowhere); !errors.Is(err, ErrNoLetter) {
			t.Errorf("%s: %v", nowhere, err)
		}
	}
}

// Pages of any size give every letter once, the newest first, and the counts of all.
func TestPagesTileTheList(t *testing.T) {
	w := setup(t)
	for i := range 23 {
		w.refuse(int32(i%2), sales.DeadLetterClasses()[i%3], w.prefix+"purchases", fmt.Sprint("customer ", i), nil)
	}
	for _, limit := range []int{1, 2, 7, 22, 23, 24, 1000} {
		var all []Letter
		for from, more := (*Cursor)(nil), true; more; {
			page, err := w.box.List(t.Context(), Filter{}, limit, from)
			if err != nil {
				t.Fatal(err)
			}
			if len(page.Letters) > limit || page.Counts.Letters != 23 || page.Counts.ByClass[sales.DeadNotAvro] != 8 {
				t.Errorf("limit %d gives %d letters, counts %+v", limit, len(page.Letters), page.Counts)
			}
			all = append(all, page.Letters...)
			from, more = page.Next, page.Next != nil
		}
		seen := map[Position]bool{}
		for i := range all {
			seen[all[i].Position] = true
			if i > 0 && older(&all[i-1], &all[i]) >= 0 {
				t.Errorf("limit %d: %s before %s", limit, all[i-1].Position, all[i].Position)
			}
		}
		if len(all) != 23 || len(seen) != 23 {
			t.Errorf("limit %d: %d letters, %d places", limit, len(all), len(seen))
		}
	}
}

// Whoever may write dead letters must not have Leadline write anywhere else than to inputs.
func TestNothingIsSentBeyondTheInputs(t *testing.T) {
	w := setup(t)
	adm := kadm.NewClient(w.cl)
	if _, err := adm.CreateTopics(t.Context(), 1, 1, nil, w.prefix+"leadline.state", "purchases"); err != nil {
		t.Fatal(err)
	}
	for _, topic := range []string{w.prefix + "leadline.state", "purchases", w.prefix + "dead-letters", "__consumer_offsets"} {
		w.refuse(0, sales.DeadTime, topic, "k", []byte("v"))
	}
	if got := w.retry(Filter{}, false); got.Lost != 4 || got.Sent != 0 {
		t.Errorf("report is %+v", got)
	}
}

// A record that has no room for its history must not keep the others from being sent.
func TestALetterThatIsTooLargeStays(t *testing.T) {
	w := setup(t)
	w.cl.Close()
	cl, err := kgo.NewClient(append(w.box.Opts, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(wire.MaxRefused))...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	cfg := strconv.Itoa(wire.MaxRefused)
	changed, err := kadm.NewClient(cl).AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "max.message.bytes", Value: &cfg}}, w.prefix+"dead-letters")
	if err != nil || changed[0].Err != nil {
		t.Fatal(err, changed)
	}
	w.cl = cl
	w.refuse(0, sales.DeadTooLarge, w.prefix+"purchases", "large", make([]byte, wire.MaxInput-100))
	w.refuse(0, sales.DeadTime, w.prefix+"purchases", "ann", []byte("v"))
	if got := w.retry(Filter{}, false); got.TooLarge != 1 || got.Sent != 1 {
		t.Errorf("report is %+v", got)
	}
	if got := w.arrived(w.prefix + "purchases"); len(got) != 1 || string(got[0].Key) != "ann" {
		t.Errorf("%d records arrived", len(got))
	}
}
