package app

import (
	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
	"go.uber.org/zap"

	"leadline/internal/config"
)

// Servers are the clients that a tool works with for a moment. A tool gives up after a while, a role never does.
type Servers struct {
	Kafka    *kgo.Client
	Registry *sr.Client
	Redis    redis.UniversalClient
	Options  []kgo.Opt // for further clients of Kafka

	closeIdle func()
}

// Connect prepares the clients; they connect when first used. Whoever connects closes.
func Connect(c *config.Config, log *zap.Logger) (*Servers, error) {
	opts, err := KafkaOptions(c, log)
	if err != nil {
		return nil, err
	}
	s := &Servers{Options: append(opts, kgo.RetryTimeout(checkTimeout))}
	if s.Registry, s.closeIdle, err = NewRegistry(c); err != nil {
		return nil, err
	}
	if s.Redis, err = NewRedis(c); err != nil {
		return nil, err
	}
	if s.Kafka, err = kgo.NewClient(s.Options...); err != nil {
		_ = s.Redis.Close() // it was never used
		return nil, err
	}
	return s, nil
}

// Close closes all clients.
func (s *Servers) Close() {
	s.Kafka.Close()
	s.closeIdle()
	_ = s.Redis.Close() // nothing is left to be lost
}
