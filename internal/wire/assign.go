package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strconv"
	"time"
	"unsafe"

	"leadline/internal/sales"
)

// assigner puts parsed JSON into a struct. Strict is for what people write: unknown fields and unknown enum symbols are
// errors. Otherwise, for values of other writers' schemas, both are treated as Avro's resolution has it.
//
// Numbers may stand as strings, times as RFC 3339 or as milliseconds since 1970. Errors name the field by its path.
type assigner struct{ strict bool }

// fieldError is a complaint about one field.
type fieldError struct {
	path string
	why  string
}

func (e *fieldError) Error() string {
	if e.path == "" {
		return e.why
	}
	return e.path + ": " + e.why
}

// at puts the name of the enclosing field before an error's path.
func at(path string, err error) error {
	var f *fieldError
	if !errors.As(err, &f) {
		return &fieldError{path: path, why: err.Error()}
	}
	if f.path != "" && f.path[0] != '[' {
		path += "."
	}
	return &fieldError{path: path + f.path, why: f.why}
}

func want(what string, v any) error {
	text, err := json.Marshal(v)
	if err != nil || len(text) > 40 {
		return fmt.Errorf("want %s", what)
	}
	return fmt.Errorf("want %s, got %s", what, text)
}

func (a assigner) set(s *shape, p unsafe.Pointer, v any) (err error) {
	switch s.kind {
	case textKind:
		*(*string)(p), err = textOf(v)
	case symbolKind:
		*(*string)(p), err = a.symbol(s, v)
	case enumKind:
		var symbol string
		symbol, err = a.symbol(s, v)
		*(*uint8)(p) = s.codes[symbol]
	case intKind, longKind, longRefKind:
		err = setWhole(s, p, v)
	case millisKind:
		*(*int64)(p), err = millisOf(v)
	case doubleKind:
		*(*float64)(p), err = doubleOf(v)
	case boolKind:
		*(*bool)(p), err = boolOf(v)
	case listKind:
		err = a.list(s, p, v)
	case floatsKind:
		err = setFloats(s.floats(p), v)
	case dictKind:
		err = a.dict(s, p, v)
	case numbersKind:
		err = a.numbers(s, (*sales.Numbers)(p), v)
	case recordKind:
		err = a.record(s, p, v)
	}
	return err
}

func (a assigner) record(s *shape, p unsafe.Pointer, v any) error {
	values, ok := v.(map[string]any)
	if !ok {
		return want("an object", v)
	}
	for i := range s.members {
		m := &s.members[i]
		place := unsafe.Add(p, m.offset)
		v := values[m.name]
		switch {
		case v != nil:
			if err := a.set(m.shape, place, v); err != nil {
				return at(m.name, err)
			}
		case m.hasDefault:
			m.shape.blank(place)
		default:
			return at(m.name, errors.New("required field is missing"))
		}
	}
	return a.unknown(s, values)
}

func (a assigner) unknown(s *shape, values map[string]any) error {
	if !a.strict {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !slices.ContainsFunc(s.members, func(m member) bool { return m.name == name }) {
			return at(name, errors.New("unknown field"))
		}
	}
	return nil
}

func (a assigner) list(s *shape, p unsafe.Pointer, v any) error {
	values, ok := v.([]any)
	if !ok {
		return want("an array", v)
	}
	if len(values) > s.limit {
		return fmt.Errorf("more than %d elements", s.limit)
	}
	list := reflect.MakeSlice(s.goType, len(values), len(values))
	for i, v := range values {
		if err := a.set(s.elem, list.Index(i).Addr().UnsafePointer(), v); err != nil {
			return at(fmt.Sprintf("[%d]", i), err)
		}
	}
	reflect.NewAt(s.goType, p).Elem().Set(list)
	return nil
}

func setFloats(into []float32, v any) error {
	values, ok := v.([]any)
	if !ok {
		return want("an array", v)
	}
	if len(values) > len(into) {
		return fmt.Errorf("more than %d elements", len(into))
	}
	clear(into)
	for i, v := range values {
		f, err := doubleOf(v)
		if err != nil {
			return at(fmt.Sprintf("[%d]", i), err)
		}
		into[i] = float32(f)
	}
	return nil
}

func (a assigner) dict(s *shape, p unsafe.Pointer, v any) error {
	values, ok := v.(map[string]any)
	if !ok {
		return want("an object", v)
	}
	if len(values) > s.limit {
		return fmt.Errorf("more than %d entries", s.limit)
	}
	s.blank(p)
	if len(values) == 0 {
		return nil
	}
	dict := reflect.MakeMapWithSize(s.goType, len(values))
	for key, v := range values {
		elem := reflect.New(s.goType.Elem())
		if err := a.set(s.elem, elem.UnsafePointer(), v); err != nil {
			return at(key, err)
		}
		dict.SetMapIndex(reflect.ValueOf(key), elem.Elem())
	}
	reflect.NewAt(s.goType, p).Elem().Set(dict)
	return nil
}

func (a assigner) numbers(s *shape, into *sales.Numbers, v any) error {
	byName := shape{kind: dictKind, goType: reflect.TypeFor[map[string]float64](), elem: s.elem, limit: s.limit}
	var m map[string]float64
	err := a.dict(&byName, unsafe.Pointer(&m), v)
	*into = sales.NumbersOf(m)
	return err
}

func (a assigner) symbol(s *shape, v any) (string, error) {
	symbol, err := textOf(v)
	if err != nil {
		return "", err
	}
	if _, ok := s.indices[symbol]; !ok && a.strict {
		return "", want(fmt.Sprintf("one of %v", s.schemaSymbols()), v)
	}
	return s.known(symbol), nil
}

func (s *shape) schemaSymbols() []string {
	symbols := slices.Collect(maps.Keys(s.indices))
	slices.SortFunc(symbols, func(a, b string) int { return int(s.indices[a] - s.indices[b]) })
	return symbols
}

func setWhole(s *shape, p unsafe.Pointer, v any) error {
	n, err := wholeOf(v)
	switch {
	case err != nil:
		return err
	case s.kind == longRefKind:
		*(**int64)(p) = &n
	case s.kind == longKind:
		*(*int64)(p) = n
	case n != int64(int32(n)):
		return want("a whole number of 32 bits", v)
	default:
		*(*int32)(p) = int32(n)
	}
	return nil
}

func textOf(v any) (string, error) {
	s, ok := v.(string)
	if !ok {
		return "", want("a string", v)
	}
	if len(s) > maxText {
		return "", fmt.Errorf("string of %d bytes, at most %d are accepted", len(s), maxText)
	}
	return s, nil
}

// numeral is the text of a number or of a string that may be one.
func numeral(v any) string {
	switch x := v.(type) {
	case json.Number:
		return x.String()
	case string:
		return x
	}
	return ""
}

// wholeOf takes 3 and "3", also 3.0 and 3e2, as long as a float64 holds them exactly.
func wholeOf(v any) (int64, error) {
	text := numeral(v)
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n, nil
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && f == math.Trunc(f) && math.Abs(f) <= 1<<53 {
		return int64(f), nil
	}
	return 0, want("a whole number", v)
}

func doubleOf(v any) (float64, error) {
	f, err := strconv.ParseFloat(numeral(v), 64)
	if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		return 0, want("a number", v)
	}
	return f, nil
}

func boolOf(v any) (bool, error) {
	switch v {
	case true, "true":
		return true, nil
	case false, "false":
		return false, nil
	}
	return false, want("true or false", v)
}

func millisOf(v any) (int64, error) {
	if s, ok := v.(string); ok {
		if t, err := time.Parse(time.RFC3339, s); err == nil {
			return t.UnixMilli(), nil
		}
	}
	n, err := wholeOf(v)
	if err != nil {
		return 0, want("a time as RFC 3339 or milliseconds since 1970", v)
	}
	return n, nil
}
