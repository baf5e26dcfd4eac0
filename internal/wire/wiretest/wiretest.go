// Package wiretest is for tests of what reads and writes topics: a registry in memory that has every topic's schema of today.
package wiretest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"leadline/internal/wire"
	"leadline/schemas"
)

// Registry is a wire.SchemaSource.
type Registry struct {
	ids map[string]int // by subject

	mu    sync.Mutex
	texts map[int]string
	down  bool
}

// New is a registry with the schemas of all topics.
func New() *Registry {
	r := &Registry{ids: map[string]int{}, texts: map[int]string{}}
	for i, topic := range schemas.Topics() {
		r.texts[i+1], _ = schemas.ForTopic(topic)
		r.ids[schemas.Subject(topic)] = i + 1
	}
	return r
}

// Encoder writes with the registry's schemas.
func (r *Registry) Encoder() *wire.Encoder { return wire.NewEncoder(r.ids) }

// Decoder reads with them; each begins without having asked for any.
func (r *Registry) Decoder() *wire.Decoder { return wire.NewDecoder(r) }

// SchemaByID gives the schema's text, or wire.ErrUnknownSchema.
func (r *Registry) SchemaByID(_ context.Context, id int) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.down {
		return "", errors.New("registry is down")
	}
	text, ok := r.texts[id]
	if !ok {
		return "", fmt.Errorf("schema %d: %w", id, wire.ErrUnknownSchema)
	}
	return text, nil
}

// Register adds a schema.
func (r *Registry) Register(id int, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.texts[id] = text
}

// Alias gives a schema that is registered one more id; of one that is not it does nothing.
func (r *Registry) Alias(id, of int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if text, ok := r.texts[of]; ok {
		r.texts[id] = text
	}
}

// Down lets it answer no more, or again.
func (r *Registry) Down(down bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = down
}
