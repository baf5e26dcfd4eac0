package wire

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/twmb/avro"

	"leadline/internal/sales"
	"leadline/schemas"
)

// kind says how a place in a Go struct is laid out, and so how it is written to.
type kind uint8

const (
	textKind    kind = iota + 1 // string
	intKind                     // int32
	longKind                    // int64
	millisKind                  // sales.Millis
	longRefKind                 // *int64, nil = null
	doubleKind                  // float64, NaN = null
	boolKind                    // bool
	enumKind                    // one byte: index into symbols
	symbolKind                  // string that is a symbol of the schema's enum
	listKind                    // slice
	floatsKind                  // array of float32; all 0 = an empty list
	dictKind                    // map with string keys
	numbersKind                 // sales.Numbers: a map of doubles
	recordKind                  // struct
)

// shape is the reader's side of everything: how one place of a Go struct hangs together with one node of the current
// schema. Decoder, encoder and JSON all walk it, so a field is bound to its Go name in one place only.
type shape struct {
	kind     kind
	optional bool // ["null", T]; null is the blank Go value
	goType   reflect.Type

	name    string   // record
	members []member // record
	elem    *shape   // list, dict and numbers
	limit   int      // list, dict, numbers and floats: most elements that are accepted

	symbols  []string         // enum: Go value → symbol
	codes    map[string]uint8 // enum: symbol → Go value
	indices  map[string]int64 // enum and symbol: symbol → index in the schema
	places   []int64          // enum: Go value → index in the schema, −1 = none that is written
	fallback string           // enum and symbol: what an unknown symbol is read as
}

// member is one field of a record. All defaults of the contract are the blank value of their Go type, so hasDefault says
// everything about them; shapeOf holds the schemas to that.
type member struct {
	name       string
	offset     uintptr
	shape      *shape
	hasDefault bool
}

// symbolsOf says which symbols the values of the Go enums stand for. Empty is the null of an optional enum.
var symbolsOf = map[reflect.Type][]string{
	reflect.TypeFor[sales.PurchaseKind]():   {"ORDER", "REFUND"},
	reflect.TypeFor[sales.TouchKind]():      sales.TouchKinds(),
	reflect.TypeFor[sales.IdentityAction](): {"LINK", "SPLIT"},
	reflect.TypeFor[sales.AlertKind]():      {neverWritten, "CROSS_SELL", "UPSELL", "DECLINING", "OPPORTUNITY", "CHANNEL", "CAMPAIGN", "OUTLOOK"},
	reflect.TypeFor[sales.AlertStatus]():    {neverWritten, "OPENED", "UPDATED", "RESOLVED", "EXPIRED"},
	reflect.TypeFor[sales.Suppression]():    {"", "holdout", "cap", "consent", "silenced", "duplicate", "expired"},
	reflect.TypeFor[sales.Arm]():            {neverWritten, "TREATMENT", "CONTROL"},
	reflect.TypeFor[sales.LinkKind]():       {neverWritten, "CROSS_SELL", "UPSELL"},
	reflect.TypeFor[bool]():                 {"denied", "granted"},
}

// neverWritten is what an older reader makes of a newer symbol; the encoder refuses it.
const neverWritten = "UNKNOWN"

// goNames are the fields whose Go name is not their schema name in Go's spelling.
var goNames = map[string]string{
	"Alert.experiment_arm": "Arm",
	"Product.margin":       "MarginShare",
	"Evidence.topic":       "Source.Topic",
	"Evidence.partition":   "Source.Partition",
	"Evidence.offset":      "Source.Offset",

	"ProductLink.within_30": "Within30.P", "ProductLink.within_30_low": "Within30.Low", "ProductLink.within_30_high": "Within30.High",
	"ProductLink.within_30_baseline": "Within30.Baseline",
	"ProductLink.within_90":          "Within90.P", "ProductLink.within_90_low": "Within90.Low", "ProductLink.within_90_high": "Within90.High",
	"ProductLink.within_90_baseline": "Within90.Baseline",
	"ProductLink.within_180":         "Within180.P", "ProductLink.within_180_low": "Within180.Low", "ProductLink.within_180_high": "Within180.High",
	"ProductLink.within_180_baseline": "Within180.Baseline",
}

// Most elements of a list or map. Inputs are written by strangers; the records that Leadline writes itself carry every
// cell of a commit.
const (
	maxInputItems    = 10_000
	maxInternalItems = 1 << 22
)

// shapeOf binds the current schema of a record to a Go struct. That schema and struct fit is a promise of this program,
// so it panics when they do not.
func shapeOf(record string, goType reflect.Type, limit int) *shape {
	text, ok := schemas.Get(record)
	if !ok {
		panic("wire: no schema " + record)
	}
	b := binder{limit: limit}
	root := avro.MustParse(text).Root()
	return b.bind(record, root, goType)
}

type binder struct{ limit int }

func (b binder) bind(path string, n *avro.SchemaNode, t reflect.Type) *shape {
	s := &shape{goType: t, limit: b.limit}
	if n.Type == "union" {
		s.optional = true
		n = &n.Branches[1]
	}
	b.bindKind(s, path, n)
	return s
}

// branchName is what goavro calls a branch of a union.
func branchName(n *avro.SchemaNode) string {
	switch {
	case n.Name != "":
		return fullName(n)
	case n.LogicalType != "":
		return n.Type + "." + n.LogicalType
	}
	return n.Type
}

func (b binder) bindKind(s *shape, path string, n *avro.SchemaNode) {
	t := s.goType
	switch {
	case n.Type == "string" && t.Kind() == reflect.String:
		s.kind = textKind
	case n.Type == "int" && t.Kind() == reflect.Int32:
		s.kind = intKind
	case n.LogicalType == "timestamp-millis" && t == reflect.TypeFor[sales.Millis]():
		s.kind = millisKind
	case n.Type == "long" && t == reflect.TypeFor[int64]():
		s.kind = longKind
	case n.Type == "long" && t == reflect.TypeFor[*int64]() && s.optional:
		s.kind = longRefKind
	case n.Type == "double" && t == reflect.TypeFor[float64]():
		s.kind = doubleKind
	case n.Type == "boolean" && t.Kind() == reflect.Bool:
		s.kind = boolKind
	case n.Type == "enum":
		b.bindEnum(s, path, n)
	case n.Type == "array" && t.Kind() == reflect.Slice:
		s.kind, s.elem = listKind, b.bind(path, n.Items, t.Elem())
	case n.Type == "array" && n.Items.Type == "float" && t.Kind() == reflect.Array && t.Elem().Kind() == reflect.Float32 && !s.optional:
		s.kind, s.limit = floatsKind, t.Len()
	case n.Type == "map" && t == reflect.TypeFor[sales.Numbers]() && !s.optional:
		s.kind, s.elem = numbersKind, b.bind(path, n.Values, reflect.TypeFor[float64]())
	case n.Type == "map" && t.Kind() == reflect.Map:
		s.kind, s.elem = dictKind, b.bind(path, n.Values, t.Elem())
	case n.Type == "record" && t.Kind() == reflect.Struct && !s.optional:
		b.bindRecord(s, n)
	default:
		panic(fmt.Sprintf("wire: %s: the schema's %s does not fit the Go type %s", path, n.Type, t))
	}
}

func (b binder) bindEnum(s *shape, path string, n *avro.SchemaNode) {
	s.kind, s.fallback = symbolKind, n.EnumDefault
	s.indices = make(map[string]int64, len(n.Symbols))
	for i, symbol := range n.Symbols {
		s.indices[symbol] = int64(i)
	}
	if s.goType.Kind() == reflect.String {
		return
	}
	s.kind, s.symbols = enumKind, symbolsOf[s.goType]
	s.codes, s.places = make(map[string]uint8, len(s.symbols)), make([]int64, len(s.symbols))
	for code, symbol := range s.symbols {
		s.codes[symbol], s.places[code] = uint8(code), -1
		if at, ok := s.indices[symbol]; ok && symbol != neverWritten {
			s.places[code] = at
		}
	}
	for _, symbol := range n.Symbols {
		if _, ok := s.codes[symbol]; !ok || s.goType.Size() != 1 {
			panic(fmt.Sprintf("wire: %s: symbol %s has no value in %s", path, symbol, s.goType))
		}
	}
}

func (b binder) bindRecord(s *shape, n *avro.SchemaNode) {
	s.kind, s.name = recordKind, n.Name
	for i := range n.Fields {
		f := &n.Fields[i]
		path := n.Name + "." + f.Name
		offset, t := place(s.goType, path, f.Name)
		m := member{name: f.Name, offset: offset, shape: b.bind(path, &f.Type, t), hasDefault: f.HasDefault}
		if m.hasDefault && !m.shape.isBlank(f.Default) {
			panic(fmt.Sprintf("wire: %s: default %v is not the blank value of %s", path, f.Default, t))
		}
		s.members = append(s.members, m)
	}
}

// place finds the Go field of a schema field.
func place(t reflect.Type, path, field string) (uintptr, reflect.Type) {
	name, ok := goNames[path]
	if !ok {
		name = goName(field)
	}
	var offset uintptr
	for part := range strings.SplitSeq(name, ".") {
		f, ok := t.FieldByName(part)
		if !ok {
			panic(fmt.Sprintf("wire: %s: %s has no field %s", path, t, name))
		}
		offset, t = offset+f.Offset, f.Type
	}
	return offset, t
}

func goName(field string) string {
	parts := strings.Split(field, "_")
	for i, p := range parts {
		switch p {
		case "id", "csn":
			parts[i] = strings.ToUpper(p)
		case "ids":
			parts[i] = "IDs"
		default:
			parts[i] = strings.ToUpper(p[:1]) + p[1:]
		}
	}
	return strings.Join(parts, "")
}

func (s *shape) isBlank(def any) bool {
	switch d := def.(type) {
	case nil:
		return s.optional
	case string:
		return d == "" || s.kind == enumKind && s.symbols[0] == d
	case map[string]any:
		return len(d) == 0
	case []any:
		return len(d) == 0
	default:
		return slices.Contains([]any{int32(0), int64(0), float64(0)}, d)
	}
}
