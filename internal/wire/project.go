package wire

import (
	"errors"
	"fmt"

	"github.com/twmb/avro"

	"leadline/internal/sales"
)

// opcode is one step of a projection. Each step consumes exactly one value of the writer, or none when it fills in what
// the writer has not.
type opcode uint8

const (
	opSkip   opcode = iota
	opRefuse        // null or a foreign branch where a value is needed
	opBlank         // null, or a field that the writer does not have
	opUnion
	opText
	opInt
	opLong
	opScaled // a time that the writer counts in other units than milliseconds
	opLongRef
	opIntAsDouble
	opFloat
	opDouble
	opBool
	opEnum
	opSymbol
	opRecord
	opList
	opFloats
	opDict
)

// op reads one value into the place at offset. A list of them sets every place of a struct, whatever the writer has, so
// that nothing of an earlier value shines through a reused struct.
type op struct {
	code   opcode
	narrow bool // opInt, opLong and the like: the writer says int, so more is not Avro
	offset uintptr
	ops    []op    // opUnion: by branch; opRecord: fields; opList, opDict: one element
	codes  []uint8 // opEnum: by the writer's index
	*rare
}

// rare is what only the rarer steps look at; it stands apart to keep the steps of a projection close together.
type rare struct {
	shape   *shape
	name    string   // of the field, for reasons
	mul     int64    // opScaled
	div     int64    // opScaled
	texts   []string // opSymbol: by the writer's index
	minimum int      // opList, opDict: least bytes of one element
	skip    *skipper
}

// errShape says that the projection has no step for a pair of writer's and reader's types: the record goes the slow way.
var errShape = errors.New("no direct way")

// project compiles the steps that read the writer's record into a struct of the shape. Its error is errShape, or a
// *Poison when no value of this writer can ever be used.
func (w *writer) project(s *shape) ([]op, error) {
	if w.root.Type != "record" || w.root.Name != s.name {
		return nil, poison(sales.DeadWrongSchema, "%s %s where record %s belongs", w.root.Type, w.root.Name, s.name)
	}
	return w.record(w.root, s, 0)
}

// record matches fields by name. Fields that it does not find are blank when the contract has a default for them.
func (w *writer) record(n *avro.SchemaNode, s *shape, base uintptr) ([]op, error) {
	wanted := make(map[string]*member, len(s.members))
	for i := range s.members {
		wanted[s.members[i].name] = &s.members[i]
	}
	var ops []op
	for i := range n.Fields {
		f := &n.Fields[i]
		m, ok := wanted[f.Name]
		if !ok {
			ops = append(ops, op{code: opSkip, rare: &rare{skip: w.skipperOf(&f.Type), name: f.Name}})
			continue
		}
		delete(wanted, f.Name)
		o, err := w.value(&f.Type, m.shape, base+m.offset, m.name)
		if err != nil {
			return nil, err
		}
		ops = append(ops, o)
	}
	return blanks(ops, s, wanted, base)
}

func blanks(ops []op, s *shape, missing map[string]*member, base uintptr) ([]op, error) {
	for i := range s.members {
		m := &s.members[i]
		if missing[m.name] == nil {
			continue
		}
		if !m.hasDefault {
			return nil, poison(sales.DeadWrongSchema, "the writer's schema of %s lacks the field %s", s.name, m.name)
		}
		ops = append(ops, op{code: opBlank, offset: base + m.offset, rare: &rare{shape: m.shape, name: m.name}})
	}
	return ops, nil
}

func (w *writer) value(n *avro.SchemaNode, s *shape, offset uintptr, name string) (op, error) {
	n = w.resolve(n)
	o := op{offset: offset, rare: &rare{shape: s, name: name}}
	var err error
	switch n.Type {
	case "union":
		err = w.union(&o, n)
	case "record":
		err = w.nested(&o, n)
	case "array":
		err = w.list(&o, n)
	case "map":
		err = w.dict(&o, n)
	case "enum":
		err = w.enum(&o, n)
	default:
		o.code, err = w.plain(&o, n)
	}
	if errors.Is(err, errShape) {
		err = fmt.Errorf("field %s: %w", name, err)
	}
	return o, err
}

// union reads each branch as if it stood alone; branches may stand in any order.
func (w *writer) union(o *op, n *avro.SchemaNode) error {
	o.code = opUnion
	fits := false
	for i := range n.Branches {
		branch := w.resolve(&n.Branches[i])
		b := op{code: opRefuse, offset: o.offset, rare: o.rare}
		switch {
		case branch.Type == "null" && o.shape.optional:
			b.code = opBlank
		case branch.Type != "null":
			var err error
			if b, err = w.value(branch, o.shape, o.offset, o.name); err != nil {
				return err
			}
			fits = true
		}
		o.ops = append(o.ops, b)
	}
	if !fits {
		return errShape
	}
	return nil
}

func (w *writer) nested(o *op, n *avro.SchemaNode) (err error) {
	if o.shape.kind != recordKind {
		return errShape
	}
	o.code = opRecord
	o.ops, err = w.record(n, o.shape, 0)
	return err
}

func (w *writer) list(o *op, n *avro.SchemaNode) error {
	if o.shape.kind == floatsKind && n.Items.Type == "float" {
		o.code, o.minimum = opFloats, w.skipperOf(n.Items).minimum
		return nil
	}
	if o.shape.kind != listKind {
		return errShape
	}
	o.code, o.minimum = opList, w.skipperOf(n.Items).minimum
	return w.element(o, n.Items)
}

func (w *writer) dict(o *op, n *avro.SchemaNode) error {
	if o.shape.kind != dictKind && o.shape.kind != numbersKind {
		return errShape
	}
	o.code, o.minimum = opDict, w.skipperOf(n.Values).minimum+1
	return w.element(o, n.Values)
}

func (w *writer) element(o *op, n *avro.SchemaNode) error {
	e, err := w.value(n, o.shape.elem, 0, o.name)
	o.ops = []op{e}
	if e.code == opRecord { // one level less to walk for each element
		o.ops = e.ops
	}
	return err
}

func (w *writer) enum(o *op, n *avro.SchemaNode) error {
	s := o.shape
	switch s.kind {
	case enumKind:
		o.code = opEnum
		for _, symbol := range n.Symbols {
			o.codes = append(o.codes, s.code(symbol))
		}
	case symbolKind:
		o.code = opSymbol
		for _, symbol := range n.Symbols {
			o.texts = append(o.texts, s.known(symbol))
		}
	default:
		return errShape
	}
	return nil
}

// code is the Go value of a symbol, that of the default when the symbol is unknown.
func (s *shape) code(symbol string) uint8 { return s.codes[s.known(symbol)] }

// known is the symbol itself, or the default when it is unknown.
func (s *shape) known(symbol string) string {
	if _, ok := s.indices[symbol]; ok {
		return symbol
	}
	return s.fallback
}

// scales are the types that count time otherwise than in milliseconds, as factor and divisor.
var scales = map[string][2]int64{
	"long.timestamp-micros": {1, 1_000}, "long.local-timestamp-micros": {1, 1_000},
	"long.timestamp-nanos": {1, 1_000_000}, "long.local-timestamp-nanos": {1, 1_000_000},
	"int.date": {sales.DayMillis, 1},
}

// plain finds the step from a primitive type. Beyond Avro's promotions it takes a long for an int when the number fits:
// clients choose long freely, and the number says whether it is right.
func (w *writer) plain(o *op, n *avro.SchemaNode) (opcode, error) {
	o.narrow = n.Type == "int"
	whole := n.Type == "int" || n.Type == "long"
	switch kind := o.shape.kind; {
	case kind == textKind && (n.Type == "string" || n.Type == "bytes") && n.LogicalType != "decimal":
		return opText, nil
	case kind == intKind && whole:
		return opInt, nil
	case kind == longKind && whole:
		return opLong, nil
	case kind == longRefKind && whole:
		return opLongRef, nil
	case kind == millisKind && whole:
		if scale, ok := scales[n.Type+"."+n.LogicalType]; ok {
			o.mul, o.div = scale[0], scale[1]
			return opScaled, nil
		}
		return opLong, nil
	case kind == doubleKind && whole:
		return opIntAsDouble, nil
	case kind == doubleKind && n.Type == "float":
		return opFloat, nil
	case kind == doubleKind && n.Type == "double":
		return opDouble, nil
	case kind == boolKind && n.Type == "boolean":
		return opBool, nil
	}
	return opRefuse, errShape
}

// elemSize is the distance of two elements of a list.
func (s *shape) elemSize() uintptr { return s.goType.Elem().Size() }
