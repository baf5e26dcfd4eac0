package load

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/sales"
	"leadline/internal/wire"
)

// producing are the client's options. Idempotent writing is the default of the library; partitions are the contract's,
// not the client's choice.
func producing() []kgo.Opt {
	return []kgo.Opt{
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.MaxBufferedRecords(20_000),
	}
}

// flushWithin is how long an interrupted load waits for what is on the way, so that its count is true.
const flushWithin = 10 * time.Second

// sender encodes, paces and produces.
type sender struct {
	client     *kgo.Client
	enc        *wire.Encoder
	rejects    *rejects
	screen     *progress
	pace       pace
	weeks      int
	prefix     string
	partitions map[string]int32 // by topic without prefix
	cancel     context.CancelCauseFunc

	read, acknowledged, bytes atomic.Int64
	oldest, newest            sales.Millis

	mu      sync.Mutex
	byTopic map[string]int64 // acknowledged
}

// newSender looks the topics up: a load into a topic that does not exist must not begin.
func newSender(ctx context.Context, client *kgo.Client, enc *wire.Encoder, rejects *rejects, o Options, sources []*source) (*sender, error) {
	s := &sender{client: client, enc: enc, rejects: rejects, screen: newProgress(o.Out), weeks: o.Weeks, prefix: o.Prefix,
		pace: pace{rate: o.Rate, speedup: o.Speedup}, partitions: map[string]int32{}, byTopic: map[string]int64{}}
	rejects.show = s.screen.say
	topics, err := kadm.NewClient(client).ListTopics(ctx)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	for _, src := range sources {
		found, ok := topics[s.prefix+src.topic]
		if !ok || found.Err != nil {
			return nil, fmt.Errorf("topic %s does not exist: create it with 'leadline topics create'", s.prefix+src.topic)
		}
		s.partitions[src.topic] = int32(len(found.Partitions))
	}
	return s, nil
}

// run sends everything and waits until Kafka has it.
func (s *sender) run(ctx context.Context, sources []*source) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s.cancel = cancel
	stopReports := s.reports(sources)
	err := each(ctx, sources, s.weeks, func(it item) error { return s.send(ctx, it) })
	flushCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(flushWithin, stop) })()
	err = errors.Join(err, s.client.Flush(flushCtx))
	stopReports()
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// send hands one item to the client. Its fate is counted where it is known: here if refused, else by acknowledge.
func (s *sender) send(ctx context.Context, it item) error {
	s.read.Add(1)
	if it.err != nil {
		s.reject(it, it.err)
		return nil
	}
	if err := s.pace.wait(ctx, it.at); err != nil {
		return err
	}
	value, err := encode(s.enc, it.record)
	if err != nil {
		return fmt.Errorf("encode for topic %s: %w", it.source.topic, err)
	}
	if it.at != 0 {
		s.newest = max(s.newest, it.at)
		if s.oldest == 0 || it.at < s.oldest {
			s.oldest = it.at
		}
	}
	key := []byte(wire.Key(it.record))
	s.client.Produce(ctx, &kgo.Record{
		Topic:     s.prefix + it.source.topic,
		Key:       key,
		Value:     value,
		Partition: wire.Partition(key, s.partitions[it.source.topic]),
	}, func(r *kgo.Record, err error) { s.acknowledge(it, len(r.Value), err) })
	return ctx.Err()
}

// acknowledge is called by the client once per record. A record that Kafka finds too large is the record's fault; all
// other errors come after the client's own retries and end the load.
func (s *sender) acknowledge(it item, size int, err error) {
	switch {
	case err == nil:
		s.acknowledged.Add(1)
		s.bytes.Add(int64(size))
		s.mu.Lock()
		s.byTopic[it.source.topic]++
		s.mu.Unlock()
	case errors.Is(err, kerr.MessageTooLarge):
		s.reject(it, errors.New("larger than Kafka takes"))
	default:
		s.cancel(fmt.Errorf("send line %d of %s: %w", it.line, it.source.name, err))
	}
}

func (s *sender) reject(it item, err error) {
	s.rejects.add(Reject{File: it.source.name, Line: it.line, Topic: it.source.topic, Reason: err.Error(), Text: it.text}, class(err))
}

// own matches what differs from line to line in a reason: numbers and quoted values.
var own = regexp.MustCompile(`"(\\.|[^"\\])*"|-?[0-9][0-9.]*`)

// class is a reason without the line's own values, by which rejects are counted.
func class(err error) string { return own.ReplaceAllString(err.Error(), "…") }

// reports shows progress until the returned function is called, which shows it a last time.
func (s *sender) reports(sources []*source) (stop func()) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(s.screen.every())
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				s.screen.report(s.standing(sources))
			case <-done:
				return
			}
		}
	})
	return func() {
		close(done)
		wg.Wait()
		s.screen.say(s.standing(sources).line(time.Since(s.screen.began)))
	}
}

func (s *sender) standing(sources []*source) standing {
	var read, size int64
	for _, src := range sources {
		read += src.read.Load()
		size += src.size
		if src.size == 0 {
			size, read = 0, 0
			break
		}
	}
	share := -1.0
	if size > 0 {
		share = float64(read) / float64(size)
	}
	s.rejects.mu.Lock()
	defer s.rejects.mu.Unlock()
	return standing{sent: s.acknowledged.Load(), rejected: s.rejects.count, share: share}
}

func (s *sender) stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rejects.mu.Lock()
	defer s.rejects.mu.Unlock()
	return Stats{Read: s.read.Load(), Sent: s.acknowledged.Load(), Rejected: s.rejects.count, Reasons: s.rejects.by, ByTopic: s.byTopic,
		Bytes: s.bytes.Load(), Oldest: s.oldest, Newest: s.newest}
}

// pace holds records back.
type pace struct {
	rate, speedup float64
	began         time.Time
	sent          int64
	firstEvent    sales.Millis // and when it was sent
	eventsBegan   time.Time
}

// wait returns when the next record may be sent, or the context's cause.
func (p *pace) wait(ctx context.Context, at sales.Millis) error {
	var due time.Time
	if p.rate > 0 {
		if p.sent == 0 {
			p.began = time.Now()
		}
		due = p.began.Add(time.Duration(float64(p.sent) / p.rate * float64(time.Second)))
		p.sent++
	}
	if p.speedup > 0 && at != 0 {
		if p.firstEvent == 0 {
			p.firstEvent, p.eventsBegan = at, time.Now()
		}
		byTime := p.eventsBegan.Add(time.Duration(float64(at-p.firstEvent) / p.speedup * float64(time.Millisecond)))
		if byTime.After(due) {
			due = byTime
		}
	}
	left := time.Until(due)
	if due.IsZero() || left < time.Millisecond {
		return nil
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
