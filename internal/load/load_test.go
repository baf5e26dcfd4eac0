package load_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"leadline/internal/load"
	"leadline/internal/sales"
	"leadline/internal/sample"
	"leadline/internal/wire"
	"leadline/schemas"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var inputs = []string{"products", "campaigns", "customers", "identities", "signals", "touchpoints", "purchases", "outcomes"}

const partitions = 3

// kit is a broker with the input topics, and what encodes for them.
type kit struct {
	connection []kgo.Opt
	enc        *wire.Encoder
	ids        ids
}

// ids is the registry of these tests: schema ids by position.
type ids []string

func (s ids) SchemaByID(_ context.Context, id int) (string, error) {
	text, _ := schemas.ForTopic(s[id])
	return text, nil
}

func setup(t *testing.T) kit {
	t.Helper()
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, inputs...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	subjects := map[string]int{}
	for i, topic := range inputs {
		subjects[schemas.Subject(topic)] = i
	}
	return kit{connection: []kgo.Opt{kgo.SeedBrokers(broker.ListenAddrs()...)}, enc: wire.NewEncoder(subjects), ids: inputs}
}

func (k kit) load(t *testing.T, o load.Options) (load.Stats, error) {
	t.Helper()
	if o.Rejects == "" {
		o.Rejects = filepath.Join(t.TempDir(), "rejects.jsonl")
	}
	return load.Run(t.Context(), k.connection, k.enc, o)
}

// consume reads n records of a topic from its start.
func (k kit) consume(t *testing.T, topic string, n int64) []*kgo.Record {
	t.Helper()
	client, err := kgo.NewClient(append([]kgo.Opt{kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())}, k.connection...)...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var got []*kgo.Record
	for int64(len(got)) < n {
		fetches := client.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		got = append(got, fetches.Records()...)
	}
	return got
}

func (k kit) purchases(t *testing.T, n int64) map[string]sales.Purchase {
	t.Helper()
	decoder := wire.NewDecoder(k.ids)
	got := map[string]sales.Purchase{}
	for _, r := range k.consume(t, "purchases", n) {
		var p sales.Purchase
		if err := decoder.Purchase(t.Context(), bytes.Clone(r.Value), &p); err != nil {
			t.Fatal(err)
		}
		if string(r.Key) != p.CustomerID || r.Partition != wire.Partition(r.Key, partitions) {
			t.Errorf("order %s: key %q on partition %d", p.OrderID, r.Key, r.Partition)
		}
		got[p.OrderID] = p
	}
	return got
}

func TestADirectoryGoesToTheTopicsThatItsFilesName(t *testing.T) {
	t.Parallel()
	k := setup(t)
	stats, err := k.load(t, load.Options{Paths: []string{"."}, FS: sample.Small()})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]int64{"purchases": 1_422, "touchpoints": 83, "customers": 8, "products": 6_124, "campaigns": 27}
	for topic, n := range want {
		if stats.ByTopic[topic] != n {
			t.Errorf("%s: %d sent, want %d", topic, stats.ByTopic[topic], n)
		}
		if got := k.consume(t, topic, n); int64(len(got)) != n {
			t.Errorf("%s: %d records in Kafka, want %d", topic, len(got), n)
		}
	}
	if stats.Read != stats.Sent || stats.Rejected != 0 || stats.Files != 5 {
		t.Errorf("%+v", stats)
	}
	lines := 0
	for _, p := range k.purchases(t, 1_422) {
		lines += len(p.Lines)
	}
	if lines != 15_107 {
		t.Errorf("%d lines of orders, want 15,107", lines)
	}
}

func TestLoadingTwiceSendsTheSame(t *testing.T) {
	t.Parallel()
	k := setup(t)
	o := load.Options{Paths: []string{"complete-journey.touchpoints.jsonl.zst"}, FS: sample.Small(), Weeks: 5}
	var first, second load.Stats
	var err error
	if first, err = k.load(t, o); err != nil {
		t.Fatal(err)
	}
	if second, err = k.load(t, o); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, r := range k.consume(t, "touchpoints", first.Sent+second.Sent) {
		seen[fmt.Sprintf("%d %s %x", r.Partition, r.Key, r.Value)]++
	}
	if len(seen) != int(first.Sent) {
		t.Errorf("%d different records, want %d", len(seen), first.Sent)
	}
	for what, n := range seen {
		if n != 2 {
			t.Errorf("%s was sent %d times", what, n)
		}
	}
}

const order = `{"event_id":"e1","customer_id":"c1","occurred_at":"2024-05-01T10:00:00Z","order_id":"o1",` +
	`"lines":[{"product_id":"p1","category":"TEA","quantity":2,"amount_minor":450}],"currency":"EUR"}`

func compressed(t *testing.T, text string, with string) []byte {
	t.Helper()
	var out bytes.Buffer
	switch with {
	case "gz":
		z := gzip.NewWriter(&out)
		fmt.Fprint(z, text)
		z.Close()
	case "zst":
		z, err := zstd.NewWriter(&out)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(z, text)
		z.Close()
	default:
		out.WriteString(text)
	}
	return out.Bytes()
}

func TestCompressionIsSeenFromTheContent(t *testing.T) {
	t.Parallel()
	for _, with := range []string{"plain", "gz", "zst"} {
		t.Run(with, func(t *testing.T) {
			t.Parallel()
			k := setup(t)
			stats, err := k.load(t, load.Options{Paths: []string{"-"}, Topic: "purchases", Stdin: bytes.NewReader(compressed(t, order, with))})
			if err != nil || stats.Sent != 1 {
				t.Fatalf("%+v, %v", stats, err)
			}
		})
	}
}

func TestBadLinesAreReportedAndTheRestGoesOn(t *testing.T) {
	t.Parallel()
	k := setup(t)
	text := strings.Join([]string{
		order,
		`not json`,
		strings.Replace(order, `"quantity":2`, `"quantity":-2`, 1),
		``,
		strings.Replace(order, `"e1"`, `"`+strings.Repeat("x", 2<<20)+`"`, 1),
		strings.Replace(order, `"TEA"`, "\"TH\xc9\"", 1),
		strings.Replace(order, `"currency"`, `"curency"`, 1),
		strings.Replace(order, `"o1"`, `"o2"`, 1),
	}, "\n")
	file := filepath.Join(t.TempDir(), "rejects.jsonl")
	var screen bytes.Buffer
	stats, err := k.load(t, load.Options{Paths: []string{"shop.purchases.jsonl"}, Rejects: file, Out: &screen,
		FS: fstest.MapFS{"shop.purchases.jsonl": {Data: []byte(text)}}})
	var rejects *load.RejectsError
	if !errors.As(err, &rejects) || rejects.Count != 5 || rejects.File != file {
		t.Fatalf("got %v", err)
	}
	if stats.Read != 7 || stats.Sent != 2 || stats.Rejected != 5 {
		t.Errorf("%+v", stats)
	}
	if got := k.purchases(t, 2); len(got["o1"].Lines) != 1 || len(got["o2"].Lines) != 1 {
		t.Errorf("%+v", got)
	}
	wantLines, wantReasons := []int{2, 3, 5, 6, 7}, []string{"JSON", "quantity", "longer than", "UTF-8", "currency"}
	for i, x := range readRejects(t, file) {
		if x.Line != wantLines[i] || !strings.Contains(x.Reason, wantReasons[i]) || x.Text == "" || x.Topic != "purchases" {
			t.Errorf("reject %d: %+v", i, x)
		}
	}
	if !strings.Contains(screen.String(), "rejected shop.purchases.jsonl:2: ") || !strings.Contains(screen.String(), "2 sent") {
		t.Errorf("screen:\n%s", screen.String())
	}
}

func readRejects(t *testing.T, file string) []load.Reject {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []load.Reject
	for line := range bytes.Lines(text) {
		var x load.Reject
		if err := json.Unmarshal(line, &x); err != nil {
			t.Fatal(err)
		}
		out = append(out, x)
	}
	return out
}

func TestShiftMovesTheNewestEventToJustBeforeNow(t *testing.T) {
	t.Parallel()
	k := setup(t)
	now := time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)
	later := strings.NewReplacer(`"o1"`, `"o2"`, "2024-05-01", "2024-05-09").Replace(order)
	stats, err := k.load(t, load.Options{Paths: []string{"purchases.jsonl"}, Shift: true, Now: now,
		FS: fstest.MapFS{"purchases.jsonl": {Data: []byte(order + "\n" + later)}}})
	if err != nil {
		t.Fatal(err)
	}
	newest := time.UnixMilli(int64(stats.Newest)).UTC()
	if newest.Weekday() != time.Thursday || newest.Hour() != 10 || newest.After(now) || now.Sub(newest) >= 7*24*time.Hour {
		t.Errorf("newest is %s", newest)
	}
	got := k.purchases(t, 2)
	if got["o2"].OccurredAt != stats.Newest || got["o2"].OccurredAt-got["o1"].OccurredAt != 8*sales.DayMillis {
		t.Errorf("%+v", got)
	}
}

func TestWhatCannotBeginSaysWhy(t *testing.T) {
	t.Parallel()
	k := setup(t)
	files := fstest.MapFS{"a.purchases.csv": {Data: []byte("order_id,wheel\n1,2\n")}, "readme.txt": {Data: []byte("x")}}
	for want, o := range map[string]load.Options{
		`"a" is not an input topic`:           {Paths: []string{"-"}, Topic: "a"},
		`"txt" is not an input`:               {Paths: []string{"readme.txt"}},
		`file does not exist`:                 {Paths: []string{"b.purchases.csv"}},
		`column "wheel": purchases has no`:    {Paths: []string{"."}},
		`map "wheel"`:                         {Paths: []string{"."}, Map: []string{"wheel"}},
		`has no field "whel"`:                 {Paths: []string{"."}, Map: []string{"wheel=whel"}},
		`columns "order_id" and "wheel" both`: {Paths: []string{"."}, Map: []string{"wheel=order_id"}},
		`topic x.purchases does not exist`:    {Paths: []string{"."}, Prefix: "x."},
		`no event in the files`:               {Paths: []string{"."}, Shift: true, Map: []string{"wheel="}},
		`cannot be used with standard`:        {Paths: []string{"-"}, Topic: "purchases", Shift: true},
	} {
		o.FS = files
		if _, err := k.load(t, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestAnInterruptedLoadCountsWhatKafkaHas(t *testing.T) {
	t.Parallel()
	k := setup(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("enough")
	stdin := &interrupting{text: strings.NewReader(strings.Repeat(order+"\n", 300)), after: 200 * len(order), do: func() { cancel(stop) }}
	stats, err := load.Run(ctx, k.connection, k.enc, load.Options{Paths: []string{"-"}, Topic: "purchases", Stdin: stdin, Rate: 50})
	if !errors.Is(err, stop) {
		t.Fatalf("got %v", err)
	}
	if got := k.consume(t, "purchases", stats.Sent); int64(len(got)) != stats.Sent {
		t.Errorf("%d records in Kafka, %d counted", len(got), stats.Sent)
	}
}

// interrupting calls do once so many bytes were read.
type interrupting struct {
	text  *strings.Reader
	after int
	do    func()
}

func (r *interrupting) Read(p []byte) (int, error) {
	n, err := r.text.Read(p[:min(len(p), 4096)])
	if r.after -= n; r.after < 0 {
		r.do()
	}
	return n, err
}

func TestALineOfALivePipeDoesNotWaitForTheNext(t *testing.T) {
	t.Parallel()
	k := setup(t)
	stdin, pipe := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		_, err := load.Run(t.Context(), k.connection, k.enc, load.Options{Paths: []string{"-"}, Topic: "purchases", Stdin: stdin})
		ended <- err
	}()
	for i := range 3 {
		fmt.Fprintln(pipe, strings.Replace(order, `"o1"`, fmt.Sprintf(`"o%d"`, i), 1))
		if got := k.purchases(t, int64(i+1)); len(got) != i+1 {
			t.Fatalf("%+v", got)
		}
	}
	pipe.Close()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}
