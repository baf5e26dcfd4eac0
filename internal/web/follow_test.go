package web

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"leadline/internal/sales"
	"leadline/internal/wire"
	"leadline/schemas"
)

// registry answers every id with the alert's schema, the first time not at all.
type registry struct{ asked atomic.Int64 }

func (r *registry) SchemaByID(context.Context, int) (string, error) {
	if r.asked.Add(1) == 1 {
		return "", errors.New("registry is down")
	}
	text, _ := schemas.Get("Alert")
	return text, nil
}

func alert(n int, kind sales.AlertKind, by sales.Suppression) *sales.Alert {
	return &sales.Alert{AlertID: fmt.Sprintf("a%d", n), Revision: 1, Kind: kind, Status: sales.Opened, SubjectType: "customer", SubjectID: "c",
		CustomerID: "c", Title: "Offer TEA.", Score: 0.5, Grade: "B", Arm: sales.Treatment, Propensity: 0.9, RunID: "live", SuppressedBy: by,
		WindowStart: 1e12, WindowEnd: 1e12, EventTime: 1e12, DetectedAt: 1e12}
}

// write puts alerts of one transaction into their topics.
func write(t *testing.T, addrs []string, end kgo.TransactionEndTry, alerts ...*sales.Alert) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.TransactionalID("t"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	for _, a := range alerts {
		topic := a.Kind.Topic()
		if a.SuppressedBy != sales.NotSuppressed {
			topic = suppressedTopic
		}
		subject := schemas.Subject(topic)
		value, err := wire.NewEncoder(map[string]int{subject: 7}).AppendAlert(nil, a)
		if err != nil {
			t.Fatal(err)
		}
		if err := client.ProduceSync(t.Context(), &kgo.Record{Topic: "x." + topic, Value: value}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.EndTransaction(t.Context(), end); err != nil {
		t.Fatal(err)
	}
}

func TestFollowShowsWhatWasCommittedAndNotTheControlGroup(t *testing.T) {
	t.Parallel()
	names := []string{"x." + suppressedTopic}
	for _, k := range sales.AlertKinds() {
		names = append(names, "x."+k.Topic())
	}
	broker, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, names...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	addrs := broker.ListenAddrs()
	write(t, addrs, kgo.TryCommit, alert(1, sales.CrossSell, 0), alert(2, sales.CrossSell, sales.ByHoldout))
	write(t, addrs, kgo.TryAbort, alert(3, sales.CrossSell, 0))

	feed := NewFeed(10, prometheus.NewRegistry())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- feed.Follow(ctx, []kgo.Opt{kgo.SeedBrokers(addrs...)}, "x.", &registry{}, zap.NewNop())
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	sub, missed := feed.subscribe("")
	defer feed.unsubscribe(sub)
	got := missed.entries
	for len(got) < 1 {
		got = append(got, receive(t, sub))
	}
	mended := alert(6, sales.CrossSell, 0)
	mended.RunID = "backfill-1"
	over := alert(7, sales.CrossSell, sales.ByHoldout)
	over.Revision, over.Status = 2, sales.Expired
	write(t, addrs, kgo.TryCommit, mended, over, alert(4, sales.Declining, 0), alert(5, sales.Upsell, sales.ByCap))
	got = append(got, receive(t, sub))
	if len(got) != 2 || got[0].Kind != sales.CrossSell || got[1].Kind != sales.Declining {
		t.Errorf("%+v", got)
	}
	for deadline := time.Now().Add(10 * time.Second); ; {
		c, _ := feed.totals()
		if c.Suppressed["holdout"] > 1 {
			t.Fatalf("an end of what was held out counts as one more decision: %+v", c)
		}
		if c.Suppressed["holdout"] == 1 && c.Suppressed["cap"] == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v", c)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func receive(t *testing.T, s *subscription) Entry {
	t.Helper()
	select {
	case e := <-s.entries:
		return e
	case <-time.After(10 * time.Second):
		t.Fatal("no alert arrived")
		return Entry{}
	}
}
