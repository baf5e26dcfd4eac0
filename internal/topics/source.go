package topics

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/sr"

	"leadline/internal/wire"
)

// SchemaSource gives writers' schemas to a wire.Decoder. The decoder caches; every call here asks the registry.
type SchemaSource struct{ registry *sr.Client }

// NewSchemaSource asks through the given client.
func NewSchemaSource(registry *sr.Client) SchemaSource { return SchemaSource{registry} }

// SchemaByID is wire.ErrUnknownSchema only when the registry itself answered so. A registry that is down, or a proxy in
// front of it that knows no such page, is a passing error: no record may become a dead letter for that.
func (s SchemaSource) SchemaByID(ctx context.Context, id int) (string, error) {
	schema, err := s.registry.SchemaByID(ctx, id)
	switch {
	case notFound(err):
		return "", fmt.Errorf("schema %d: %w", id, wire.ErrUnknownSchema)
	case err != nil:
		return "", fmt.Errorf("read schema %d: %w", id, err)
	}
	return schema.Schema, nil
}
