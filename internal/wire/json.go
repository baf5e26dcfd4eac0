package wire

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
	"unsafe"

	"github.com/linkedin/goavro/v2"
	"github.com/twmb/avro"

	"leadline/internal/sales"
)

// timeLayout is RFC 3339 with milliseconds, as the contract's times have them.
const timeLayout = "2006-01-02T15:04:05.000Z07:00"

// slowWay reads a writer's values through goavro, which knows every Avro type but is twenty times slower than a
// projection: to show them as JSON, and for shapes that have no projection.
type slowWay struct {
	writer *writer
	skip   *skipper
	codec  *goavro.Codec
}

func newSlowWay(text string) (*slowWay, error) {
	w, err := parseWriter(text)
	if err != nil {
		return nil, err
	}
	codec, err := goavro.NewCodec(text)
	if err != nil {
		return nil, err
	}
	return &slowWay{writer: w, skip: w.skipperOf(w.root), codec: codec}, nil
}

// JSON renders any value in wire format as plain JSON: fields in the schema's order, unions as their bare value, times
// as RFC 3339 in UTC, not-a-number as null, bytes that are no text as base64.
func (d *Decoder) JSON(ctx context.Context, value []byte) ([]byte, error) {
	id, body, err := splitHeader(value)
	if err != nil {
		return nil, err
	}
	text, err := d.text(ctx, id)
	if err != nil {
		return nil, err
	}
	slow, err := d.slowWay(id, text)
	if err != nil {
		return nil, poison(sales.DeadWrongSchema, "schema %d: %v", id, err)
	}
	out, bad := slow.json(body, false)
	if bad != nil {
		return nil, bad
	}
	return out, nil
}

// json walks the value once with the skipper, because goavro allocates by whatever number a value claims.
func (s *slowWay) json(body []byte, strict bool) ([]byte, *Poison) {
	r := reader{buf: body}
	bad := s.skip.skip(&r)
	if bad == nil {
		bad = r.end()
	}
	if bad != nil {
		return nil, r.located(bad)
	}
	native, _, err := s.codec.NativeFromBinary(body)
	if err != nil {
		return nil, notAvro("%v", err)
	}
	out, err := renderer{s.writer, strict}.render(nil, s.writer.root, native)
	if err != nil {
		return nil, poison(sales.DeadInvalid, "%v", err)
	}
	return out, nil
}

// read is the way of shapes without a projection: what goavro reads becomes JSON, and that the struct.
func (s *slowWay) read(to *shape, body []byte, p unsafe.Pointer) *Poison {
	text, bad := s.json(body, true)
	if bad != nil {
		return bad
	}
	values, err := parseObject(text)
	if err == nil {
		err = assigner{}.set(to, p, values)
	}
	if err != nil {
		return poison(sales.DeadWrongSchema, "%v", err)
	}
	return nil
}

// renderer makes JSON of what goavro reads. Strict refuses strings that are not UTF-8, which JSON would mend without a word.
type renderer struct {
	*writer
	strict bool
}

func (w renderer) render(dst []byte, n *avro.SchemaNode, v any) ([]byte, error) {
	n = w.resolve(n)
	switch native := v.(type) {
	case nil:
		return append(dst, "null"...), nil
	case map[string]any:
		return w.renderMap(dst, n, native)
	case []any:
		return w.renderList(dst, n, native)
	default:
		return w.appendScalar(dst, n, v)
	}
}

// renderMap renders what goavro gives as a Go map: records, maps, and the branches of unions.
func (w renderer) renderMap(dst []byte, n *avro.SchemaNode, native map[string]any) ([]byte, error) {
	switch n.Type {
	case "union":
		for name, v := range native { // exactly one
			return w.renderBranch(dst, n, name, v)
		}
	case "record":
		return w.renderRecord(dst, n, native)
	}
	return renderEntries(dst, slices.Sorted(maps.Keys(native)), func(dst []byte, key string) ([]byte, error) {
		return w.render(dst, n.Values, native[key])
	})
}

func (w renderer) renderRecord(dst []byte, n *avro.SchemaNode, native map[string]any) ([]byte, error) {
	names := make([]string, len(n.Fields))
	types := make(map[string]*avro.SchemaNode, len(n.Fields))
	for i := range n.Fields {
		names[i] = n.Fields[i].Name
		types[names[i]] = &n.Fields[i].Type
	}
	return renderEntries(dst, names, func(dst []byte, name string) ([]byte, error) {
		return w.render(dst, types[name], native[name])
	})
}

func renderEntries(dst []byte, keys []string, value func(dst []byte, key string) ([]byte, error)) ([]byte, error) {
	dst = append(dst, '{')
	for i, key := range keys {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendText(dst, key), ':')
		var err error
		if dst, err = value(dst, key); err != nil {
			return nil, err
		}
	}
	return append(dst, '}'), nil
}

func (w renderer) renderList(dst []byte, n *avro.SchemaNode, native []any) ([]byte, error) {
	dst = append(dst, '[')
	for i, v := range native {
		if i > 0 {
			dst = append(dst, ',')
		}
		var err error
		if dst, err = w.render(dst, n.Items, v); err != nil {
			return nil, err
		}
	}
	return append(dst, ']'), nil
}

// renderBranch finds the branch by the name that goavro gives it.
func (w renderer) renderBranch(dst []byte, n *avro.SchemaNode, name string, v any) ([]byte, error) {
	for i := range n.Branches {
		b := w.resolve(&n.Branches[i])
		if name == branchName(b) || name == b.Type { // it drops the logical types that it does not know
			return w.render(dst, b, v)
		}
	}
	return nil, fmt.Errorf("union has no branch %s", name)
}

func (w renderer) appendScalar(dst []byte, n *avro.SchemaNode, v any) ([]byte, error) {
	switch x := v.(type) {
	case string:
		if w.strict && !utf8.ValidString(x) {
			return nil, fmt.Errorf("string %.40q is not UTF-8", x)
		}
		return appendText(dst, x), nil
	case time.Time:
		return appendTime(dst, x), nil
	case int64:
		if scale, ok := scales[n.Type+"."+n.LogicalType]; ok { // one that goavro does not know
			return appendTime(dst, time.UnixMilli(floorDiv(x, scale[1]))), nil
		}
	case []byte:
		if utf8.Valid(x) {
			return appendText(dst, string(x)), nil
		}
		return appendText(dst, base64.StdEncoding.EncodeToString(x)), nil
	case *big.Rat:
		return append(dst, x.FloatString(n.Scale)...), nil
	case float64:
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return append(dst, "null"...), nil
		}
	case float32:
		return w.appendScalar(dst, n, float64(x))
	}
	out, err := json.Marshal(v)
	return append(dst, out...), err
}

// appendTime falls back to milliseconds for years that RFC 3339 cannot say.
func appendTime(dst []byte, t time.Time) []byte {
	if y := t.UTC().Year(); y < 0 || y > 9999 {
		return strconv.AppendInt(dst, t.UnixMilli(), 10)
	}
	return append(t.UTC().AppendFormat(append(dst, '"'), timeLayout), '"')
}

// appendText appends a JSON string; unlike json.Marshal it leaves the & of "BEEF & PORK" alone.
func appendText(dst []byte, s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic(err) // a string can always be encoded
	}
	return append(dst, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...)
}

func floorDiv(v, div int64) int64 {
	if v < 0 && v%div != 0 {
		return v/div - 1
	}
	return v / div
}
