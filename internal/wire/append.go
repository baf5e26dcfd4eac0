package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"slices"
	"unsafe"

	"leadline/internal/sales"
)

// append writes the Avro of the value at p by the current schema. It is the mirror of a projection, and maps are
// written in the order of their keys, so that the same value always gives the same bytes.
func (s *shape) append(dst []byte, p unsafe.Pointer) ([]byte, error) {
	if s.optional {
		if s.isNull(p) {
			return append(dst, 0), nil
		}
		dst = append(dst, 2) // branch 1, zigzag
	}
	switch s.kind {
	case textKind:
		return appendString(dst, *(*string)(p)), nil
	case intKind:
		return binary.AppendVarint(dst, int64(*(*int32)(p))), nil
	case longKind, millisKind:
		return binary.AppendVarint(dst, *(*int64)(p)), nil
	case longRefKind:
		return binary.AppendVarint(dst, **(**int64)(p)), nil
	case doubleKind:
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(*(*float64)(p))), nil
	case boolKind:
		return append(dst, *(*uint8)(p)), nil
	case enumKind, symbolKind:
		return s.appendSymbol(dst, p)
	case listKind:
		return s.appendList(dst, p)
	case floatsKind:
		return s.appendFloats(dst, p), nil
	case dictKind:
		return s.appendDict(dst, p)
	case numbersKind:
		return appendNumbers(dst, *(*sales.Numbers)(p)), nil
	default:
		return s.appendRecord(dst, p)
	}
}

func appendString(dst []byte, v string) []byte {
	return append(binary.AppendVarint(dst, int64(len(v))), v...)
}

// isNull says whether the value of an optional place is the blank one that stands for null.
func (s *shape) isNull(p unsafe.Pointer) bool {
	switch s.kind {
	case textKind, symbolKind:
		return *(*string)(p) == ""
	case intKind:
		return *(*int32)(p) == 0
	case longKind, millisKind:
		return *(*int64)(p) == 0
	case longRefKind:
		return *(**int64)(p) == nil
	case doubleKind:
		return math.IsNaN(*(*float64)(p))
	case listKind:
		return (*sliceHeader)(p).len == 0
	case dictKind:
		return *(*unsafe.Pointer)(p) == nil
	default: // an enum
		return *(*uint8)(p) == 0
	}
}

// symbolAt is the place in the schema of the symbol that the value at p stands for.
func (s *shape) symbolAt(p unsafe.Pointer) (int64, error) {
	var symbol string
	if s.kind == symbolKind {
		symbol = *(*string)(p)
	} else if code := *(*uint8)(p); int(code) < len(s.places) {
		if at := s.places[code]; at >= 0 {
			return at, nil
		}
		symbol = s.symbols[code]
	}
	at, ok := s.indices[symbol]
	if !ok || symbol == neverWritten {
		return 0, fmt.Errorf("%q is not a symbol of %s", symbol, s.goType)
	}
	return at, nil
}

func (s *shape) appendSymbol(dst []byte, p unsafe.Pointer) ([]byte, error) {
	at, err := s.symbolAt(p)
	return binary.AppendVarint(dst, at), err
}

func (s *shape) appendRecord(dst []byte, p unsafe.Pointer) (_ []byte, err error) {
	for i := range s.members {
		m := &s.members[i]
		if dst, err = m.shape.append(dst, unsafe.Add(p, m.offset)); err != nil {
			return nil, at(m.name, err)
		}
	}
	return dst, nil
}

func (s *shape) appendList(dst []byte, p unsafe.Pointer) (_ []byte, err error) {
	h, size := (*sliceHeader)(p), s.elemSize()
	if h.len > 0 {
		dst = binary.AppendVarint(dst, int64(h.len))
	}
	for i := range h.len {
		if dst, err = s.elem.append(dst, unsafe.Add(h.data, uintptr(i)*size)); err != nil {
			return nil, at(fmt.Sprintf("[%d]", i), err)
		}
	}
	return append(dst, 0), nil
}

// floats are the elements of a place of floatsKind.
func (s *shape) floats(p unsafe.Pointer) []float32 { return unsafe.Slice((*float32)(p), s.limit) }

func (s *shape) appendFloats(dst []byte, p unsafe.Pointer) []byte {
	floats := s.floats(p)
	if !slices.ContainsFunc(floats, func(f float32) bool { return f != 0 }) {
		return append(dst, 0)
	}
	dst = binary.AppendVarint(dst, int64(len(floats)))
	for _, f := range floats {
		dst = binary.LittleEndian.AppendUint32(dst, math.Float32bits(f))
	}
	return append(dst, 0)
}

func (s *shape) appendDict(dst []byte, p unsafe.Pointer) ([]byte, error) {
	switch s.goType.Elem().Kind() {
	case reflect.String:
		return appendEntries(dst, s.elem, *(*map[string]string)(p))
	case reflect.Float64:
		return appendEntries(dst, s.elem, *(*map[string]float64)(p))
	default:
		return appendEntries(dst, s.elem, *(*map[string]bool)(p))
	}
}

// appendNumbers writes what is sorted already.
func appendNumbers(dst []byte, numbers sales.Numbers) []byte {
	if len(numbers) > 0 {
		dst = binary.AppendVarint(dst, int64(len(numbers)))
	}
	for _, n := range numbers {
		dst = binary.LittleEndian.AppendUint64(appendString(dst, n.Name), math.Float64bits(n.Value))
	}
	return append(dst, 0)
}

func appendEntries[V any](dst []byte, elem *shape, entries map[string]V) (_ []byte, err error) {
	if len(entries) > 0 {
		dst = binary.AppendVarint(dst, int64(len(entries)))
	}
	keys := make([]string, 0, 16) // most have no more, and then this is no allocation
	for key := range entries {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	var v V
	for _, key := range keys {
		v = entries[key]
		if dst, err = elem.append(appendString(dst, key), unsafe.Pointer(&v)); err != nil {
			return nil, at(key, err)
		}
	}
	return append(dst, 0), nil
}
