package wire

import (
	"math"
	"reflect"
	"unsafe"

	"leadline/internal/sales"
)

// run takes the steps, in the writer's order, into the struct at base. The places were computed by shapeOf from the
// struct's own type, which is what makes the unsafe writes safe. It is one long switch because it is the hot path: a
// table of functions, or a function per step, costs a third more.
func (r *reader) run(ops []op, base unsafe.Pointer) *Poison {
	for i := range ops {
		o := &ops[i]
		if o.code == opUnion { // of a writer's union only the branch matters, and unions do not nest
			branch, bad := r.index(len(o.ops))
			if bad != nil {
				return bad
			}
			o = &o.ops[branch]
		}
		p := unsafe.Add(base, o.offset)
		var bad *Poison
		switch o.code {
		case opText:
			*(*string)(p), bad = r.text()
		case opLong:
			*(*int64)(p), bad = r.whole(o)
		case opInt:
			bad = r.int32(o, p)
		case opEnum:
			*(*uint8)(p), bad = r.enum(o)
		case opBlank:
			o.shape.blank(p)
		case opList:
			bad = r.list(o, p)
		case opSkip:
			bad = o.skip.skip(r)
		default:
			bad = r.rareStep(o, p)
		}
		if bad != nil {
			return bad
		}
	}
	return nil
}

func (r *reader) enum(o *op) (uint8, *Poison) {
	i, bad := r.index(len(o.codes))
	if bad != nil {
		return 0, bad
	}
	return o.codes[i], nil
}

func (r *reader) rareStep(o *op, p unsafe.Pointer) (bad *Poison) {
	switch o.code {
	case opRefuse:
		bad = poison(sales.DeadWrongSchema, "field %s holds null, which the contract does not allow", o.name)
	case opDouble:
		*(*float64)(p), bad = r.double()
	case opFloat:
		*(*float64)(p), bad = r.float()
	case opBool:
		*(*bool)(p), bad = r.boolean()
	case opScaled:
		*(*int64)(p), bad = r.scaled(o)
	case opLongRef:
		var v int64
		v, bad = r.whole(o)
		*(**int64)(p) = &v
	case opIntAsDouble:
		var v int64
		v, bad = r.whole(o)
		*(*float64)(p) = float64(v)
	case opSymbol:
		var i int
		if i, bad = r.index(len(o.texts)); bad == nil {
			*(*string)(p) = o.texts[i]
		}
	case opRecord:
		bad = r.run(o.ops, p)
	case opFloats:
		bad = r.floats(o, o.shape.floats(p))
	case opDict:
		bad = r.dict(o, p)
	}
	return bad
}

func (r *reader) whole(o *op) (int64, *Poison) {
	if o.narrow {
		return r.int()
	}
	return r.long()
}

func (r *reader) int32(o *op, p unsafe.Pointer) *Poison {
	v, bad := r.whole(o)
	if bad != nil {
		return bad
	}
	if v != int64(int32(v)) {
		return poison(sales.DeadInvalid, "field %s is %d, more than 32 bits", o.name, v)
	}
	*(*int32)(p) = int32(v)
	return nil
}

// scaled reads a time in other units. Fractions go down, also before 1970. The product does not overflow: only days,
// of 32 bits, have a factor.
func (r *reader) scaled(o *op) (int64, *Poison) {
	v, bad := r.whole(o)
	return floorDiv(v*o.mul, o.div), bad
}

// sliceHeader is how Go lays out a slice.
type sliceHeader struct {
	data     unsafe.Pointer
	len, cap int
}

func (r *reader) list(o *op, p unsafe.Pointer) *Poison {
	h, size := (*sliceHeader)(p), o.shape.elemSize()
	h.len = 0
	for {
		count, bad := r.block(o.minimum)
		if bad != nil || count == 0 {
			return bad
		}
		if count > o.shape.limit-h.len {
			return poison(sales.DeadTooLarge, "field %s has more than %d elements", o.name, o.shape.limit)
		}
		if h.len+count > h.cap {
			reflect.NewAt(o.shape.goType, p).Elem().Grow(count)
		}
		for range count {
			if bad := r.run(o.ops, unsafe.Add(h.data, uintptr(h.len)*size)); bad != nil {
				return bad
			}
			h.len++
		}
	}
}

// floats reads a list into an array. What the writer has no element for is 0.
func (r *reader) floats(o *op, into []float32) *Poison {
	clear(into)
	for n := 0; ; {
		count, bad := r.block(o.minimum)
		if bad != nil || count == 0 {
			return bad
		}
		if count > len(into)-n {
			return poison(sales.DeadTooLarge, "field %s has more than %d elements", o.name, len(into))
		}
		for range count {
			f, bad := r.float()
			if bad != nil {
				return bad
			}
			into[n] = float32(f)
			n++
		}
	}
}

// dict reads a map of strings, of numbers or of consents. An empty one is nil.
func (r *reader) dict(o *op, p unsafe.Pointer) *Poison {
	if o.shape.kind == numbersKind {
		return r.numbers(o, (*sales.Numbers)(p))
	}
	switch o.shape.goType.Elem().Kind() {
	case reflect.String:
		return readDict(r, o, (*map[string]string)(p))
	case reflect.Float64:
		return readDict(r, o, (*map[string]float64)(p))
	default:
		return readDict(r, o, (*map[string]bool)(p))
	}
}

func (r *reader) numbers(o *op, into *sales.Numbers) *Poison {
	var byName map[string]float64
	bad := readDict(r, o, &byName)
	*into = sales.NumbersOf(byName)
	return bad
}

func readDict[V any](r *reader, o *op, into *map[string]V) *Poison {
	*into = nil
	for {
		count, bad := r.block(o.minimum)
		if bad != nil || count == 0 {
			return bad
		}
		if count > o.shape.limit-len(*into) {
			return poison(sales.DeadTooLarge, "field %s has more than %d entries", o.name, o.shape.limit)
		}
		if *into == nil {
			*into = make(map[string]V, min(count, 16))
		}
		for range count {
			key, bad := r.text()
			if bad != nil {
				return bad
			}
			if _, twice := (*into)[key]; twice {
				return notAvro("field %s has the key %.40q twice", o.name, key)
			}
			var v V
			if bad := r.run(o.ops, unsafe.Pointer(&v)); bad != nil {
				return bad
			}
			(*into)[key] = v
		}
	}
}

// blank writes what stands for null and for a missing optional field.
func (s *shape) blank(p unsafe.Pointer) {
	switch s.kind {
	case textKind, symbolKind:
		*(*string)(p) = ""
	case intKind:
		*(*int32)(p) = 0
	case longKind, millisKind:
		*(*int64)(p) = 0
	case longRefKind:
		*(**int64)(p) = nil
	case doubleKind:
		*(*float64)(p) = 0
		if s.optional {
			*(*float64)(p) = math.NaN()
		}
	case boolKind, enumKind:
		*(*uint8)(p) = 0
	case listKind:
		(*sliceHeader)(p).len = 0
	case floatsKind:
		clear(s.floats(p))
	case dictKind:
		*(*unsafe.Pointer)(p) = nil
	case numbersKind:
		*(*sales.Numbers)(p) = nil
	}
}
