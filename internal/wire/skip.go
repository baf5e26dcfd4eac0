package wire

import "github.com/twmb/avro"

// skipper walks over a value of a writer's type that nobody wants. It checks all that it passes, so that a value which
// was skipped as a whole can be handed to a decoder without bounds of its own.
type skipper struct {
	code    skipCode
	size    int        // fixed: bytes; enum: symbols
	minimum int        // least bytes of one value
	parts   []*skipper // record: fields; union: branches; array and map: the element
}

type skipCode uint8

const (
	skipNull skipCode = iota
	skipBoolean
	skipInt
	skipLong
	skipFixed
	skipBytes
	skipEnum
	skipRecord
	skipUnion
	skipArray
	skipMap
)

// skipperOf compiles the skipper of a node once: types may recur.
func (w *writer) skipperOf(n *avro.SchemaNode) *skipper {
	n = w.resolve(n)
	if s, ok := w.skippers[n]; ok {
		return s
	}
	s := &skipper{}
	w.skippers[n] = s
	w.buildSkipper(s, n)
	return s
}

func (w *writer) buildSkipper(s *skipper, n *avro.SchemaNode) {
	s.minimum = 1
	switch n.Type {
	case "null":
		s.code, s.minimum = skipNull, 0
	case "boolean":
		s.code = skipBoolean
	case "int":
		s.code = skipInt
	case "long":
		s.code = skipLong
	case "float":
		s.code, s.size, s.minimum = skipFixed, 4, 4
	case "double":
		s.code, s.size, s.minimum = skipFixed, 8, 8
	case "fixed":
		s.code, s.size, s.minimum = skipFixed, n.Size, n.Size
	case "enum":
		s.code, s.size = skipEnum, len(n.Symbols)
	case "array":
		s.code, s.parts = skipArray, []*skipper{w.skipperOf(n.Items)}
	case "map":
		s.code, s.parts = skipMap, []*skipper{w.skipperOf(n.Values)}
	case "union":
		s.code = skipUnion
		for i := range n.Branches {
			s.parts = append(s.parts, w.skipperOf(&n.Branches[i]))
		}
	case "record":
		s.code, s.minimum = skipRecord, 0
		for i := range n.Fields {
			part := w.skipperOf(&n.Fields[i].Type)
			s.parts = append(s.parts, part)
			s.minimum = min(s.minimum+part.minimum, 1<<20) // a bound only has to be true, not tight
		}
	default: // bytes, string: parseWriter lets no other type through
		s.code = skipBytes
	}
}

func (s *skipper) skip(r *reader) *Poison {
	switch s.code {
	case skipNull:
		return nil
	case skipBoolean:
		_, bad := r.boolean()
		return bad
	case skipInt:
		_, bad := r.int()
		return bad
	case skipLong:
		_, bad := r.long()
		return bad
	case skipFixed:
		_, bad := r.fixed(s.size)
		return bad
	case skipEnum:
		_, bad := r.index(s.size)
		return bad
	case skipBytes:
		n, bad := r.length()
		r.at += n
		return bad
	}
	return s.skipNested(r)
}

func (s *skipper) skipNested(r *reader) *Poison {
	if bad := r.enter(); bad != nil {
		return bad
	}
	defer func() { r.depth-- }()
	switch s.code {
	case skipUnion:
		i, bad := r.index(len(s.parts))
		if bad != nil {
			return bad
		}
		return s.parts[i].skip(r)
	case skipRecord:
		for _, part := range s.parts {
			if bad := part.skip(r); bad != nil {
				return bad
			}
		}
		return nil
	}
	return s.skipBlocks(r)
}

// skipBlocks skips the elements of an array, or the keys and elements of a map.
func (s *skipper) skipBlocks(r *reader) *Poison {
	elem, minSize := s.parts[0], s.parts[0].minimum
	if s.code == skipMap {
		minSize++
	}
	for {
		count, bad := r.block(minSize)
		if bad != nil || count == 0 {
			return bad
		}
		for range count {
			if s.code == skipMap {
				n, bad := r.length()
				if bad != nil {
					return bad
				}
				r.at += n
			}
			if bad := elem.skip(r); bad != nil {
				return bad
			}
		}
	}
}
