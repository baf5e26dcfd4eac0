package load

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// object parses a JSON record and gives it the contract's names. Keys inside an order's lines are renamed by the maps
// that lead to a field of the lines, keys of the record by all others.
func (m *mapping) object(text string) (map[string]any, error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var values map[string]any
	if err := d.Decode(&values); err != nil {
		return nil, fmt.Errorf("not a JSON object: %w", err)
	}
	record, err := m.renamed(values, "")
	if err != nil || m.nested == "" {
		return record, err
	}
	repeated, _ := record[m.nested].([]any)
	for i := range repeated {
		line, ok := repeated[i].(map[string]any)
		if !ok {
			continue // the reader of the record says so, with the field's name
		}
		if repeated[i], err = m.renamed(line, m.nested+"."); err != nil {
			return nil, fmt.Errorf("%s[%d]: %w", m.nested, i, err)
		}
	}
	return record, nil
}

// renamed renames the keys of one object, which stands at the given level: "" or the lines'. Keys that keep their name go
// first, so that an entry renamed into a map finds the map.
func (m *mapping) renamed(object map[string]any, level string) (map[string]any, error) {
	out := make(map[string]any, len(object))
	var moved []string
	for key, value := range object {
		paths, ok := m.rename[key]
		if !ok || len(paths) > 0 && len(m.at(level, paths)) == 0 {
			out[key] = value
			continue
		}
		moved = append(moved, key)
	}
	slices.Sort(moved)
	for _, key := range moved {
		for _, path := range m.at(level, m.rename[key]) {
			if _, twice := out[path]; twice {
				return nil, fmt.Errorf("%s: filled twice, once by %q", path, key)
			}
			if err := place(out, path, entryText(path, object[key])); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// at gives those of the paths that stand at the level, without it.
func (m *mapping) at(level string, paths []string) []string {
	var here []string
	for _, p := range paths {
		inner := m.nested != "" && strings.HasPrefix(p, m.nested+".")
		if inner == (level != "") {
			here = append(here, strings.TrimPrefix(p, level))
		}
	}
	return here
}

// entryText makes text of a value that goes into a map: the contract's maps hold nothing else.
func entryText(path string, value any) any {
	if _, isText := value.(string); isText || !strings.Contains(path, ".") {
		return value
	}
	return fmt.Sprint(value)
}
