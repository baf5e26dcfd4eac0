package load

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// orders turns CSV rows into records. Adjacent rows with the same order_id are the lines of one order.
//
// An order is sent whole or not at all: sent in part, the mended file would be taken for a redelivery, and the missing
// lines would stay missing. So a row that cannot be read spoils its order, and where it does not say which that is,
// both neighbours.
type orders struct {
	rows    *csvReader
	columns [][]field
	nested  string // "lines", empty for records without lines
	order   int    // column of the order_id, -1 if rows are not grouped
	held    *row   // read ahead: the first row of the next order
	spoilt  error  // why the next order cannot be trusted to be whole
}

// newOrders reads the header.
func newOrders(l *lines, m *mapping) (*orders, error) {
	o := &orders{rows: &csvReader{lines: l}, order: -1}
	header, err := o.rows.header()
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	if o.columns, err = m.columns(header); err != nil {
		return nil, err
	}
	if m.nested != "" {
		o.nested = m.nested + "."
		o.order = slices.IndexFunc(o.columns, func(fs []field) bool {
			return slices.ContainsFunc(fs, func(f field) bool { return f.path == "order_id" })
		})
	}
	return o, nil
}

// next gives the next record. The error beside it, io.EOF too, ends the file.
func (o *orders) next() (raw, error) {
	rows, err := o.group()
	if err != nil {
		return raw{}, err
	}
	out := raw{line: rows[0].first, text: join(rows)}
	if out.err = o.unreadable(rows); out.err == nil {
		out.values, out.err = o.build(rows)
	}
	return out, nil
}

// unreadable says why an order must be refused before its fields are looked at.
func (o *orders) unreadable(rows []row) error {
	why := o.spoilt
	o.spoilt = nil
	for _, r := range rows {
		if r.err == nil {
			continue
		}
		if !slices.ContainsFunc(rows, func(other row) bool { return other.err == nil && o.id(other) == o.id(r) }) {
			o.spoilt = fmt.Errorf("line %d before it cannot be read and may belong to the order", r.first)
		}
		if why == nil && len(rows) > 1 {
			why = fmt.Errorf("line %d of the order: %w", r.first, r.err)
		} else if why == nil {
			why = r.err
		}
	}
	if o.order < 0 {
		o.spoilt = nil // each row is a record of its own
	}
	return why
}

// id is the row's order, empty when it cannot be told.
func (o *orders) id(r row) string {
	if o.order < 0 || len(r.cells) <= o.order {
		return ""
	}
	return r.cells[o.order]
}

// group gives the rows of the next order. A row that cannot be read goes with the order before it.
func (o *orders) group() ([]row, error) {
	first, err := o.read()
	if err != nil {
		return nil, err
	}
	rows := []row{first}
	for o.order >= 0 {
		more, err := o.read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if more.err == nil && o.id(more) != o.id(rows[0]) {
			o.held = &more
			break
		}
		rows = append(rows, more)
	}
	return rows, nil
}

func (o *orders) read() (row, error) {
	if o.held != nil {
		held := *o.held
		o.held = nil
		return held, nil
	}
	r, err := o.rows.next()
	if err == nil && r.err == nil && o.order >= 0 && o.id(r) == "" {
		r.err = errors.New("order_id is empty")
	}
	return r, err
}

func join(rows []row) string {
	texts := make([]string, len(rows))
	for i, r := range rows {
		texts[i] = r.text
	}
	return strings.Join(texts, "\n")
}

// build makes one record of the rows of an order. What is not part of a line must be the same in all of them.
func (o *orders) build(rows []row) (map[string]any, error) {
	record := map[string]any{}
	var repeated []any
	for _, r := range rows {
		line := map[string]any{}
		for i, fields := range o.columns {
			for _, f := range fields {
				if err := o.put(f, r.cells[i], rows[0].cells[i], record, line); err != nil {
					return nil, fmt.Errorf("line %d: %w", r.first, err)
				}
			}
		}
		repeated = append(repeated, line)
	}
	if o.nested != "" {
		record[strings.TrimSuffix(o.nested, ".")] = repeated
	}
	return record, nil
}

// put places one cell. An empty cell is an absent field.
func (o *orders) put(f field, cell, firstCell string, record, line map[string]any) error {
	inLine := o.nested != "" && strings.HasPrefix(f.path, o.nested)
	switch {
	case !inLine && cell != firstCell:
		return fmt.Errorf("%s is %q, but %q in the order's first line", f.path, cell, firstCell)
	case cell == "":
	case inLine:
		line[strings.TrimPrefix(f.path, o.nested)] = f.value(cell)
	default:
		return place(record, f.path, f.value(cell))
	}
	return nil
}

// place sets a field of a record, or the entry of a map in it when the path has a dot.
func place(record map[string]any, path string, value any) error {
	name, entry, ok := strings.Cut(path, ".")
	if !ok {
		record[name] = value
		return nil
	}
	if record[name] == nil {
		record[name] = map[string]any{}
	}
	entries, ok := record[name].(map[string]any)
	if !ok {
		return fmt.Errorf("%s: want an object", name)
	}
	entries[entry] = value
	return nil
}
