package replay

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"leadline/internal/affinity"
	"leadline/internal/sales"
	"leadline/internal/wire"
)

// LinkEdits are links that are to be as told, whatever the analyst has published: a nil link under a key is none.
type LinkEdits struct{ Links map[string]*sales.Link }

// ReadLinks reads one JSON object a line: a link with the field names of product-links, which is added or replaces the one of its key, or
// {"remove": "cross-sell|category|PASTA|SAUCE"}. Errors name the line.
func ReadLinks(in io.Reader) (*LinkEdits, error) {
	edits := &LinkEdits{Links: map[string]*sales.Link{}}
	lines := bufio.NewScanner(in)
	for n := 1; lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		key, link, err := readLink(lines.Bytes())
		if err == nil {
			if _, twice := edits.Links[key]; twice {
				err = fmt.Errorf("%s stands there twice", key)
			}
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		edits.Links[key] = link
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if len(edits.Links) == 0 {
		return nil, errors.New("no link in it")
	}
	return edits, nil
}

func readLink(line []byte) (key string, link *sales.Link, err error) {
	var remove struct {
		Remove *string `json:"remove"`
	}
	if json.Unmarshal(line, &remove) == nil && remove.Remove != nil {
		return *remove.Remove, nil, nil
	}
	link, err = wire.LinkFromJSON(line)
	if err != nil {
		return "", nil, err
	}
	return link.Key(), link, nil
}

// keys are the edited ones, sorted.
func (e *LinkEdits) keys() []string {
	if e == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(e.Links))
}

// covers tells whether what is published under the key is of no account.
func (e *LinkEdits) covers(key string) bool {
	if e == nil {
		return false
	}
	_, ok := e.Links[key]
	return ok
}

func (e *LinkEdits) apply(t *affinity.Table) {
	for _, key := range e.keys() {
		if l := e.Links[key]; l != nil {
			t.Set(*l)
		}
	}
}
