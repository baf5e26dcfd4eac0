package load

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"leadline/schemas"
)

// field is one place of a record that a column can fill, as the schema names and types it.
type field struct {
	path string // "order_id", "lines.product_id", "attributes." for any entry of a map
	kind fieldKind
}

type fieldKind uint8

const (
	textField fieldKind = iota
	numberField
	timeField
	textsField // array of strings: one cell, separated by |
	mapField
)

// mapping says which fields each column fills.
type mapping struct {
	topic  string
	record string // as the schema calls it
	fields []field
	nested string              // the field that repeats within a record ("lines"), empty if none
	rename map[string][]string // column → field paths as asked for; no paths = ignore it
}

// newMapping checks the renames against the topic's schema.
func newMapping(topic string, renames []string) (*mapping, error) {
	name, _ := schemas.Record(topic)
	text, _ := schemas.Get(name)
	m := &mapping{topic: topic, record: name, rename: map[string][]string{}}
	if err := m.read(text); err != nil {
		return nil, fmt.Errorf("read schema %s: %w", name, err)
	}
	for _, r := range renames {
		column, path, ok := strings.Cut(r, "=")
		if !ok {
			return nil, fmt.Errorf("map %q: write COLUMN=FIELD, or COLUMN= to ignore the column", r)
		}
		if path == "" {
			m.rename[column] = nil
			continue
		}
		f, err := m.find(path)
		if err != nil {
			return nil, fmt.Errorf("map %q: %w", r, err)
		}
		m.rename[column] = append(m.rename[column], f.path)
	}
	return m, nil
}

// avroField is what the mapping needs of a field in a schema file.
type avroField struct {
	Name string          `json:"name"`
	Type json.RawMessage `json:"type"`
}

// avroType is a schema that is not just a name.
type avroType struct {
	Type        string          `json:"type"`
	LogicalType string          `json:"logicalType"`
	Items       json.RawMessage `json:"items"`
	Fields      []avroField     `json:"fields"`
}

func (m *mapping) read(schema string) error {
	var record avroType
	if err := json.Unmarshal([]byte(schema), &record); err != nil {
		return err
	}
	for _, f := range record.Fields {
		if err := m.readField(f); err != nil {
			return fmt.Errorf("field %s: %w", f.Name, err)
		}
	}
	return nil
}

func (m *mapping) readField(f avroField) error {
	t, err := typeOf(f.Type)
	if err != nil {
		return err
	}
	if t.Type != "array" {
		m.fields = append(m.fields, located(f.Name, t))
		return nil
	}
	item, err := typeOf(t.Items)
	if err != nil {
		return err
	}
	if item.Type != "record" {
		m.fields = append(m.fields, field{path: f.Name, kind: textsField})
		return nil
	}
	m.nested = f.Name
	for _, inner := range item.Fields {
		it, err := typeOf(inner.Type)
		if err != nil {
			return err
		}
		m.fields = append(m.fields, located(f.Name+"."+inner.Name, it))
	}
	return nil
}

func located(path string, t avroType) field {
	switch {
	case t.Type == "map":
		return field{path: path + ".", kind: mapField}
	case t.LogicalType == "timestamp-millis":
		return field{path: path, kind: timeField}
	case slices.Contains([]string{"int", "long", "float", "double"}, t.Type):
		return field{path: path, kind: numberField}
	}
	return field{path: path, kind: textField}
}

// typeOf reads a type; of an optional one, the type beside null.
func typeOf(raw json.RawMessage) (t avroType, err error) {
	switch raw[0] {
	case '"':
		err = json.Unmarshal(raw, &t.Type)
	case '[':
		var branches []json.RawMessage
		if err = json.Unmarshal(raw, &branches); err == nil {
			return typeOf(branches[len(branches)-1])
		}
	default:
		err = json.Unmarshal(raw, &t)
	}
	return t, err
}

// find resolves a field as a person names it: with its path, or short when it is a line's.
func (m *mapping) find(name string) (field, error) {
	for _, f := range m.fields {
		if f.path == name || m.nested != "" && f.path == m.nested+"."+name {
			return f, nil
		}
		if f.kind == mapField && strings.HasPrefix(name, f.path) && len(name) > len(f.path) {
			return field{path: name, kind: textField}, nil
		}
	}
	return field{}, fmt.Errorf("%s has no field %q, it has %s", m.topic, name, strings.Join(m.names(), ", "))
}

func (m *mapping) names() []string {
	var names []string
	for _, f := range m.fields {
		if f.kind == mapField {
			names = append(names, f.path+"NAME")
			continue
		}
		names = append(names, f.path)
	}
	return names
}

// columns says for each column of a CSV header which fields it fills.
func (m *mapping) columns(header []string) ([][]field, error) {
	out := make([][]field, len(header))
	filled := map[string]string{}
	for i, column := range header {
		paths, ok := m.rename[column]
		if !ok {
			paths = []string{column}
		}
		for _, p := range paths {
			f, err := m.find(p)
			if err != nil {
				return nil, fmt.Errorf("column %q: %w; map it to a field or ignore it (COLUMN=)", column, err)
			}
			if other, twice := filled[f.path]; twice {
				return nil, fmt.Errorf("columns %q and %q both fill %s", other, column, f.path)
			}
			filled[f.path] = column
			out[i] = append(out[i], f)
		}
	}
	return out, nil
}

// value makes of a cell what wire.FromValues takes. Text is enough for numbers too; times without a zone are UTC.
func (f field) value(cell string) any {
	switch f.kind {
	case timeField:
		for _, layout := range []string{time.DateTime, "2006-01-02T15:04:05", time.DateOnly} {
			if at, err := time.Parse(layout, strings.TrimSpace(cell)); err == nil {
				return at.Format(time.RFC3339Nano)
			}
		}
		return strings.TrimSpace(cell)
	case numberField:
		return strings.TrimSpace(cell)
	case textsField:
		var texts []any
		for text := range strings.SplitSeq(cell, "|") {
			texts = append(texts, text)
		}
		return texts
	}
	return cell
}
