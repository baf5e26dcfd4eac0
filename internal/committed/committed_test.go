package committed_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"leadline/internal/committed"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cluster has the topics t and u of two partitions.
func cluster(t *testing.T) []kgo.Opt {
	opts, _ := faulty(t)
	return opts
}

func faulty(t *testing.T) ([]kgo.Opt, *kfake.Cluster) {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "t", "u"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}, c
}

func open(t *testing.T, opts []kgo.Opt, more ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(slices.Concat(opts, more, []kgo.Opt{kgo.RecordPartitioner(kgo.ManualPartitioner())})...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write puts the values on one partition in one transaction, which ends as told.
func write(t *testing.T, cl *kgo.Client, end kgo.TransactionEndTry, topic string, p int32, values ...string) {
	t.Helper()
	check(t, cl.BeginTransaction())
	for _, v := range values {
		check(t, cl.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Partition: p, Value: []byte(v)}).FirstErr())
	}
	check(t, cl.EndTransaction(t.Context(), end))
}

func read(t *testing.T, opts []kgo.Opt, spans committed.Spans) string {
	t.Helper()
	var got []string
	check(t, committed.Read(t.Context(), opts, spans, func(rec *kgo.Record) error {
		got = append(got, fmt.Sprintf("%s-%d:%s", rec.Topic, rec.Partition, rec.Value))
		return nil
	}))
	slices.Sort(got)
	return strings.Join(got, " ")
}

// Of several topics everything committed is read, wherever it ends: with a record, with a commit, with an abort, with nothing.
func TestReadsAllThatIsCommitted(t *testing.T) {
	opts := cluster(t)
	tx, plain := open(t, opts, kgo.TransactionalID("x")), open(t, opts)
	write(t, tx, kgo.TryCommit, "t", 0, "a", "b")
	write(t, tx, kgo.TryAbort, "t", 0, "never")
	write(t, tx, kgo.TryCommit, "u", 1, "c")
	check(t, plain.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Partition: 1, Value: []byte("d")}).FirstErr())
	spans, err := committed.Whole(t.Context(), kadm.NewClient(plain), "t", "u")
	check(t, err)
	check(t, plain.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Partition: 1, Value: []byte("later")}).FirstErr())
	if got, want := read(t, opts, spans), "t-0:a t-0:b t-1:d u-1:c"; got != want {
		t.Errorf("read %q, want %q", got, want)
	}
	spans["t"][0] = committed.Span{From: 1, To: 2}
	if got, want := read(t, opts, spans), "t-0:b t-1:d u-1:c"; got != want {
		t.Errorf("read %q, want %q", got, want)
	}
	if got := read(t, opts, committed.Spans{"t": {0: {From: 3, To: 3}}}); got != "" {
		t.Errorf("read %q of an empty span", got)
	}
}

// Whoever has enough stops the reading, and any other error is given back.
func TestStopsWhenTold(t *testing.T) {
	opts := cluster(t)
	plain := open(t, opts)
	for _, v := range []string{"a", "b", "c"} {
		check(t, plain.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: []byte(v)}).FirstErr())
	}
	spans, err := committed.Whole(t.Context(), kadm.NewClient(plain), "t")
	check(t, err)
	for _, end := range []error{committed.ErrEnough, errors.New("cannot be used")} {
		n := 0
		err := committed.Read(t.Context(), opts, spans, func(*kgo.Record) error {
			if n++; n == 2 {
				return end
			}
			return nil
		})
		if n != 2 || errors.Is(err, end) == errors.Is(end, committed.ErrEnough) {
			t.Errorf("after %d records: %v, told %v", n, err, end)
		}
	}
}

// What retention has taken from the span is an error, not a shorter reading.
func TestMissingBeginningIsLoud(t *testing.T) {
	opts := cluster(t)
	plain := open(t, opts)
	for range 3 {
		check(t, plain.ProduceSync(t.Context(), &kgo.Record{Topic: "t", Value: []byte("v")}).FirstErr())
	}
	adm := kadm.NewClient(plain)
	var cut kadm.Offsets
	cut.Add(kadm.Offset{Topic: "t", Partition: 0, At: 2})
	_, err := adm.DeleteRecords(t.Context(), cut)
	check(t, err)
	err = committed.Read(t.Context(), opts, committed.Spans{"t": {0: {From: 0, To: 3}}}, func(*kgo.Record) error { return nil })
	if err == nil {
		t.Error("two of three records are gone, and nobody was told")
	}
}

// Offsets that a transaction may yet change are waited for; a refusal is told; and who never committed has none.
func TestOffsetsAreStable(t *testing.T) {
	opts, broker := faulty(t)
	adm := kadm.NewClient(open(t, opts))
	if have, err := committed.Offsets(t.Context(), adm, "g"); err != nil || len(have) != 0 {
		t.Errorf("a group that never committed has %v, %v", have, err)
	}
	var offsets kadm.Offsets
	offsets.Add(kadm.Offset{Topic: "t", Partition: 1, At: 7})
	check(t, adm.CommitAllOffsets(t.Context(), "g", offsets))
	broker.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Err: kerr.UnstableOffsetCommit, Count: 2})
	broker.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Err: kerr.CoordinatorNotAvailable, Count: 2})
	have, err := committed.Offsets(t.Context(), adm, "g")
	check(t, err)
	if at, _ := have.Lookup("t", 1); at.At != 7 {
		t.Errorf("offset %d, want 7", at.At)
	}
	broker.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetFetch}, Err: kerr.GroupAuthorizationFailed})
	if _, err := committed.Offsets(t.Context(), adm, "g"); !errors.Is(err, kerr.GroupAuthorizationFailed) {
		t.Errorf("refused, and told %v", err)
	}
}
