package replay

import (
	"leadline/internal/affinity"
	"leadline/internal/sales"
)

// LinkEdits are links that are to be as told, whatever the analyst has published: a nil link under a key is none.
type LinkEdits struct{ Links map[string]*sales.Link }

// covers tells whether what is published under the key is of no account.
func (e *LinkEdits) covers(key string) bool {
	if e == nil {
		return false
	}
	_, ok := e.Links[key]
	return ok
}

func (e *LinkEdits) apply(t *affinity.Table) {
	if e == nil {
		return
	}
	for _, l := range e.Links {
		if l != nil {
			t.Set(*l)
		}
	}
}
