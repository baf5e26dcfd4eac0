package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"

	"leadline/internal/sales"
	"leadline/schemas"
)

// Encoder writes records in wire format, directly by their shape. It may be used by several goroutines. The bytes are those that goavro
// writes; a test holds it to that.
type Encoder struct{ ids map[string]int }

// NewEncoder takes the schema ids of the subjects without a tenant's prefix, such as "purchases-value". A subject may be
// missing as long as nothing is written to its topic.
func NewEncoder(ids map[string]int) *Encoder {
	return &Encoder{ids: ids}
}

// header appends the wire format's header for the values of a topic.
func (e *Encoder) header(dst []byte, topic string) ([]byte, error) {
	id, ok := e.ids[schemas.Subject(topic)]
	if !ok {
		return dst, fmt.Errorf("encode for %s: no schema id of subject %s", topic, schemas.Subject(topic))
	}
	return binary.BigEndian.AppendUint32(append(dst, 0), uint32(id)), nil
}

// append writes a value of the shape for a topic. On an error dst is returned as it was.
func (e *Encoder) append(dst []byte, topic string, s *shape, p unsafe.Pointer) ([]byte, error) {
	out, err := e.header(dst, topic)
	if err != nil {
		return dst, err
	}
	if out, err = s.append(out, p); err != nil {
		return dst, fmt.Errorf("encode %s: %w", s.name, err)
	}
	return out, nil
}

// AppendPurchase appends a value of the topic purchases. This and the other Append functions return dst unchanged with an
// error when a value is not one of its schema (an enum without a symbol) or no id is known.
func (e *Encoder) AppendPurchase(dst []byte, p *sales.Purchase) ([]byte, error) {
	return e.append(dst, "purchases", allShapes().purchase, unsafe.Pointer(p))
}

// AppendTouchpoint appends a value of the topic touchpoints.
func (e *Encoder) AppendTouchpoint(dst []byte, t *sales.Touchpoint) ([]byte, error) {
	return e.append(dst, "touchpoints", allShapes().touchpoint, unsafe.Pointer(t))
}

// AppendCustomer appends a value of the topic customers. An erased customer has no value: write a null one.
func (e *Encoder) AppendCustomer(dst []byte, c *sales.Customer) ([]byte, error) {
	if c.Erased {
		return dst, errors.New("encode Customer: a tombstone has no value")
	}
	return e.append(dst, "customers", allShapes().customer, unsafe.Pointer(c))
}

// AppendProduct appends a value of the topic products.
func (e *Encoder) AppendProduct(dst []byte, p *sales.Product) ([]byte, error) {
	return e.append(dst, "products", allShapes().product, unsafe.Pointer(p))
}

// AppendCampaign appends a value of the topic campaigns.
func (e *Encoder) AppendCampaign(dst []byte, c *sales.Campaign) ([]byte, error) {
	return e.append(dst, "campaigns", allShapes().campaign, unsafe.Pointer(c))
}

// AppendIdentity appends a value of the topic identities.
func (e *Encoder) AppendIdentity(dst []byte, i *sales.Identity) ([]byte, error) {
	return e.append(dst, "identities", allShapes().identity, unsafe.Pointer(i))
}

// AppendSignal appends a value of the topic signals.
func (e *Encoder) AppendSignal(dst []byte, s *sales.Signal) ([]byte, error) {
	return e.append(dst, "signals", allShapes().signal, unsafe.Pointer(s))
}

// AppendOutcome appends a value of the topic outcomes.
func (e *Encoder) AppendOutcome(dst []byte, o *sales.Outcome) ([]byte, error) {
	return e.append(dst, "outcomes", allShapes().outcome, unsafe.Pointer(o))
}

// AppendInput appends a value of the input topic that the record belongs to, as FromJSON gives it.
func (e *Encoder) AppendInput(dst []byte, record any) ([]byte, error) {
	switch r := record.(type) {
	case *sales.Purchase:
		return e.AppendPurchase(dst, r)
	case *sales.Touchpoint:
		return e.AppendTouchpoint(dst, r)
	case *sales.Customer:
		return e.AppendCustomer(dst, r)
	case *sales.Product:
		return e.AppendProduct(dst, r)
	case *sales.Campaign:
		return e.AppendCampaign(dst, r)
	case *sales.Identity:
		return e.AppendIdentity(dst, r)
	case *sales.Signal:
		return e.AppendSignal(dst, r)
	case *sales.Outcome:
		return e.AppendOutcome(dst, r)
	}
	return dst, fmt.Errorf("encode %T: not an input record", record)
}

// AlertTopic is the topic, without a tenant's prefix, on which the alert belongs.
func AlertTopic(a *sales.Alert) string {
	if a.SuppressedBy != sales.NotSuppressed {
		return "alerts.suppressed"
	}
	return a.Kind.Topic()
}

// AppendAlert appends a value of the alert's AlertTopic.
func (e *Encoder) AppendAlert(dst []byte, a *sales.Alert) ([]byte, error) {
	return e.append(dst, AlertTopic(a), allShapes().alert, unsafe.Pointer(a))
}

// AppendLink appends a value of the topic product-links.
func (e *Encoder) AppendLink(dst []byte, l *sales.Link) ([]byte, error) {
	return e.append(dst, "product-links", allShapes().link, unsafe.Pointer(l))
}

// AppendForecast appends a value of the topic forecasts.
func (e *Encoder) AppendForecast(dst []byte, f *sales.Forecast) ([]byte, error) {
	return e.append(dst, "forecasts", allShapes().forecast, unsafe.Pointer(f))
}

// AppendModel appends a value of the topic leadline.models.
func (e *Encoder) AppendModel(dst []byte, m *sales.Model) ([]byte, error) {
	return e.append(dst, "leadline.models", allShapes().model, unsafe.Pointer(m))
}

// AppendJournal appends a value of the topic leadline.journal.
func (e *Encoder) AppendJournal(dst []byte, j *sales.Journal) ([]byte, error) {
	return e.append(dst, "leadline.journal", allShapes().journal, unsafe.Pointer(j))
}

// AppendShardRecord appends the value that stands under sales.ShardRecordKey in leadline.state.
func (e *Encoder) AppendShardRecord(dst []byte, r *sales.ShardRecord) ([]byte, error) {
	return e.append(dst, "leadline.state", allShapes().shardRecord, unsafe.Pointer(r))
}

// AppendTally appends a value of the topic leadline.tallies.<kind>.
func (e *Encoder) AppendTally(dst []byte, t *sales.Tally) ([]byte, error) {
	return e.append(dst, "leadline.tallies."+string(t.Kind), allShapes().tally, unsafe.Pointer(t))
}

// AppendKnowledgeRow appends a value of the topic leadline.knowledge-state. The cells' own Row is not written.
func (e *Encoder) AppendKnowledgeRow(dst []byte, r *KnowledgeRow) ([]byte, error) {
	return e.append(dst, "leadline.knowledge-state", allShapes().knowledgeRow, unsafe.Pointer(r))
}
