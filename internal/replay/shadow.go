package replay

import (
	"context"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/engine"
	"leadline/internal/intake"
	"leadline/internal/sales"
	"leadline/internal/wire"
)

// Shadow is one shard's engine on the journal's rails: Play takes a commit's decisions again, Commit makes them its past. It
// keeps every customer's blob, and belongs to one goroutine. Several cores share the rails when the shard's customers are divided
// among more shards, or when other rules or links are tried beside those of the journal.
type Shadow struct {
	rails
	cores   []*core
	divide  int32 // so many shards there are to be: cores[i] has the customers of one of them; 0: one core has all
	rehomed rehomed

	step Played
}

// Played is what a commit decides.
type Played struct {
	Journal  *sales.Journal
	Records  int64           // read
	Decision engine.Decision // of all cores; indices of Rejected and Late have no meaning any more
	Refused  []Refused
}

// Refused is a record that goes to dead-letters or late-events.
type Refused struct {
	Topic  string // without prefix
	Record *kgo.Record
	Why    wire.Refusal
}

// NewShadow knows nothing yet: it must be given the journal from the first commit on. partitions is the count of the
// customer-keyed topics, begins where those of the knowledge begin, given the records whose schema the live engine did not
// find, with the reason of their dead letters.
func NewShadow(o Options, p, partitions int32, begins intake.Positions, given map[sales.Source]string) *Shadow {
	s := &Shadow{rails: newRails(o, p, partitions, begins, given)}
	s.addCore(s.addView(nil, nil))
	s.forget()
	return s
}

// newDivided is a Shadow whose customers are divided as they would be among so many shards.
func newDivided(o Options, p, partitions int32, begins intake.Positions, given map[sales.Source]string, divide int32) *Shadow {
	s := &Shadow{rails: newRails(o, p, partitions, begins, given), divide: divide}
	v := s.addView(nil, nil)
	for range cells(p, partitions, divide) {
		s.addCore(v)
	}
	s.forget()
	return s
}

// cells lists which of so many shards have customers of shard p of partitions.
func cells(p, partitions, divide int32) []int32 {
	var list []int32
	for q := range divide {
		if (q-p)%wire.Common(partitions, divide) == 0 {
			list = append(list, q)
		}
	}
	return list
}

func (s *Shadow) addCore(v *view) {
	c := &core{view: v, blobs: map[string][]byte{}, shard: engine.NewShard(engine.Config{Prefix: s.o.Prefix, Partition: s.p,
		Partitions: s.reader.Partitions, Clock: engine.Data, Calendar: s.o.Calendar, Rules: engine.DefaultRules()})}
	s.cores = append(s.cores, c)
}

// own is how many of the cores decide as the journal has it.
func (s *Shadow) own() int {
	if s.divide > 0 {
		return len(s.cores)
	}
	return 1
}

// Close ends what is open to Kafka.
func (s *Shadow) Close() {
	s.close()
	if s.rehomed.at != nil {
		s.rehomed.at.close()
	}
}

// follow reads what the commit read and knew, and puts its rules in force.
func (s *Shadow) follow(ctx context.Context, j *sales.Journal) error {
	s.step = Played{Journal: j}
	s.refused = s.refused[:0]
	if err := s.count(j); err != nil {
		return err
	}
	rules, err := s.takeRules(j)
	if err == nil && rules != nil {
		err = s.setRules(*rules)
	}
	if err != nil {
		return err
	}
	if err := s.learn(ctx, j); err != nil {
		return err
	}
	s.step.Records, err = s.read(ctx, j)
	return err
}

// count makes the shards as many as they were at the commit.
func (s *Shadow) count(j *sales.Journal) error {
	if j.Partitions == 0 || j.Partitions == s.reader.Partitions { // 0: a release that did not say, and could not grow
		return nil
	}
	if s.divide > 0 {
		return &cutError{fmt.Sprintf("at commit %d there were %d shards, now there are %d: a history in which the shards grew cannot be divided otherwise",
			j.CSN, j.Partitions, s.reader.Partitions)}
	}
	s.reader.Partitions = j.Partitions
	return nil
}

// setRules puts rules of the journal in force, or what the views make of them.
func (s *Shadow) setRules(rules engine.Rules) error {
	for _, v := range s.views {
		v.rules = rules
		if v.alter != nil {
			var err error
			if v.rules, err = v.alter(rules); err != nil {
				return err
			}
		}
		v.known.SetRules(v.rules)
	}
	for _, c := range s.cores {
		c.shard.SetRules(c.view.rules)
	}
	s.rules, s.original = rules.Hash(), rules
	return nil
}

// Play decides about the journal's next commit, whose runs must tile with those before. What it gives is valid until Commit, which
// must follow. A *gapError says that the journal's word cannot be followed.
func (s *Shadow) Play(ctx context.Context, j *sales.Journal) (*Played, error) {
	if j.GrownFrom != 0 {
		return s.grow(ctx, j)
	}
	if err := s.takeUp(); err != nil {
		return nil, err
	}
	if err := s.follow(ctx, j); err != nil {
		return nil, err
	}
	if s.divide == 0 {
		d, err := s.cores[0].step(j, s.events.List, false)
		if err != nil {
			return nil, err
		}
		s.refuseDecided(d, s.sources)
		s.step.Decision = d
	} else if err := s.playDivided(j); err != nil {
		return nil, err
	}
	s.step.Refused = s.refused
	return &s.step, nil
}

// playDivided gives each core the events of its customers, and all of them the commit's time.
func (s *Shadow) playDivided(j *sales.Journal) error {
	all := &s.step.Decision
	for i, q := range cells(s.p, s.reader.Partitions, s.divide) {
		var events []sales.Event
		var sources []*kgo.Record
		for k, rec := range s.sources {
			if wire.Partition(rec.Key, s.divide) == q {
				events, sources = append(events, s.events.List[k]), append(sources, rec)
			}
		}
		d, err := s.cores[i].step(j, events, false)
		if err != nil {
			return err
		}
		s.refuseDecided(d, sources)
		all.Alerts = append(all.Alerts, d.Alerts...)
		all.Changes = append(all.Changes, d.Changes...)
		all.Duplicates += d.Duplicates
		all.TimersFired += d.TimersFired
	}
	return nil
}

func (s *Shadow) refuseDecided(d engine.Decision, sources []*kgo.Record) {
	for _, r := range d.Rejected {
		s.refuse(deadLettersTopic, sources[r.Event], r.Class, r.Reason)
	}
	for _, i := range d.Late {
		s.refuse(lateEventsTopic, sources[i], wire.LateClass, wire.LateReason)
	}
}

// Commit makes what was played the shadow's past.
func (s *Shadow) Commit() {
	for _, c := range s.cores {
		c.commit(s.step.Journal.CSN)
	}
	s.step = Played{}
}

// blob is a customer's state.
func (s *Shadow) blob(customer string) (blob []byte, of *core) {
	at := 0
	if s.divide != 0 {
		at = slices.Index(cells(s.p, s.reader.Partitions, s.divide), wire.Partition([]byte(customer), s.divide))
	}
	if at < 0 {
		return nil, s.cores[0] // it is not where it belongs
	}
	return s.cores[at].blobs[customer], s.cores[at]
}

// core is an engine that takes the decisions of one shard's customers, or of a part of them.
type core struct {
	shard *engine.Shard
	view  *view
	blobs map[string][]byte
	last  engine.Decision // until commit
}

// cacheBytes is how much decoded customers of one shard may take; the others are in their blobs.
const cacheBytes = 64 << 20

// step decides about events as of the commit's time.
func (c *core) step(j *sales.Journal, events []sales.Event, explain bool) (engine.Decision, error) {
	plan := c.shard.PlanAt(events, j.Now, j.Watermark)
	if plan.Now != j.Now {
		return engine.Decision{}, &gapError{fmt.Sprintf("time goes back: commit %d is at %s, the shard was at %s", j.CSN, instant(j.Now), instant(plan.Now))}
	}
	for _, id := range plan.Missing {
		if err := c.shard.Load(id, c.blobs[id]); err != nil {
			return engine.Decision{}, err
		}
	}
	c.last = c.shard.Step(engine.Batch{CSN: j.CSN, Events: events, Plan: plan, Clock: j.Clock, Knowledge: c.view.known.Engine(),
		RunID: sales.LiveRun, Explain: explain})
	return c.last, nil
}

func (c *core) commit(csn int64) {
	for _, ch := range c.last.Changes {
		if ch.Blob == nil {
			delete(c.blobs, ch.CustomerID)
		} else {
			c.blobs[ch.CustomerID] = ch.Blob
		}
	}
	c.shard.Commit()
	c.shard.Acknowledge(csn)
	c.shard.Evict(cacheBytes)
	c.last = engine.Decision{}
}
