package deadletter

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"leadline/internal/sales"
	"leadline/internal/wire"
)

// Report is what a retry did.
type Report struct {
	Chosen  int            // letters that the filter chooses
	Before  int            // of these, sent by an earlier retry
	Sent    int            // of these, sent now (or to be sent, if dry)
	Rekeyed int            // of those sent, under another key than the original's
	Lost    int            // of those chosen, not sendable: the headers name no topic that exists
	Topics  map[string]int // sent, by topic
}

const (
	perTransaction = 500 // bounds what a killed retry has to do again
	abortTimeout   = 10 * time.Second
)

// Retry sends the chosen letters that were not sent before back to the topics they came from. Dry, it only counts. On an
// error the report says what was sent until then. Of two retries at once the later one goes on, the other fails.
func (b *Box) Retry(ctx context.Context, f Filter, dry bool) (Report, error) {
	r := retry{box: b, filter: f, dry: dry, report: Report{Topics: map[string]int{}}, last: map[int32]seen{}}
	if err := r.run(ctx); err != nil {
		return r.report, fmt.Errorf("retry dead letters: %w", err)
	}
	return r.report, nil
}

type retry struct {
	box    *Box
	filter Filter
	dry    bool
	report Report

	cl      *kgo.Client
	counts  map[string]int32 // partitions of each topic
	topicID kadm.TopicID     // of dead-letters, by which newer brokers call it
	ledgers map[int32]ledger
	last    map[int32]seen
	batch   []*kgo.Record
	changed map[int32]bool // partitions with letters in the batch
	rekeyed int            // in the batch
}

// seen is the letter before the one that is looked at, and whether it was sent. The offsets between two letters hold no
// letters but transactions' marks, and count as sent if both neighbours were.
type seen struct {
	next int64
	sent bool
}

func (r *retry) run(ctx context.Context) (err error) {
	r.cl, err = kgo.NewClient(append(r.box.Opts[:len(r.box.Opts):len(r.box.Opts)], kgo.TransactionalID(r.box.group()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(wire.MaxInput))...)
	if err != nil {
		return err
	}
	defer r.cl.Close()
	if !r.dry {
		// This ends whatever another retry has open, before the offsets are read that it would have changed.
		if _, _, err := r.cl.ProducerID(ctx); err != nil {
			return err
		}
	}
	if r.ledgers, err = r.box.ledgers(ctx, r.cl); err != nil {
		return err
	}
	topics, err := kadm.NewClient(r.cl).ListTopics(ctx)
	if err != nil {
		return err
	}
	r.counts, r.changed = map[string]int32{}, map[int32]bool{}
	r.topicID = topics[r.box.topic()].ID
	for _, t := range topics.Sorted() {
		r.counts[t.Topic] = int32(len(t.Partitions))
	}
	if err := r.box.scan(ctx, r.cl, func(rec *kgo.Record) error { return r.letter(ctx, rec) }); err != nil {
		return err
	}
	return r.flush(ctx)
}

// letter looks at one letter, in the order of its partition.
func (r *retry) letter(ctx context.Context, rec *kgo.Record) error {
	l := letterOf(rec)
	sent := r.ledgers[l.Partition].has(l.Offset)
	if r.filter.chooses(&l) {
		r.report.Chosen++
		if sent {
			r.report.Before++
		} else {
			var err error
			if sent, err = r.add(ctx, &l); err != nil {
				return err
			}
		}
	}
	if sent {
		from := l.Offset
		if before := r.last[l.Partition]; before.sent || before.next == 0 {
			from = before.next
		}
		r.ledgers[l.Partition] = r.ledgers[l.Partition].add(run{from, l.Offset + 1})
	}
	r.last[l.Partition] = seen{next: l.Offset + 1, sent: sent}
	if len(r.batch) >= perTransaction {
		return r.flush(ctx)
	}
	return nil
}

// add puts a letter into the batch; false if there is nowhere to send it.
func (r *retry) add(ctx context.Context, l *Letter) (bool, error) {
	n := r.counts[l.Source.Topic]
	if n == 0 {
		r.report.Lost++
		return false, nil
	}
	key, err := r.box.key(ctx, l)
	if err != nil {
		return false, fmt.Errorf("decode dead letter %d/%d: %w", l.Partition, l.Offset, err)
	}
	if string(key) != string(l.Key) {
		r.rekeyed++
	}
	r.batch = append(r.batch, &kgo.Record{
		Topic: l.Source.Topic, Partition: wire.Partition(key, n), Key: key, Value: l.Value,
		Headers: append(l.Headers[:len(l.Headers):len(l.Headers)],
			kgo.RecordHeader{Key: HeaderRetried, Value: strconv.AppendInt(nil, int64(l.Retried)+1, 10)},
			kgo.RecordHeader{Key: HeaderLetter, Value: fmt.Appendf(nil, "%d/%d", l.Partition, l.Offset)}),
	})
	r.changed[l.Partition] = true
	return true, nil
}

// key is the customer's id for a misrouted record that can be read, else the original's key.
func (b *Box) key(ctx context.Context, l *Letter) ([]byte, error) {
	if l.Class != sales.DeadMisrouted {
		return l.Key, nil
	}
	id, err := b.customer(ctx, strings.TrimPrefix(l.Source.Topic, b.Prefix), l.Value)
	var poison *wire.Poison
	switch {
	case errors.As(err, &poison), err == nil && id == "":
		return l.Key, nil
	case err != nil:
		return nil, err
	}
	return []byte(id), nil
}

// customer reads whose record it is; empty for records that only their key tells about.
func (b *Box) customer(ctx context.Context, topic string, value []byte) (string, error) {
	if value == nil {
		return "", nil
	}
	switch topic {
	case "purchases":
		var p sales.Purchase
		err := b.Decoder.Purchase(ctx, value, &p)
		return p.CustomerID, err
	case "touchpoints":
		var t sales.Touchpoint
		err := b.Decoder.Touchpoint(ctx, value, &t)
		return t.CustomerID, err
	case "customers":
		var c sales.Customer
		err := b.Decoder.Customer(ctx, value, &c)
		return c.CustomerID, err
	case "outcomes":
		var o sales.Outcome
		err := b.Decoder.Outcome(ctx, value, &o)
		return o.CustomerID, err
	case "identities":
		var i sales.Identity
		err := b.Decoder.Identity(ctx, value, &i)
		return i.FromID, err
	}
	return "", nil
}

// flush sends the batch and remembers it, both or neither.
func (r *retry) flush(ctx context.Context) error {
	if len(r.batch) > 0 && !r.dry {
		if err := r.transaction(ctx); err != nil {
			return err
		}
	}
	for _, rec := range r.batch {
		r.report.Topics[rec.Topic]++
	}
	r.report.Sent += len(r.batch)
	r.report.Rekeyed += r.rekeyed
	r.batch, r.rekeyed = nil, 0
	clear(r.changed)
	return nil
}

func (r *retry) transaction(ctx context.Context) error {
	offsets, err := r.offsets()
	if err != nil {
		return err
	}
	if err := r.cl.BeginTransaction(); err != nil {
		return err
	}
	err = r.cl.ProduceSync(ctx, r.batch...).FirstErr()
	if err == nil {
		err = r.commitOffsets(ctx, offsets)
	}
	if err != nil {
		// Also when ctx is what failed: an open transaction would hold up every reader until it times out.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
		defer cancel()
		return errors.Join(err, r.cl.EndTransaction(ctx, kgo.TryAbort))
	}
	return r.cl.EndTransaction(ctx, kgo.TryCommit)
}

// offsets are the ledgers of the partitions that the batch is from.
func (r *retry) offsets() ([]kmsg.TxnOffsetCommitRequestTopicPartition, error) {
	var offsets []kmsg.TxnOffsetCommitRequestTopicPartition
	for p := range r.changed {
		at, metadata, err := r.ledgers[p].encode()
		if err != nil {
			return nil, err
		}
		o := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		o.Partition, o.Offset, o.Metadata = p, at, &metadata
		offsets = append(offsets, o)
	}
	return offsets, nil
}

// commitOffsets does by hand what the client does for members of a group: this one reads without being a member, since
// it chooses, and a group's offsets only tell how far.
func (r *retry) commitOffsets(ctx context.Context, offsets []kmsg.TxnOffsetCommitRequestTopicPartition) error {
	id, epoch, err := r.cl.ProducerID(ctx)
	if err != nil {
		return err
	}
	add := kmsg.NewPtrAddOffsetsToTxnRequest()
	add.TransactionalID, add.ProducerID, add.ProducerEpoch, add.Group = r.box.group(), id, epoch, r.box.group()
	added, err := add.RequestWith(ctx, r.cl)
	if err == nil {
		err = kerr.ErrorForCode(added.ErrorCode)
	}
	if err != nil {
		return fmt.Errorf("add offsets to the transaction: %w", err)
	}
	commit := kmsg.NewPtrTxnOffsetCommitRequest()
	commit.TransactionalID, commit.ProducerID, commit.ProducerEpoch, commit.Group = r.box.group(), id, epoch, r.box.group()
	topic := kmsg.NewTxnOffsetCommitRequestTopic()
	topic.Topic, topic.TopicID, topic.Partitions = r.box.topic(), r.topicID, offsets
	commit.Topics = append(commit.Topics, topic)
	committed, err := commit.RequestWith(ctx, r.cl)
	if err != nil {
		return fmt.Errorf("commit offsets: %w", err)
	}
	for _, t := range committed.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return fmt.Errorf("commit the offset of %s, partition %d: %w", r.box.topic(), p.Partition, err)
			}
		}
	}
	return nil
}

// ledgers reads what was sent until now, by partition.
func (b *Box) ledgers(ctx context.Context, cl *kgo.Client) (map[int32]ledger, error) {
	offsets, err := kadm.NewClient(cl).FetchOffsets(kadm.RequireStable(ctx), b.group())
	if err == nil {
		err = offsets.Error()
	}
	if errors.Is(err, kerr.GroupIDNotFound) {
		return map[int32]ledger{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the offsets of group %s: %w", b.group(), err)
	}
	all := map[int32]ledger{}
	for p, o := range offsets[b.topic()] {
		if all[p], err = decodeLedger(o.At, o.Metadata); err != nil {
			return nil, fmt.Errorf("group %s, partition %d: %w", b.group(), p, err)
		}
	}
	return all, nil
}
