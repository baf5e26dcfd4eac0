package stream

import (
	"github.com/twmb/franz-go/pkg/kgo"
)

// outbox gathers the records of one step, in order. They share memory, which after a clear commit, when the client is done with them, serves
// the shard's next step: it was two fifths of all that an engine allocated.
type outbox struct {
	r       *Runtime
	p       int32
	records []*kgo.Record
	slab    []kgo.Record       // that records point into
	headers []kgo.RecordHeader // of alerts
	chunks  chunks             // values of alerts, and keys
	pages   chunks             // values of tallies
}

// chunks are pieces of memory of which the first ones are in use.
type chunks struct {
	list [][]byte
	used int
}

// reset makes all of them free. Of those that were not used one is given back each time, so that one large step is not remembered for ever and
// a small one does no harm.
func (c *chunks) reset() {
	if c.used < len(c.list) {
		last := len(c.list) - 1
		c.list[last] = nil
		c.list = c.list[:last]
	}
	c.used = 0
}

// next gives one that is free, or nil.
func (c *chunks) next() []byte {
	if c.used < len(c.list) {
		return c.list[c.used][:0]
	}
	return nil
}

// use takes the one that next gave, or another in its place.
func (c *chunks) use(b []byte) {
	if c.used < len(c.list) {
		c.list[c.used] = b
	} else {
		c.list = append(c.list, b)
	}
	c.used++
}

// takeOutbox gives an outbox for the shard's next step.
func (s *shard) takeOutbox(r *Runtime) *outbox {
	if out := s.out; out != nil {
		s.out = nil
		return out
	}
	return &outbox{r: r, p: s.p}
}

// written says that the client has written all records and is done with them: their memory is free.
func (s *shard) written(out *outbox) {
	clear(out.slab) // they keep what was fetched, and blobs
	clear(out.records)
	clear(out.headers)
	out.headers = out.headers[:0]
	out.chunks.reset()
	out.pages.reset()
	s.out = out
}

// expect makes room for about so many records.
func (o *outbox) expect(n int) {
	const many = 8 // times as much as is needed is too much
	if cap(o.slab) < n || cap(o.slab) > many*max(n, 1<<10) {
		o.records, o.slab = make([]*kgo.Record, 0, n+n/4), make([]kgo.Record, 0, n+n/4)
	}
	o.records, o.slab = o.records[:0], o.slab[:0]
}

func (o *outbox) put(rec kgo.Record) {
	if len(o.slab) == cap(o.slab) { // what was expected did not suffice: the records so far stay where they are
		o.slab = make([]kgo.Record, 0, 64)
	}
	o.slab = append(o.slab, rec)
	o.records = append(o.records, &o.slab[len(o.slab)-1])
}

func (o *outbox) add(topic string, p int32, key, value []byte, headers []kgo.RecordHeader) {
	o.put(kgo.Record{Topic: o.r.names.topic(topic), Partition: p, Key: key, Value: value, Headers: headers})
}

// room gives memory to append to; what is longer than usual moves elsewhere by itself.
func (o *outbox) room() []byte {
	const chunk, usual = 64 << 10, 2 << 10
	if at := o.chunks.used - 1; at >= 0 {
		if b := o.chunks.list[at]; cap(b)-len(b) >= usual {
			return b[len(b):]
		}
	}
	b := o.chunks.next()
	if b == nil {
		b = make([]byte, 0, chunk)
	}
	o.chunks.use(b)
	return b
}

// keep takes what was appended to room, which nobody else may append to any more.
func (o *outbox) keep(b []byte) []byte {
	last := &o.chunks.list[o.chunks.used-1]
	if len(b) <= cap(*last)-len(*last) {
		*last = (*last)[:len(*last)+len(b)]
	}
	return b[:len(b):len(b)]
}

// key copies a customer's id.
func (o *outbox) key(id string) []byte { return o.keep(append(o.room(), id...)) }

// page gives memory for a value that is long, as tallies are; turn says what it has become.
func (o *outbox) page() []byte { return o.pages.next() }

func (o *outbox) turn(value []byte) { o.pages.use(value) }
