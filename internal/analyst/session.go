package analyst

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/plugin/kzap"
	"go.uber.org/zap"

	"leadline/internal/promise"
)

// session is one life of the transactional group member. It ends with the context, or with an error after which only what is
// committed counts.
type session struct {
	*Analyst
	client   *kgo.GroupTransactSession
	opened   chan struct{} // closed when client is set: the group may call back before
	handover handover
	memory   *memory // nil while another member works
	last     published
	kept     published // when pairs were kept too
	whole    published // when all links were said that were in any way other than said before
}

// published is when and how the last commit was.
type published struct {
	at   time.Time
	took time.Duration
	day  int32 // event time then, in days
}

// handover is what group callbacks leave for the loop to find.
type handover struct {
	mu      sync.Mutex
	changed bool
	reading bool // between being assigned and having the memory
	memory  *memory
	err     error
}

func (h *handover) begin() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.reading = true
}

func (h *handover) set(m *memory, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.changed, h.reading, h.memory, h.err = true, false, m, err
}

func (h *handover) isReading() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.reading
}

func (h *handover) take() (m *memory, changed bool, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	changed, h.changed = h.changed, false
	return h.memory, changed, h.err
}

func (a *Analyst) session(ctx context.Context) error {
	s := &session{Analyst: a, opened: make(chan struct{})}
	client, err := kgo.NewGroupTransactSession(s.options()...)
	if err != nil {
		return promise.Break("mend the configuration", "open session: %w", err)
	}
	s.client = client
	close(s.opened)
	defer client.Close()
	if err := s.checkTopics(ctx); err != nil {
		return err
	}
	s.say("joining the group")
	for ctx.Err() == nil {
		if err := s.turn(ctx); err != nil {
			return err
		}
	}
	return s.leave(ctx)
}

func (s *session) options() []kgo.Opt {
	gone := func(context.Context, *kgo.Client, map[string][]int32) { s.handover.set(nil, nil) }
	return append(slices.Clone(s.cfg.Kafka),
		kgo.ConsumerGroup(s.cfg.Prefix+"leadline-analyst"),
		kgo.Balancers(kgo.RangeBalancer()), // the one that keeps the single partitions of all kinds together
		kgo.ConsumeTopics(s.topics.inputs()...),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), // out of range must be loud
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // so that a position can reach the end of its topic
		kgo.SessionTimeout(sessionTimeout),
		kgo.TransactionalID(s.cfg.Prefix+"leadline-analyst"),
		kgo.TransactionTimeout(transactionTimeout),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.AdjustFetchOffsetsFn(s.assigned),
		kgo.OnPartitionsRevoked(gone),
		kgo.OnPartitionsLost(gone),
		kgo.WithLogger(kzap.New(s.log.Named("kafka"), kzap.Level(kgo.LogLevelWarn))),
	)
}

// checkTopics says which topic is missing, or cannot hold a sum because its order would be lost among partitions.
func (s *session) checkTopics(ctx context.Context) error {
	s.say("looking for its topics")
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	names := append(append(s.topics.inputs(), s.topics.outputs()...), s.topics.channelAlerts)
	details, err := kadm.NewClient(s.client.Client()).ListTopics(ctx, names...)
	if err != nil {
		return fmt.Errorf("list topics: %w", err)
	}
	for _, name := range names {
		switch d := details[name]; {
		case errors.Is(d.Err, kerr.UnknownTopicOrPartition):
			return fmt.Errorf("topic %s is missing; `leadline topics create` makes it", name)
		case d.Err != nil:
			return fmt.Errorf("topic %s: %w", name, d.Err)
		case len(d.Partitions) != 1:
			return promise.Break("it must have 1", "topic %s has %d partitions", name, len(d.Partitions))
		}
	}
	return nil
}

// assigned is called when the group has given this member the tallies, before it reads any: it reads back what the last member
// committed and answers where that got to. The positions in leadline.knowledge-state decide; the group's own offsets say the
// same, being of the same transactions, but can expire or be set by a tool.
func (s *session) assigned(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	if len(offsets) == 0 {
		return offsets, nil
	}
	<-s.opened
	s.handover.begin()
	memory, positions, err := s.recover(ctx)
	if err != nil {
		err = fmt.Errorf("read sums back: %w", err)
		s.handover.set(nil, err)
		return nil, err
	}
	for topic := range offsets {
		offsets[topic] = map[int32]kgo.Offset{0: kgo.NewOffset().At(positions[topic])}
	}
	s.handover.set(memory, nil)
	return offsets, nil
}

// turn reads once, folds, and publishes when it is time.
func (s *session) turn(ctx context.Context) error {
	wait, cancel := context.WithTimeout(ctx, s.untilDue())
	fetches := s.client.PollRecords(wait, maxPoll)
	cancel()
	memory, changed, err := s.handover.take()
	switch {
	case err != nil:
		return err
	case changed:
		return s.adopt(ctx, memory)
	case s.memory == nil:
		s.standBy()
		return nil
	}
	if err := s.foldAll(ctx, fetches); err != nil {
		return err
	}
	switch {
	case s.due():
		return s.publish(ctx, requestTimeout, s.keeps())
	case s.rests(): // nobody buys any more, and retention may take the tallies
		return s.settle(ctx, requestTimeout)
	}
	return nil
}

// adopt goes on from another memory, or none. What was polled meanwhile is read again: the end of an empty transaction rewinds to the
// assigned positions, and clears the session's mark that a rebalance came, which would make the next commit fail.
func (s *session) adopt(ctx context.Context, m *memory) error {
	s.memory = m
	s.metrics.unpublished.Set(0)
	if m == nil {
		s.say("waiting for the group")
		return nil
	}
	if err := s.client.Begin(); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if _, err := s.client.End(ctx, kgo.TryAbort); err != nil {
		return fmt.Errorf("rewind: %w", err)
	}
	s.last, s.kept, s.whole = published{}, published{}, published{}
	s.say("")
	s.log.Info("has its sums", zap.Int("rows", len(m.sums.rows)), zap.Int("items", m.sums.counts.Items()), zap.Int("links", len(m.links)))
	if n := len(m.sums.obsolete); n > 0 {
		s.log.Warn("rows of leadline.knowledge-state are of tallies of an earlier release and will be taken away; what they counted is learned anew",
			zap.Int("rows", n), zap.String("one of them", m.sums.obsolete[0]))
	}
	return nil
}

// standBy is ready too once the group knows the member and gave it nothing: another one works.
func (s *session) standBy() {
	_, generation := s.client.Client().GroupMetadata()
	switch {
	case s.handover.isReading():
		s.say("reading its sums back")
	case generation >= 0:
		s.say("")
	}
}

// leave commits what is folded, so that the next start finds it done.
func (s *session) leave(ctx context.Context) error {
	if s.memory == nil {
		return nil
	}
	if _, changed, err := s.handover.take(); changed || err != nil {
		return err
	}
	switch sums := s.memory.sums; {
	case sums.dirty():
		return s.publish(ctx, graceOnStop, true)
	case sums.unkept || s.memory.held:
		return s.settle(ctx, graceOnStop)
	}
	return nil
}

// settle does what publishing left undone, because the sums of pairs are kept at a slower pace, and links that have moved a little are not said
// at once. It is a transaction of its own: the group has nothing to commit, and the transactional id alone fences it.
func (s *session) settle(ctx context.Context, atMost time.Duration) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), atMost)
	defer cancel()
	began, e := time.Now(), &edition{}
	if s.memory.sums.unkept {
		if err := s.addPairs(e); err != nil {
			return err
		}
	}
	if err := s.addLinks(e, true); err != nil {
		return err
	}
	client := s.client.Client()
	if err := client.BeginTransaction(); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := client.ProduceSync(ctx, e.records...).FirstErr(); err != nil {
		return fmt.Errorf("produce: %w", err)
	}
	if err := client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	s.memory.sums.committed(true)
	s.memory.links, s.memory.held = e.links, e.held
	s.last = published{at: time.Now(), took: time.Since(began), day: s.day()}
	s.kept, s.whole = s.last, s.last
	s.metrics.keepSeconds.Observe(s.kept.took.Seconds())
	s.metrics.countLinks(e.links)
	return nil
}
