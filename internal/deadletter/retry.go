package deadletter

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"leadline/internal/committed"
	"leadline/internal/sales"
	"leadline/internal/wire"
)

// Report is what a retry did.
type Report struct {
	Chosen   int            `json:"chosen"`          // letters that the filter chooses, or that were edited
	Before   int            `json:"sent_before"`     // of these, sent by an earlier retry
	Sent     int            `json:"sent"`            // of these, sent now (or to be sent, if dry)
	Again    int            `json:"refused_again"`   // of those sent, refused before after an earlier retry
	Edited   int            `json:"edited"`          // of those sent, with another value or key than was refused
	Rekeyed  int            `json:"under_other_key"` // of those sent, under another key than the original's
	Lost     int            `json:"no_topic"`        // of those chosen, not sendable: the headers name no input topic that exists
	TooLarge int            `json:"too_large"`       // of those chosen, not sendable: with its history it is more than an input takes
	Topics   map[string]int `json:"topics"`          // sent, by topic
	Dry      bool           `json:"dry_run"`
}

const (
	perTransaction = 500 // bounds what a killed retry has to do again
	abortTimeout   = 10 * time.Second
)

// Retry sends the chosen letters that were not sent before back to the topics they came from. Dry, it only counts. On an
// error the report says what was sent until then. Of two retries at once the later one goes on, the other fails.
func (b *Box) Retry(ctx context.Context, f Filter, dry bool) (Report, error) {
	return b.retry(ctx, &retry{filter: f, dry: dry})
}

// RetryEdited sends exactly the letters that the edits name, as Retry does: those that differ from what was refused in their new shape,
// the others as they are. All are looked at before any is sent; EditErrors say which are wrong.
func (b *Box) RetryEdited(ctx context.Context, edits *Edits, dry bool) (Report, error) {
	out, err := b.mend(ctx, edits)
	if err != nil {
		return Report{Topics: map[string]int{}, Dry: dry}, err
	}
	return b.retry(ctx, &retry{edits: edits, mended: out, dry: dry})
}

func (b *Box) retry(ctx context.Context, r *retry) (Report, error) {
	r.box, r.report, r.last = b, Report{Topics: map[string]int{}, Dry: r.dry}, map[int32]seen{}
	if err := r.run(ctx); err != nil {
		return r.report, fmt.Errorf("retry dead letters: %w", err)
	}
	return r.report, nil
}

type retry struct {
	box    *Box
	filter Filter
	edits  *Edits // what is chosen, instead of the filter
	mended map[Position]mended
	dry    bool
	report Report

	cl      *kgo.Client
	counts  map[string]int32 // partitions of each topic
	topicID kadm.TopicID     // of dead-letters, by which newer brokers call it
	ledgers map[int32]ledger
	last    map[int32]seen
	batch   []*kgo.Record
	changed map[int32]bool // partitions with letters in the batch
	counted counted        // of the batch
}

// counted is what the report learns when a batch is sent.
type counted struct{ rekeyed, edited, again int }

func (r *retry) chooses(l *Letter) bool {
	if r.edits == nil {
		return r.filter.chooses(l)
	}
	_, named := r.edits.lines[l.Position]
	return named
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
	// From the very beginning, whatever is chosen: the ledger grows from there.
	spans, err := committed.Whole(ctx, kadm.NewClient(r.cl), r.box.topic())
	if err != nil {
		return err
	}
	if err := committed.Read(ctx, r.box.Opts, spans, func(rec *kgo.Record) error { return r.letter(ctx, rec) }); err != nil {
		return err
	}
	return r.flush(ctx)
}

// letter looks at one letter, in the order of its partition.
func (r *retry) letter(ctx context.Context, rec *kgo.Record) error {
	l := letterOf(rec)
	l.Sent = r.ledgers[l.Partition].has(l.Offset)
	if r.chooses(&l) {
		r.report.Chosen++
		if l.Sent {
			r.report.Before++
		} else {
			var err error
			if l.Sent, err = r.add(ctx, &l); err != nil {
				return err
			}
		}
	}
	if l.Sent {
		from := l.Offset
		if before := r.last[l.Partition]; before.sent || before.next == 0 {
			from = before.next
		}
		r.ledgers[l.Partition] = r.ledgers[l.Partition].add(run{from, l.Offset + 1})
	}
	r.last[l.Partition] = seen{next: l.Offset + 1, sent: l.Sent}
	if len(r.batch) >= perTransaction {
		return r.flush(ctx)
	}
	return nil
}

// add puts a letter into the batch; false if it cannot be sent.
func (r *retry) add(ctx context.Context, l *Letter) (bool, error) {
	topic, ok := r.box.input(l.Source.Topic)
	n := r.counts[l.Source.Topic]
	if !ok || n == 0 {
		r.report.Lost++
		return false, nil
	}
	send, edited := r.mended[l.Position]
	if !edited {
		key, err := r.box.key(ctx, topic, l)
		if err != nil {
			return false, fmt.Errorf("decode dead letter %s: %w", l.Position, err)
		}
		send = mended{key, l.Value}
	}
	rec := &kgo.Record{Topic: l.Source.Topic, Partition: wire.Partition(send.key, n), Key: send.key, Value: send.value,
		Headers: append(l.Headers[:len(l.Headers):len(l.Headers)], l.sentHeaders(edited)...)}
	if size(rec) > wire.MaxInput {
		r.report.TooLarge++
		return false, nil
	}
	r.counted.rekeyed += one(string(send.key) != string(l.Key))
	r.counted.edited += one(edited)
	r.counted.again += one(l.Retried > 0)
	r.batch = append(r.batch, rec)
	r.changed[l.Partition] = true
	return true, nil
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// sentHeaders is the history that a record carries when it is sent again.
func (l *Letter) sentHeaders(edited bool) []kgo.RecordHeader {
	headers := []kgo.RecordHeader{
		{Key: HeaderRetried, Value: strconv.AppendInt(nil, int64(l.Retried)+1, 10)},
		{Key: HeaderLetter, Value: []byte(l.Position.String())},
	}
	first := l.Edited
	if edited && first == "" {
		first = fmt.Sprintf("%x", sha256.Sum256(l.Value))
	}
	if first != "" {
		headers = append(headers, kgo.RecordHeader{Key: HeaderEdited, Value: []byte(first)})
	}
	return headers
}

// size bounds from above what a record takes in a batch of its own: one that is too large would fail all the others with it.
func size(r *kgo.Record) int {
	const batch, record, header = 61, 31, 10
	n := batch + record + len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += header + len(h.Key) + len(h.Value)
	}
	return n
}

// key is the record's own for a misrouted one that can be read, else the original's key.
func (b *Box) key(ctx context.Context, topic string, l *Letter) ([]byte, error) {
	if l.Class != sales.DeadMisrouted {
		return l.Key, nil
	}
	record, err := b.Decoder.Input(ctx, topic, l.Value)
	var poison *wire.Poison
	switch {
	case errors.As(err, &poison), errors.Is(err, wire.ErrTombstone):
		return l.Key, nil
	case err != nil:
		return nil, err
	}
	return []byte(wire.Key(record)), nil
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
	r.report.Rekeyed += r.counted.rekeyed
	r.report.Edited += r.counted.edited
	r.report.Again += r.counted.again
	r.batch, r.counted = nil, counted{}
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
	offsets, err := committed.Offsets(ctx, kadm.NewClient(cl), b.group())
	if err != nil {
		return nil, err
	}
	all := map[int32]ledger{}
	for p, o := range offsets[b.topic()] {
		if all[p], err = decodeLedger(o.At, o.Metadata); err != nil {
			return nil, fmt.Errorf("group %s, partition %d: %w", b.group(), p, err)
		}
	}
	return all, nil
}
