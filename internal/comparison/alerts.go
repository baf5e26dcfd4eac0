package comparison

import (
	"context"
	_ "embed"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/sales"
	"leadline/internal/wire"
	"leadline/schemas"
)

// The comparison has no registry: these are the ids that all its engines use.
const (
	purchaseID = 1
	alertID    = 2
)

//go:embed schemas/purchase.avsc
var purchaseSchema string

//go:embed schemas/alert.avsc
var alertSchema string

// source answers the comparison's schemas, and those of Leadline's own topics under the ids that follow.
type source map[int]string

// Schemas answers the schemas of the job's topics, Leadline's own among them.
func Schemas() wire.SchemaSource {
	s, _ := newSource()
	return s
}

func newSource() (source, map[string]int) {
	s, ids := source{purchaseID: purchaseSchema, alertID: alertSchema}, map[string]int{}
	for _, topic := range schemas.Topics() {
		id := len(s) + 1
		ids[schemas.Subject(topic)] = id
		s[id], _ = schemas.ForTopic(topic)
	}
	return s, ids
}

// SchemaByID implements wire.SchemaSource.
func (s source) SchemaByID(_ context.Context, id int) (string, error) {
	text, ok := s[id]
	if !ok {
		return "", fmt.Errorf("schema %d: %w", id, wire.ErrUnknownSchema)
	}
	return text, nil
}

// alerts writes them all to one topic by the comparison's schema.
type alerts struct{ topic string }

// Alert implements stream.AlertWriter.
func (w alerts) Alert(dst []byte, headers []kgo.RecordHeader, a *sales.Alert) (topic string, value []byte, _ []kgo.RecordHeader, err error) {
	kind := "declining"
	if a.Kind == sales.CrossSell {
		kind = "cross_sell"
	}
	cause := a.Reasons[0].Evidence[0].EventID
	v := binary.BigEndian.AppendUint32(append(dst, 0), alertID)
	v = appendText(appendText(appendText(v, a.AlertID), kind), a.CustomerID)
	v = appendOptional(appendOptional(v, a.FromProduct), a.ToProduct)
	v = binary.AppendVarint(v, int64(a.EventTime))
	v = appendShare(appendShare(v, a.Details.Of(confidence)), a.Details.Of(lift))
	return w.topic, appendText(v, cause), headers, nil
}

// AppendPurchase appends an order as the comparison's input has it.
func AppendPurchase(dst []byte, p *sales.Purchase) []byte {
	dst = binary.BigEndian.AppendUint32(append(dst, 0), purchaseID)
	dst = appendText(appendText(dst, p.EventID), p.CustomerID)
	dst = appendText(binary.AppendVarint(dst, int64(p.OccurredAt)), p.OrderID)
	dst = binary.AppendVarint(dst, int64(len(p.Lines)))
	for i := range p.Lines {
		l := &p.Lines[i]
		dst = appendText(appendText(dst, l.ProductID), l.Category)
		dst = binary.AppendVarint(binary.AppendVarint(dst, int64(l.Quantity)), l.AmountMinor)
	}
	if len(p.Lines) > 0 {
		dst = append(dst, 0) // no further block
	}
	dst = appendText(dst, p.Currency)
	return appendOptional(appendOptional(dst, p.Channel), p.CampaignID)
}

func appendText(dst []byte, s string) []byte {
	return append(binary.AppendVarint(dst, int64(len(s))), s...)
}

// The branches of a union with null: null is the first.
const (
	null    = 0
	notNull = 2 // 1, zigzag
)

func appendOptional(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, null)
	}
	return appendText(append(dst, notNull), s)
}

// appendShare writes a number that is never 0 where it has a meaning.
func appendShare(dst []byte, x float64) []byte {
	if x == 0 {
		return append(dst, null)
	}
	return binary.LittleEndian.AppendUint64(append(dst, notNull), math.Float64bits(x))
}
