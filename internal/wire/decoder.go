package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"sync"
	"sync/atomic"
	"unsafe"

	"leadline/internal/sales"
)

// SchemaSource gives the text of a writer's schema. Where the registry answers that it has none, the error is
// ErrUnknownSchema; all other errors are taken for passing. An answer is kept for good, as a registry never changes one.
type SchemaSource interface {
	SchemaByID(ctx context.Context, id int) (string, error)
}

// Decoder reads values of all records. It may be used by several goroutines; two that meet a new schema at the same time
// both ask for it.
type Decoder struct {
	source SchemaSource
	texts  known[string]
	slow   known[*slowWay]

	purchase, touchpoint, customer, product, campaign, identity, signal, outcome recordReader
	alert, link, forecast, model, journal, shardRecord, tally, knowledgeRow      recordReader
}

// NewDecoder makes a decoder that knows no writer yet.
func NewDecoder(source SchemaSource) *Decoder {
	s := allShapes()
	return &Decoder{
		source:       source,
		purchase:     recordReader{shape: s.purchase},
		touchpoint:   recordReader{shape: s.touchpoint},
		customer:     recordReader{shape: s.customer},
		product:      recordReader{shape: s.product},
		campaign:     recordReader{shape: s.campaign},
		identity:     recordReader{shape: s.identity},
		signal:       recordReader{shape: s.signal},
		outcome:      recordReader{shape: s.outcome},
		alert:        recordReader{shape: s.alert},
		link:         recordReader{shape: s.link},
		forecast:     recordReader{shape: s.forecast},
		model:        recordReader{shape: s.model},
		journal:      recordReader{shape: s.journal},
		shardRecord:  recordReader{shape: s.shardRecord},
		tally:        recordReader{shape: s.tally},
		knowledgeRow: recordReader{shape: s.knowledgeRow},
	}
}

// shapes are the records that have a Go type.
type shapes struct {
	purchase, touchpoint, customer, product, campaign, identity, signal, outcome *shape
	alert, link, forecast, model, journal, shardRecord, tally, knowledgeRow      *shape
}

var allShapes = sync.OnceValue(func() *shapes {
	return &shapes{
		purchase:     shapeOf("Purchase", reflect.TypeFor[sales.Purchase](), maxInputItems),
		touchpoint:   shapeOf("Touchpoint", reflect.TypeFor[sales.Touchpoint](), maxInputItems),
		customer:     shapeOf("Customer", reflect.TypeFor[sales.Customer](), maxInputItems),
		product:      shapeOf("Product", reflect.TypeFor[sales.Product](), maxInputItems),
		campaign:     shapeOf("Campaign", reflect.TypeFor[sales.Campaign](), maxInputItems),
		identity:     shapeOf("Identity", reflect.TypeFor[sales.Identity](), maxInputItems),
		signal:       shapeOf("Signal", reflect.TypeFor[sales.Signal](), maxInputItems),
		outcome:      shapeOf("Outcome", reflect.TypeFor[sales.Outcome](), maxInputItems),
		alert:        shapeOf("Alert", reflect.TypeFor[sales.Alert](), maxInputItems),
		link:         shapeOf("ProductLink", reflect.TypeFor[sales.Link](), maxInputItems),
		forecast:     shapeOf("Forecast", reflect.TypeFor[sales.Forecast](), maxInputItems),
		model:        shapeOf("Model", reflect.TypeFor[sales.Model](), maxInputItems),
		journal:      shapeOf("Journal", reflect.TypeFor[sales.Journal](), maxInternalItems),
		shardRecord:  shapeOf("ShardRecord", reflect.TypeFor[sales.ShardRecord](), maxInternalItems),
		tally:        shapeOf("Tally", reflect.TypeFor[sales.Tally](), maxInternalItems),
		knowledgeRow: shapeOf("KnowledgeRow", reflect.TypeFor[KnowledgeRow](), maxInternalItems),
	}
})

// known remembers by schema id. Readers take no lock.
type known[T any] struct {
	mu  sync.Mutex
	all atomic.Pointer[map[int]T]
}

func (k *known[T]) get(id int) (v T, ok bool) {
	if all := k.all.Load(); all != nil {
		v, ok = (*all)[id]
	}
	return v, ok
}

func (k *known[T]) put(id int, v T) {
	k.mu.Lock()
	defer k.mu.Unlock()
	next := map[int]T{}
	if all := k.all.Load(); all != nil {
		next = maps.Clone(*all)
	}
	next[id] = v
	k.all.Store(&next)
}

// recordReader reads one record, whoever wrote it.
type recordReader struct {
	shape   *shape
	writers known[*projection]
}

// projection is how one writer's values become the struct: by steps, the slow way, or never.
type projection struct {
	ops     []op
	slow    *slowWay
	refused *Poison
}

// HeaderSize is the length of the wire format's header: a zero byte and the schema id, big-endian.
const HeaderSize = 5

func splitHeader(value []byte) (id int, body []byte, err error) {
	if value == nil {
		return 0, nil, poison(sales.DeadTombstone, "no value where one belongs")
	}
	if len(value) < HeaderSize || value[0] != 0 {
		return 0, nil, notAvro("no wire-format header: %d bytes, the first is %#x", len(value), value[:min(1, len(value))])
	}
	return int(binary.BigEndian.Uint32(value[1:])), value[HeaderSize:], nil
}

// read decodes a value into the struct at p, which is of the record's Go type.
func (d *Decoder) read(ctx context.Context, rec *recordReader, value []byte, p unsafe.Pointer) error {
	id, body, err := splitHeader(value)
	if err != nil {
		return err
	}
	how, ok := rec.writers.get(id)
	if !ok {
		if how, err = d.learn(ctx, rec, id); err != nil {
			return err
		}
	}
	if bad := how.run(rec.shape, body, p); bad != nil {
		return bad
	}
	return nil
}

func (how *projection) run(s *shape, body []byte, p unsafe.Pointer) *Poison {
	if how.refused != nil {
		return how.refused
	}
	if how.slow != nil {
		return how.slow.read(s, body, p)
	}
	r := reader{buf: body}
	bad := r.run(how.ops, p)
	if bad == nil {
		bad = r.end()
	}
	return r.located(bad)
}

// learn finds out, once for each writer's schema, how its values become the record.
func (d *Decoder) learn(ctx context.Context, rec *recordReader, id int) (*projection, error) {
	text, err := d.text(ctx, id)
	if err != nil {
		return nil, err
	}
	how := d.plan(rec.shape, id, text)
	rec.writers.put(id, how)
	return how, nil
}

func (d *Decoder) plan(s *shape, id int, text string) *projection {
	w, err := parseWriter(text)
	if err != nil {
		return &projection{refused: poison(sales.DeadWrongSchema, "schema %d: %v", id, err)}
	}
	ops, err := w.project(s)
	var refused *Poison
	switch {
	case errors.As(err, &refused):
		return &projection{refused: refused}
	case err == nil:
		return &projection{ops: ops}
	}
	slow, err := d.slowWay(id, text)
	if err != nil {
		return &projection{refused: poison(sales.DeadWrongSchema, "schema %d: %v", id, err)}
	}
	return &projection{slow: slow}
}

func (d *Decoder) text(ctx context.Context, id int) (string, error) {
	if text, ok := d.texts.get(id); ok {
		return text, nil
	}
	text, err := d.source.SchemaByID(ctx, id)
	if err != nil {
		return "", fmt.Errorf("fetch schema %d: %w", id, err)
	}
	d.texts.put(id, text)
	return text, nil
}

// slowWay gives what is shared by all records and by JSON for one writer.
func (d *Decoder) slowWay(id int, text string) (*slowWay, error) {
	if s, ok := d.slow.get(id); ok {
		return s, nil
	}
	s, err := newSlowWay(text)
	if err == nil {
		d.slow.put(id, s)
	}
	return s, err
}
