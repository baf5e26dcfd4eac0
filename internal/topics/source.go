package topics

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/sr"

	"leadline/internal/wire"
	"leadline/schemas"
)

// SchemaSource gives writers' schemas to a wire.Decoder. The decoder caches; every call here asks the registry, but for what it knows.
type SchemaSource struct {
	registry *sr.Client
	own      map[int]string
}

// NewSchemaSource asks through the given client.
func NewSchemaSource(registry *sr.Client) SchemaSource { return SchemaSource{registry: registry} }

// Knowing is a source that answers the schemas of this release itself, given their ids as IDs has them: what its own processes wrote can
// be read while the registry is away.
func (s SchemaSource) Knowing(ids map[string]int) SchemaSource {
	s.own = map[int]string{}
	for _, topic := range schemas.Topics() {
		if id, ok := ids[schemas.Subject(topic)]; ok {
			s.own[id], _ = schemas.ForTopic(topic)
		}
	}
	return s
}

// SchemaByID is wire.ErrUnknownSchema only when the registry itself answered so. A registry that is down, or a proxy in
// front of it that knows no such page, is a passing error: no record may become a dead letter for that.
func (s SchemaSource) SchemaByID(ctx context.Context, id int) (string, error) {
	if text, ok := s.own[id]; ok {
		return text, nil
	}
	schema, err := s.registry.SchemaByID(ctx, id)
	switch {
	case notFound(err):
		return "", fmt.Errorf("schema %d: %w", id, wire.ErrUnknownSchema)
	case err != nil:
		return "", fmt.Errorf("read schema %d: %w", id, err)
	}
	return schema.Schema, nil
}
