package wire

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"unsafe"
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
	case dictKind:
		return s.appendDict(dst, p)
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

// symbolAt is the symbol that the value at p stands for.
func (s *shape) symbolAt(p unsafe.Pointer) (string, error) {
	var symbol string
	if s.kind == symbolKind {
		symbol = *(*string)(p)
	} else if code := *(*uint8)(p); int(code) < len(s.symbols) {
		symbol = s.symbols[code]
	}
	if _, ok := s.indices[symbol]; !ok || symbol == neverWritten {
		return "", fmt.Errorf("%q is not a symbol of %s", symbol, s.goType)
	}
	return symbol, nil
}

func (s *shape) appendSymbol(dst []byte, p unsafe.Pointer) ([]byte, error) {
	symbol, err := s.symbolAt(p)
	return binary.AppendVarint(dst, s.indices[symbol]), err
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

func appendEntries[V any](dst []byte, elem *shape, entries map[string]V) (_ []byte, err error) {
	if len(entries) > 0 {
		dst = binary.AppendVarint(dst, int64(len(entries)))
	}
	for _, key := range slices.Sorted(maps.Keys(entries)) {
		v := entries[key]
		if dst, err = elem.append(appendString(dst, key), unsafe.Pointer(&v)); err != nil {
			return nil, at(key, err)
		}
	}
	return append(dst, 0), nil
}

// native gives the value at p as goavro wants it. The maps and lists of an earlier value of the same shape, if there is one, are
// used again: making them is four fifths of the work.
func (s *shape) native(p unsafe.Pointer, earlier any) (v any, err error) {
	if !s.optional {
		return s.nativeValue(p, earlier)
	}
	if s.isNull(p) {
		return nil, nil
	}
	union, ok := earlier.(map[string]any)
	if !ok {
		union = make(map[string]any, 1)
	}
	union[s.branch], err = s.nativeValue(p, union[s.branch])
	return union, err
}

func (s *shape) nativeValue(p unsafe.Pointer, earlier any) (any, error) {
	switch s.kind {
	case textKind:
		return *(*string)(p), nil
	case intKind:
		return *(*int32)(p), nil
	case longKind, millisKind:
		return *(*int64)(p), nil
	case longRefKind:
		return **(**int64)(p), nil
	case doubleKind:
		return *(*float64)(p), nil
	case boolKind:
		return *(*bool)(p), nil
	case enumKind, symbolKind:
		return s.symbolAt(p)
	case listKind:
		return s.nativeList(p, earlier)
	case dictKind:
		return s.nativeDict(p, earlier)
	default:
		return s.nativeRecord(p, earlier)
	}
}

func (s *shape) nativeRecord(p unsafe.Pointer, earlier any) (any, error) {
	fields, ok := earlier.(map[string]any)
	if !ok {
		fields = make(map[string]any, len(s.members))
	}
	for i := range s.members {
		m := &s.members[i]
		v, err := m.shape.native(unsafe.Add(p, m.offset), fields[m.name])
		if err != nil {
			return nil, at(m.name, err)
		}
		fields[m.name] = v
	}
	return fields, nil
}

func (s *shape) nativeList(p unsafe.Pointer, earlier any) (any, error) {
	h, size := (*sliceHeader)(p), s.elemSize()
	list, _ := earlier.([]any)
	for i := range h.len {
		if i == len(list) {
			list = append(list, nil)
		}
		v, err := s.elem.native(unsafe.Add(h.data, uintptr(i)*size), list[i])
		if err != nil {
			return nil, at(fmt.Sprintf("[%d]", i), err)
		}
		list[i] = v
	}
	return list[:h.len], nil
}

func (s *shape) nativeDict(p unsafe.Pointer, earlier any) (any, error) {
	dict, ok := earlier.(map[string]any)
	if !ok {
		dict = map[string]any{}
	}
	clear(dict)
	entries := reflect.NewAt(s.goType, p).Elem()
	for it := entries.MapRange(); it.Next(); {
		elem := reflect.New(s.goType.Elem())
		elem.Elem().Set(it.Value())
		v, err := s.elem.native(elem.UnsafePointer(), nil)
		if err != nil {
			return nil, at(it.Key().String(), err)
		}
		dict[it.Key().String()] = v
	}
	return dict, nil
}
