package replay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/sales"
	"leadline/internal/wire"
)

// alerts are compared by what they say: the same alert may have been written by another schema, or its details in another order.
type alerts struct{ decoder *wire.Decoder }

func (k alerts) item(ctx context.Context, rec *kgo.Record) (item, bool, error) {
	it := item{Customer: string(rec.Key), Value: rec.Value, Offset: rec.Offset, At: sales.Millis(rec.Timestamp.UnixMilli())}
	var a sales.Alert
	err := k.decoder.Alert(ctx, rec.Value, &a)
	var poison *wire.Poison
	switch {
	case errors.As(err, &poison):
		it.ID = fmt.Sprintf("unreadable, at offset %d", rec.Offset)
	case err != nil:
		return it, false, fmt.Errorf("decode alert at %d: %w", rec.Offset, err)
	default:
		it.ID, it.Mended = alertName(&a), a.RunID != sales.LiveRun
	}
	return it, true, nil
}

// alertName is how alerts are matched, and what consumers look for duplicates by.
func alertName(a *sales.Alert) string { return a.AlertID + "." + strconv.Itoa(int(a.Revision)) }

func (k alerts) same(ctx context.Context, a, b []byte) bool {
	var one, other sales.Alert
	if k.decoder.Alert(ctx, a, &one) != nil || k.decoder.Alert(ctx, b, &other) != nil {
		return false
	}
	one.RunID, other.RunID = "", "" // what a backfill has written says what was decided
	return reflect.DeepEqual(&one, &other)
}

func (alerts) counts(s *scope, it *item) bool {
	return s.hasAlert(it.ID, it.Customer, it.At) && !s.warm
}

func (k alerts) show(ctx context.Context, value []byte) []byte {
	text, err := k.decoder.JSON(ctx, value)
	if err != nil {
		return quoted(value)
	}
	return text
}

// quoted shows bytes that cannot be read.
func quoted(value []byte) []byte {
	text, err := json.Marshal(map[string][]byte{"bytes": value})
	if err != nil {
		panic(fmt.Sprintf("encode bytes: %v", err)) // they always can be
	}
	return text
}

// letters are records on dead-letters and late-events; they are compared by their headers and by a digest of the original.
type letters struct{ p int32 }

type letter struct {
	Class     sales.DeadLetterClass `json:"class"`
	Reason    string                `json:"reason"`
	Timestamp sales.Millis          `json:"source_timestamp"`
	Key       string                `json:"key"`
	Bytes     int                   `json:"value_bytes"`
	Original  string                `json:"original"` // xxhash64 of key, value and headers
}

func (k letters) item(_ context.Context, rec *kgo.Record) (item, bool, error) {
	var why wire.Refusal
	for _, h := range rec.Headers {
		why.Take(h.Key, h.Value)
	}
	it := letterItem(rec, why, rec.Headers[:max(0, len(rec.Headers)-len(why.Headers()))])
	it.Offset = rec.Offset
	return it, why.Source.Partition == k.p, nil
}

// replayedLetter is what would be said about a record: as it is read again, for a long reason is cut.
func replayedLetter(r Refused) item {
	var why wire.Refusal
	for _, h := range r.Why.Headers() {
		why.Take(h.Key, h.Value)
	}
	return letterItem(r.Record, why, r.Record.Headers)
}

// letterItem is the letter about a record with the original's headers.
func letterItem(rec *kgo.Record, why wire.Refusal, headers []kgo.RecordHeader) item {
	text, err := json.Marshal(letter{Class: why.Class, Reason: why.Reason, Timestamp: why.Timestamp, Key: string(rec.Key), Bytes: len(rec.Value),
		Original: digest(rec, headers)})
	if err != nil {
		panic(fmt.Sprintf("encode letter: %v", err)) // strings and numbers always can be
	}
	return item{ID: fmt.Sprintf("%s-%d at %d", why.Source.Topic, why.Source.Partition, why.Source.Offset), Customer: string(rec.Key), Value: text,
		At: sales.Millis(rec.Timestamp.UnixMilli())}
}

func digest(rec *kgo.Record, headers []kgo.RecordHeader) string {
	d := xxhash.New()
	part := func(b []byte) {
		fmt.Fprintf(d, "%d %t|", len(b), b == nil)
		_, _ = d.Write(b) // it never fails
	}
	part(rec.Key)
	part(rec.Value)
	for _, h := range headers {
		part([]byte(h.Key))
		part(h.Value)
	}
	return strconv.FormatUint(d.Sum64(), 16)
}

// same is never asked about equal bytes, and others differ.
func (letters) same(context.Context, []byte, []byte) bool { return false }

func (letters) counts(s *scope, it *item) bool { return s.alerts == nil && s.has(it.Customer, it.At) }

func (letters) show(_ context.Context, value []byte) []byte { return value }

// fieldsThatDiffer names the fields of two JSON objects that are not equal, sorted.
func fieldsThatDiffer(a, b []byte) []string {
	var one, other map[string]any
	if json.Unmarshal(a, &one) != nil || json.Unmarshal(b, &other) != nil {
		return nil
	}
	var fields []string
	for name, v := range one {
		if w, ok := other[name]; !ok || !reflect.DeepEqual(v, w) {
			fields = append(fields, name)
		}
	}
	for name := range other {
		if _, ok := one[name]; !ok {
			fields = append(fields, name)
		}
	}
	slices.SortFunc(fields, strings.Compare)
	return fields
}
