package embedded

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// StartRegistry starts the registry alone, beside a Kafka and a Redis that are real. Of the Options it takes DataDir and
// RegistryAddr.
func StartRegistry(ctx context.Context, o Options) (*Servers, error) {
	s := &Servers{}
	s.stop = sync.OnceValue(s.unwind)
	for _, start := range []func(context.Context, Options) error{s.lock, s.registry} {
		if err := start(ctx, o); err != nil {
			return nil, errors.Join(fmt.Errorf("start the registry: %w", err), s.Stop())
		}
	}
	return s, nil
}
