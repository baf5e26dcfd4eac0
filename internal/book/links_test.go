package book

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"leadline/internal/sales"
)

// press publishes links as the analyst does.
type press struct{ *town }

func newPress(t *testing.T) press {
	w := newTown(t)
	_, err := kadm.NewClient(w.client).CreateTopic(t.Context(), 1, 1, nil, prefix+linksTopic)
	w.must(err)
	return press{w}
}

// write publishes links in one transaction, and takes those with a zero Level back.
func (w press) write(end kgo.TransactionEndTry, links ...sales.Link) {
	w.t.Helper()
	w.must(w.client.BeginTransaction())
	for _, l := range links {
		rec := &kgo.Record{Topic: prefix + linksTopic, Key: []byte(l.Key())}
		if l.Lift > 0 {
			var err error
			rec.Value, err = w.enc.AppendLink(nil, &l)
			w.must(err)
		}
		w.must(w.client.ProduceSync(w.t.Context(), rec).FirstErr())
	}
	w.must(w.client.EndTransaction(w.t.Context(), end))
}

func (w press) links() *Links {
	return NewLinks(LinkSource{Kafka: w.kafka, Prefix: prefix, Decoder: w.dec, Log: zap.NewNop()})
}

func link(from, to string, lift float64) sales.Link {
	return sales.Link{Kind: sales.CrossSellLink, Level: "type", From: from, To: to, Lift: lift, Starts: 3, Curve: [sales.CurveWeeks]float32{0.1, 0.2}}
}

// What is known is what the topic says by now: links replaced and taken back, none of an aborted transaction; and so it stays while the topic
// goes on.
func TestLinksAreWhatThePublishedSay(t *testing.T) {
	w := newPress(t)
	gone := link("a", "c", 0)
	w.write(kgo.TryCommit, link("b", "a", 1.5), link("a", "b", 1.2), link("a", "c", 2))
	w.write(kgo.TryCommit, gone, link("a", "b", 1.3))
	w.write(kgo.TryAbort, link("x", "y", 9))
	l := w.links()
	if _, _, err := l.All(); !errors.Is(err, ErrReadingLinks) {
		t.Errorf("before it was read: %v", err)
	}
	w.must(l.Load(t.Context()))
	want := []sales.Link{link("a", "b", 1.3), link("b", "a", 1.5)}
	got, next, err := l.All()
	if diff := cmp.Diff(want, got); diff != "" || err != nil || next < 5 {
		t.Errorf("next %d, %v: %s", next, err, diff)
	}

	l = w.links()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Follow(ctx) }()
	until := func(what string, want ...sales.Link) {
		t.Helper()
		for {
			got, _, err := l.All()
			if diff := cmp.Diff(want, got); err == nil && diff == "" {
				return
			} else if ctx.Err() != nil {
				t.Fatalf("%s: %v %s", what, err, diff)
			}
			time.Sleep(time.Millisecond) // it is asked again until it answers
		}
	}
	until("what was there", want...)
	w.write(kgo.TryCommit, link("a", "c", 3), link("b", "a", 0))
	until("what came", link("a", "b", 1.3), link("a", "c", 3))
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// Without its topic nothing is answered, and the reason is.
func TestLinksWithoutTheirTopic(t *testing.T) {
	w := press{newTown(t)}
	l := w.links()
	if err := l.Load(t.Context()); err == nil {
		t.Error("a topic that is not there was read")
	}
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- l.Follow(ctx) }()
	for ctx.Err() == nil {
		if _, _, err := l.All(); err != ErrReadingLinks { //nolint:errorlint // with the reason it is another error
			if !errors.Is(err, ErrReadingLinks) {
				t.Error(err)
			}
			break
		}
		time.Sleep(time.Millisecond)
	}
	stop()
	<-ended
}
