package wire

import (
	"fmt"
	"reflect"
	"slices"
	"unsafe"

	"leadline/internal/sales"
)

// native gives the value at p as goavro wants it.
func (s *shape) native(p unsafe.Pointer) (any, error) {
	if !s.optional {
		return s.nativeValue(p)
	}
	if s.isNull(p) {
		return nil, nil
	}
	v, err := s.nativeValue(p)
	return map[string]any{s.branch(): v}, err
}

// branch is what goavro calls the branch of an optional place that is not null.
func (s *shape) branch() string {
	switch s.kind {
	case textKind:
		return "string"
	case intKind:
		return "int"
	case longKind, longRefKind:
		return "long"
	case millisKind:
		return "long.timestamp-millis"
	case doubleKind:
		return "double"
	case listKind:
		return "array"
	case dictKind, numbersKind:
		return "map"
	default:
		return "leadline.v1." + s.goType.Name()
	}
}

func (s *shape) nativeValue(p unsafe.Pointer) (any, error) {
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
	case enumKind:
		return s.symbols[*(*uint8)(p)], nil
	case symbolKind:
		return *(*string)(p), nil
	case listKind:
		return s.nativeList(p)
	case floatsKind:
		return nativeFloats(s.floats(p)), nil
	case dictKind:
		return s.nativeDict(p)
	case numbersKind:
		dict := map[string]any{}
		for _, n := range *(*sales.Numbers)(p) {
			dict[n.Name] = n.Value
		}
		return dict, nil
	default:
		return s.nativeRecord(p)
	}
}

func (s *shape) nativeRecord(p unsafe.Pointer) (any, error) {
	fields := make(map[string]any, len(s.members))
	for i := range s.members {
		m := &s.members[i]
		v, err := m.shape.native(unsafe.Add(p, m.offset))
		if err != nil {
			return nil, at(m.name, err)
		}
		fields[m.name] = v
	}
	return fields, nil
}

func (s *shape) nativeList(p unsafe.Pointer) (any, error) {
	h, size := (*sliceHeader)(p), s.elemSize()
	list := make([]any, h.len)
	for i := range h.len {
		v, err := s.elem.native(unsafe.Add(h.data, uintptr(i)*size))
		if err != nil {
			return nil, at(fmt.Sprintf("[%d]", i), err)
		}
		list[i] = v
	}
	return list, nil
}

func nativeFloats(floats []float32) []any {
	list := []any{}
	if slices.ContainsFunc(floats, func(f float32) bool { return f != 0 }) {
		for _, f := range floats {
			list = append(list, f)
		}
	}
	return list
}

func (s *shape) nativeDict(p unsafe.Pointer) (any, error) {
	dict := map[string]any{}
	entries := reflect.NewAt(s.goType, p).Elem()
	for it := entries.MapRange(); it.Next(); {
		elem := reflect.New(s.goType.Elem())
		elem.Elem().Set(it.Value())
		v, err := s.elem.native(elem.UnsafePointer())
		if err != nil {
			return nil, at(it.Key().String(), err)
		}
		dict[it.Key().String()] = v
	}
	return dict, nil
}
