package embedded

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
)

// With a full disk the broker takes no record, says so, and still ends what was begun; with room it goes on. Nothing that was
// acknowledged is lost, nothing that was refused is there.
func TestFullDiskRefusesRecordsAndEndsTransactions(t *testing.T) {
	var free atomic.Int64
	free.Store(1 << 30)
	s, err := Start(t.Context(), Options{DataDir: t.TempDir(), free: func(string) (int64, error) { return free.Load(), nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	createTopic(t, s.KafkaAddr, "alerts")
	tx := client(t, s.KafkaAddr, kgo.TransactionalID("engine"))
	plain := client(t, s.KafkaAddr)
	if err := errors.Join(tx.BeginTransaction(), tx.ProduceSync(t.Context(), &kgo.Record{Topic: "alerts", Value: []byte("begun before")}).FirstErr()); err != nil {
		t.Fatal(err)
	}

	free.Store(roomForRecords - 1)
	waiting := make(chan error, 1)
	go func() {
		waiting <- plain.ProduceSync(t.Context(), &kgo.Record{Topic: "alerts", Value: []byte("came too early")}).FirstErr()
	}()
	if err := tx.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatalf("a transaction that was begun before cannot end: %v", err)
	}
	if got := values(t, s.KafkaAddr, "alerts"); !cmp.Equal(got, []string{"begun before"}) {
		t.Errorf("with a full disk %q is there", got)
	}
	wait(t, "the broker says that its disk is full", func() bool { return s.Full() != nil })
	if err := s.Full(); !strings.Contains(err.Error(), "16 MiB") {
		t.Errorf("%v does not say how much room is needed", err)
	}
	select {
	case err := <-waiting:
		t.Fatalf("a record was taken, or given up, while the disk is full: %v", err)
	default:
	}

	free.Store(1 << 30)
	if err := <-waiting; err != nil {
		t.Fatal(err)
	}
	if got := values(t, s.KafkaAddr, "alerts"); !cmp.Equal(got, []string{"begun before", "came too early"}) {
		t.Errorf("with room again %q is there", got)
	}
	if err := s.Full(); err != nil {
		t.Errorf("there is room, and still: %v", err)
	}
}

// With hardly any room even ends wait, because half of one could be written.
func TestFullDiskLetsEndsWait(t *testing.T) {
	var free atomic.Int64
	free.Store(1 << 30)
	s, err := Start(t.Context(), Options{DataDir: t.TempDir(), free: func(string) (int64, error) { return free.Load(), nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, s) })
	createTopic(t, s.KafkaAddr, "alerts")
	tx := client(t, s.KafkaAddr, kgo.TransactionalID("engine"))
	if err := errors.Join(tx.BeginTransaction(), tx.ProduceSync(t.Context(), &kgo.Record{Topic: "alerts", Value: []byte("begun")}).FirstErr()); err != nil {
		t.Fatal(err)
	}
	free.Store(roomForEnds - 1)
	ended := make(chan error, 1)
	go func() { ended <- tx.EndTransaction(context.WithoutCancel(t.Context()), kgo.TryCommit) }()
	wait(t, "the broker says that its disk is full", func() bool { return s.Full() != nil })
	if got := values(t, s.KafkaAddr, "alerts"); len(got) > 0 {
		t.Errorf("%q is committed without room for the end", got)
	}
	free.Store(1 << 30)
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if got := values(t, s.KafkaAddr, "alerts"); !cmp.Equal(got, []string{"begun"}) {
		t.Errorf("%q is committed", got)
	}
}

// wait asks until it holds.
func wait(t *testing.T, what string, holds func() bool) {
	t.Helper()
	end := time.Now().Add(30 * time.Second)
	for !holds() {
		if time.Now().After(end) {
			t.Fatalf("not within 30 s: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
