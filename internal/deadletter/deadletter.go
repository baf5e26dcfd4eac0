// Package deadletter reads the dead-letters topic and sends what was mended back to where it came from.
//
// A dead letter keeps key, value and headers of the record that could not be used; Leadline's own headers say why and
// where it stood. Retry sends each letter once: which ones were sent is committed in the transaction that sends them,
// whatever filters they were chosen by and however often it is run or killed, for as long as the broker keeps the offsets
// of a group at rest (a week by default, offsets.retention.minutes). Sent twice after that, an event still counts once,
// by its event_id.
//
// It does not mend: values go back byte by byte, only a wrong key of a misrouted record is put right. Wiring and commands
// may import it.
package deadletter

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/committed"
	"leadline/internal/sales"
	"leadline/internal/wire"
)

// ownHeaders begins the names of all headers that are not the original's.
const ownHeaders = "leadline-"

// Headers of a record that was sent again.
const (
	// HeaderRetried counts how often the record was sent again.
	HeaderRetried = ownHeaders + "retried"
	// HeaderLetter is the partition/offset of the dead letter that it was sent from.
	HeaderLetter = ownHeaders + "dead-letter"
)

// Position is where a letter stands in the dead-letters topic.
type Position struct {
	Partition int32
	Offset    int64
}

// Letter is one dead letter.
type Letter struct {
	Position
	RefusedAt  time.Time
	Class      sales.DeadLetterClass
	Reason     string
	Source     sales.Source // the zero Topic when the headers do not say
	SourceTime time.Time    // Kafka's timestamp of the original
	Retried    int          // how often the record had been sent again before it was refused this time
	Sent       bool         // this letter was sent again already
	Key, Value []byte
	Headers    []kgo.RecordHeader // the original's
}

// Filter chooses letters; the zero Filter chooses all.
type Filter struct {
	Class       sales.DeadLetterClass
	SourceTopic string // as in Kafka, with the tenant's prefix
	Since       time.Time
	At          *Position // exactly this one
}

func (f *Filter) chooses(l *Letter) bool {
	return (f.Class == "" || f.Class == l.Class) && (f.SourceTopic == "" || f.SourceTopic == l.Source.Topic) &&
		!l.RefusedAt.Before(f.Since) && (f.At == nil || *f.At == l.Position)
}

// Box is a tenant's dead letters.
type Box struct {
	Opts    []kgo.Opt // brokers, TLS, SASL
	Prefix  string    // of the tenant's topics
	Decoder *wire.Decoder
}

func (b *Box) topic() string { return b.Prefix + "dead-letters" }

// group is whose committed offsets say what was sent, and the transactional id that keeps two retries apart.
func (b *Box) group() string { return b.Prefix + "leadline-dead-letters" }

// List reads the chosen letters, each partition's in order.
func (b *Box) List(ctx context.Context, f Filter) ([]Letter, error) {
	cl, err := kgo.NewClient(b.Opts...)
	if err != nil {
		return nil, fmt.Errorf("list dead letters: %w", err)
	}
	defer cl.Close()
	sent, err := b.ledgers(ctx, cl)
	if err != nil {
		return nil, fmt.Errorf("list dead letters: %w", err)
	}
	var letters []Letter
	err = b.scan(ctx, cl, func(r *kgo.Record) error {
		l := letterOf(r)
		l.Sent = sent[l.Partition].has(l.Offset)
		if f.chooses(&l) {
			letters = append(letters, l)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list dead letters: %w", err)
	}
	return letters, nil
}

// scan reads everything committed to the topic until now.
func (b *Box) scan(ctx context.Context, cl *kgo.Client, each func(*kgo.Record) error) error {
	letters, err := committed.Whole(ctx, kadm.NewClient(cl), b.topic())
	if err != nil {
		return err
	}
	return committed.Read(ctx, b.Opts, letters, each)
}

// letterOf reads Leadline's headers. The last of a name counts: it is the one that was added when the record was refused,
// whatever a producer had called its own.
func letterOf(r *kgo.Record) Letter {
	l := Letter{Position: Position{r.Partition, r.Offset}, RefusedAt: r.Timestamp, Key: r.Key, Value: r.Value}
	var why wire.Refusal
	for _, h := range r.Headers {
		switch {
		case why.Take(h.Key, h.Value):
		case h.Key == HeaderRetried:
			l.Retried = number(string(h.Value))
		case !strings.HasPrefix(h.Key, ownHeaders):
			l.Headers = append(l.Headers, h)
		}
	}
	l.Class, l.Reason, l.Source = why.Class, why.Reason, why.Source
	if why.Timestamp != 0 {
		l.SourceTime = time.UnixMilli(int64(why.Timestamp)).UTC()
	}
	return l
}

// number is 0 for what is none: a letter with spoilt headers is listed all the same.
func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}
