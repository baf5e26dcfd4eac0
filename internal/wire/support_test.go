package wire

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"leadline/internal/sales"
	"leadline/schemas"
)

// registry is a SchemaSource in memory.
type registry map[int]string

func (r registry) SchemaByID(_ context.Context, id int) (string, error) {
	text, ok := r[id]
	if !ok {
		return "", fmt.Errorf("schema %d: %w", id, ErrUnknownSchema)
	}
	return text, nil
}

// current is a registry in which every topic's current schema is registered, and the ids by subject.
func current() (registry, map[string]int) {
	reg, ids := registry{}, map[string]int{}
	for i, topic := range schemas.Topics() {
		reg[i+1], _ = schemas.ForTopic(topic)
		ids[schemas.Subject(topic)] = i + 1
	}
	return reg, ids
}

// framed puts the wire format's header before an Avro body.
func framed(id int, body []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(id)), body...)
}

// record is everything that the tests need to treat all records alike.
type record struct {
	name   string
	topic  string
	shape  *shape
	fresh  func() any
	encode func(e *Encoder, v any) ([]byte, error)
	decode func(d *Decoder, value []byte, into any) error
}

func recordOf[T any](topic string, s *shape, encode func(*Encoder, []byte, *T) ([]byte, error),
	decode func(*Decoder, context.Context, []byte, *T) error) record {
	return record{
		name: s.name, topic: topic, shape: s,
		fresh:  func() any { return new(T) },
		encode: func(e *Encoder, v any) ([]byte, error) { return encode(e, nil, v.(*T)) },
		decode: func(d *Decoder, value []byte, into any) error {
			return decode(d, context.Background(), value, into.(*T))
		},
	}
}

func allRecords() []record {
	s := allShapes()
	return []record{
		recordOf("purchases", s.purchase, (*Encoder).AppendPurchase, (*Decoder).Purchase),
		recordOf("touchpoints", s.touchpoint, (*Encoder).AppendTouchpoint, (*Decoder).Touchpoint),
		recordOf("customers", s.customer, (*Encoder).AppendCustomer, (*Decoder).Customer),
		recordOf("products", s.product, (*Encoder).AppendProduct, (*Decoder).Product),
		recordOf("campaigns", s.campaign, (*Encoder).AppendCampaign, (*Decoder).Campaign),
		recordOf("identities", s.identity, (*Encoder).AppendIdentity, (*Decoder).Identity),
		recordOf("signals", s.signal, (*Encoder).AppendSignal, (*Decoder).Signal),
		recordOf("outcomes", s.outcome, (*Encoder).AppendOutcome, (*Decoder).Outcome),
		recordOf("alerts.upsell", s.alert, (*Encoder).AppendAlert, (*Decoder).Alert),
		recordOf("product-links", s.link, (*Encoder).AppendLink, (*Decoder).Link),
		recordOf("forecasts", s.forecast, (*Encoder).AppendForecast, (*Decoder).Forecast),
		recordOf("leadline.models", s.model, (*Encoder).AppendModel, (*Decoder).Model),
		recordOf("leadline.journal", s.journal, (*Encoder).AppendJournal, (*Decoder).Journal),
		recordOf("leadline.state", s.shardRecord, (*Encoder).AppendShardRecord, (*Decoder).ShardRecord),
		recordOf("leadline.tallies.pairs", s.tally, (*Encoder).AppendTally, (*Decoder).Tally),
		recordOf("leadline.knowledge-state", s.knowledgeRow, (*Encoder).AppendKnowledgeRow, (*Decoder).KnowledgeRow),
	}
}

// fill draws a value of the shape into p: anything the schema can say.
func fill(t *rapid.T, s *shape, p unsafe.Pointer) {
	if s.optional && rapid.Bool().Draw(t, "null") {
		s.blank(p)
		return
	}
	switch s.kind {
	case textKind:
		*(*string)(p) = rapid.StringN(1, 12, 40).Draw(t, "text")
	case intKind:
		*(*int32)(p) = rapid.Int32Min(1).Draw(t, "int")
	case longKind, millisKind:
		*(*int64)(p) = rapid.Int64().Filter(func(v int64) bool { return v != 0 }).Draw(t, "long")
	case longRefKind:
		v := rapid.Int64().Draw(t, "long")
		*(**int64)(p) = &v
	case doubleKind:
		*(*float64)(p) = rapid.Float64().Draw(t, "double")
	case boolKind:
		*(*bool)(p) = rapid.Bool().Draw(t, "bool")
	case enumKind, symbolKind:
		fillSymbol(t, s, p)
	case listKind:
		list := reflect.MakeSlice(s.goType, 0, 0)
		for range rapid.IntRange(1, 3).Draw(t, "length") {
			elem := reflect.New(s.goType.Elem())
			fill(t, s.elem, elem.UnsafePointer())
			list = reflect.Append(list, elem.Elem())
		}
		reflect.NewAt(s.goType, p).Elem().Set(list)
	case floatsKind:
		for i := range s.floats(p) {
			s.floats(p)[i] = rapid.Float32().Draw(t, "float")
		}
	case dictKind:
		dict := reflect.MakeMap(s.goType)
		for i := range rapid.IntRange(1, 3).Draw(t, "entries") {
			elem := reflect.New(s.goType.Elem())
			fill(t, s.elem, elem.UnsafePointer())
			dict.SetMapIndex(reflect.ValueOf(fmt.Sprint("key", i)), elem.Elem())
		}
		reflect.NewAt(s.goType, p).Elem().Set(dict)
	case numbersKind:
		numbers := map[string]float64{}
		for i := range rapid.IntRange(1, 3).Draw(t, "entries") {
			numbers[fmt.Sprint("key", i)] = rapid.Float64().Draw(t, "double")
		}
		*(*sales.Numbers)(p) = sales.NumbersOf(numbers)
	case recordKind:
		for _, m := range s.members {
			fill(t, m.shape, unsafe.Add(p, m.offset))
		}
	}
}

func fillSymbol(t *rapid.T, s *shape, p unsafe.Pointer) {
	symbols := s.schemaSymbols()
	if symbols[0] == neverWritten {
		symbols = symbols[1:]
	}
	symbol := rapid.SampledFrom(symbols).Draw(t, "symbol")
	if s.kind == symbolKind {
		*(*string)(p) = symbol
		return
	}
	*(*uint8)(p) = s.codes[symbol]
}

// lawful bends a drawn value into one that keeps the rules which a schema cannot say.
func lawful(v any) {
	at := func(m *sales.Millis) { *m = earliest + (*m&math.MaxInt32)*1000 }
	amount := func(m *int64) {
		if m != nil {
			*m &= 1<<40 - 1
		}
	}
	coin := func(c *string) {
		if *c != "" {
			*c = "EUR"
		}
	}
	name := func(names ...*string) {
		for _, n := range names {
			if *n != "" {
				*n = fmt.Sprintf("%.40x", *n)
			}
		}
	}
	switch r := v.(type) {
	case *sales.Purchase:
		at(&r.OccurredAt)
		coin(&r.Currency)
		name(&r.EventID, &r.CustomerID, &r.OrderID)
		for i := range r.Lines {
			amount(&r.Lines[i].AmountMinor)
			name(&r.Lines[i].ProductID, &r.Lines[i].Category)
		}
	case *sales.Touchpoint:
		at(&r.OccurredAt)
		coin(&r.Currency)
		amount(r.ValueMinor)
		name(&r.EventID, &r.CustomerID, &r.ProductID, &r.Category, &r.CampaignID)
	case *sales.Customer:
		at(&r.UpdatedAt)
		name(&r.CustomerID, &r.OwnerID)
	case *sales.Product:
		coin(&r.Currency)
		amount(r.PriceMinor)
		name(&r.ProductID, &r.Type, &r.Category)
		if !math.IsNaN(r.MarginShare) {
			r.MarginShare = math.Abs(math.Sin(r.MarginShare))
		}
	case *sales.Campaign:
		at(&r.StartsAt)
		r.EndsAt = r.StartsAt + 1
		coin(&r.Currency)
		amount(r.CostMinor)
		amount(r.ContactCostMinor)
		name(&r.CampaignID)
	case *sales.Identity:
		at(&r.OccurredAt)
		name(&r.EventID, &r.FromID, &r.ToID)
		r.ToID += "-"
	case *sales.Signal:
		at(&r.OccurredAt)
		name(&r.EventID, &r.Series)
	case *sales.Outcome:
		at(&r.OccurredAt)
		coin(&r.Currency)
		amount(r.ValueMinor)
		name(&r.EventID, &r.AlertID, &r.CustomerID, &r.RepID, &r.ToRepID, &r.Undoes)
		r.EventID += "-"
		if r.Result == "snoozed" {
			r.Until = r.OccurredAt + 1 + (r.Until&math.MaxInt32)*1000%longestSnooze
		}
	case *sales.Alert:
		r.Kind, r.SuppressedBy = sales.Upsell, 0
	case *sales.Tally:
		r.Kind = sales.TallyPairs
	case *KnowledgeRow:
		for i := range r.Cells {
			r.Cells[i].Row = r.Row
		}
	}
}

func draw(t *rapid.T, rec record) any {
	v := rec.fresh()
	fill(t, rec.shape, reflect.ValueOf(v).UnsafePointer())
	lawful(v)
	return v
}

func diff(want, got any) string {
	return cmp.Diff(want, got, cmpopts.EquateNaNs(), cmpopts.EquateEmpty())
}
