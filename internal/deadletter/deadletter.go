// Package deadletter reads the dead-letters topic, and sends what was mended back to where it came from; from a command line and
// over HTTP.
//
// A dead letter keeps key, value and headers of the record that could not be used; Leadline's own headers say why and
// where it stood. Retry sends each letter once: which ones were sent is committed in the transaction that sends them,
// whatever filters they were chosen by and however often it is run or killed, for as long as the broker keeps the offsets
// of a group at rest (a week by default, offsets.retention.minutes). Sent twice after that, an event still counts once,
// by its event_id.
//
// Unedited, values go back byte by byte, and only a wrong key of a misrouted record is put right. Edited letters are all looked at
// before any is sent: what comes out of an edit can be decoded and keeps the contract's rules for its topic. Whether the engine takes
// it also depends on the clock and on the customer (time, currency), which is not asked here.
//
// What is sent again says so in its headers, so that a letter that is refused again leads back to where it was refused before.
// Records are anybody's bytes: Line, Step and the handler write JSON that prints (wire.PlainJSON), whoever shows letters as text
// uses wire.Plain. Wiring and commands may import it.
package deadletter

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

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
	// HeaderEdited is there when key or value are not those that were refused first: the SHA-256 of that first value, in hex.
	HeaderEdited = ownHeaders + "edited"
)

// Position is where a letter stands in the dead-letters topic.
type Position struct {
	Partition int32
	Offset    int64
}

// String is partition/offset, as ParsePosition reads it.
func (p Position) String() string { return fmt.Sprintf("%d/%d", p.Partition, p.Offset) }

// ParsePosition reads partition/offset.
func ParsePosition(text string) (Position, error) {
	partition, offset, ok := strings.Cut(text, "/")
	p, err1 := strconv.ParseUint(partition, 10, 31)
	o, err2 := strconv.ParseUint(offset, 10, 63)
	if !ok || err1 != nil || err2 != nil {
		return Position{}, fmt.Errorf("%.40q: want PARTITION/OFFSET, for example 0/12", text)
	}
	return Position{int32(p), int64(o)}, nil
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
	From       *Position    // of the letter that it was sent again from; nil: this is the first refusal
	Edited     string       // the SHA-256 of the value as it was refused first; empty: nobody edited it
	Sent       bool         // this letter was sent again already
	Key, Value []byte
	Bytes      int                // of the value
	Headers    []kgo.RecordHeader // the original's
}

// Box is a tenant's dead letters.
type Box struct {
	Opts    []kgo.Opt // brokers, TLS, SASL
	Prefix  string    // of the tenant's topics
	Decoder *wire.Decoder
	// SchemaIDs gives the encoder's ids, by subject without the prefix. It is asked only when a value was edited as JSON.
	SchemaIDs SchemaIDs
}

func (b *Box) topic() string { return b.Prefix + "dead-letters" }

// group is whose committed offsets say what was sent, and the transactional id that keeps two retries apart.
func (b *Box) group() string { return b.Prefix + Group }

// Group is the consumer group, and the transactional id, without a tenant's prefix.
const Group = "leadline-dead-letters"

// letterOf reads Leadline's headers. The last of a name counts: it is the one that was added when the record was refused,
// whatever a producer had called its own.
func letterOf(r *kgo.Record) Letter {
	l := Letter{Position: Position{r.Partition, r.Offset}, RefusedAt: r.Timestamp, Key: r.Key, Value: r.Value, Bytes: len(r.Value)}
	var why wire.Refusal
	for _, h := range r.Headers {
		switch {
		case why.Take(h.Key, h.Value):
		case h.Key == HeaderRetried:
			l.Retried = number(string(h.Value))
		case h.Key == HeaderLetter:
			l.From = nil
			if at, err := ParsePosition(string(h.Value)); err == nil {
				l.From = &at
			}
		case h.Key == HeaderEdited:
			l.Edited = hash(string(h.Value))
		case !strings.HasPrefix(h.Key, ownHeaders):
			l.Headers = append(l.Headers, h)
		}
	}
	l.Class, l.Reason, l.Source = sales.DeadLetterClass(cut(string(why.Class))), cut(why.Reason), why.Source
	l.Source.Topic = cut(l.Source.Topic)
	if why.Timestamp != 0 {
		l.SourceTime = time.UnixMilli(int64(why.Timestamp)).UTC()
	}
	return l
}

// cut bounds what a page of letters holds, whoever wrote the headers. The engine's own are shorter.
func cut(text string) string {
	const most = 1000
	return text[:min(len(text), most)]
}

// number is 0 for what is none: a letter with spoilt headers is listed all the same.
func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// hash is empty for what is none.
func hash(text string) string {
	if sum, err := hex.DecodeString(text); err != nil || len(sum) != 32 {
		return ""
	}
	return text
}

// shownKey is how much of a key a list keeps: the longest id of the contract.
const shownKey = 256

// brief is the letter without what may be large. It holds on to no buffer of the client's.
func (l *Letter) brief() Letter {
	b := *l
	b.Key, b.Value, b.Headers = bytes.Clone(l.Key[:min(len(l.Key), shownKey)]), nil, nil
	return b
}
