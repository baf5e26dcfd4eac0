package app

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/plugin/kzap"
	"go.uber.org/zap"

	"leadline/internal/config"
	"leadline/internal/state"
	"leadline/internal/topics"
)

// KafkaOptions is how every client of this process reaches Kafka.
func KafkaOptions(c *config.Config, log *zap.Logger) ([]kgo.Opt, error) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.Kafka.Brokers...),
		kgo.ClientID("leadline"),
		kgo.WithLogger(kzap.New(log.Named("kafka"), kzap.Level(kafkaLevel(log)))),
	}
	if c.Kafka.TLS.Enabled {
		t, err := tlsConfig(c.Kafka.TLS)
		if err != nil {
			return nil, fmt.Errorf("kafka: %w", err)
		}
		opts = append(opts, kgo.DialTLSConfig(t))
	}
	if m := mechanism(c.Kafka); m != nil {
		opts = append(opts, kgo.SASL(m))
	}
	return opts, nil
}

// kafkaLevel leaves the client's own story to those who ask for everything: it tells each connection and each fetch.
func kafkaLevel(log *zap.Logger) kgo.LogLevel {
	if log.Core().Enabled(zap.DebugLevel) {
		return kgo.LogLevelDebug
	}
	return kgo.LogLevelWarn
}

func mechanism(k config.Kafka) sasl.Mechanism {
	user, password := k.SASLUser, k.SASLPassword.Reveal()
	switch k.SASLMechanism {
	case "plain":
		return plain.Auth{User: user, Pass: password}.AsMechanism()
	case "scram-sha-256":
		return scram.Auth{User: user, Pass: password}.AsSha256Mechanism()
	case "scram-sha-512":
		return scram.Auth{User: user, Pass: password}.AsSha512Mechanism()
	}
	return nil
}

// NewRedis makes the client of the configured node or cluster; it connects when it is first used.
func NewRedis(c *config.Config) (redis.UniversalClient, error) {
	opts := state.Options{Addrs: c.Redis.Addrs, Username: c.Redis.User, Password: c.Redis.Password.Reveal()}
	if c.Redis.TLS.Enabled {
		t, err := tlsConfig(c.Redis.TLS)
		if err != nil {
			return nil, fmt.Errorf("redis: %w", err)
		}
		opts.TLS = t
	}
	return state.Dial(opts), nil
}

// registryTimeout bounds one request to the registry: schemas are small, and whoever waits for one holds up a shard.
const registryTimeout = 10 * time.Second

// NewRegistry makes the client of the schema registry, and what closes its idle connections.
func NewRegistry(c *config.Config) (client *sr.Client, closeIdle func(), err error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if c.Registry.CA != "" {
		if transport.TLSClientConfig, err = tlsConfig(config.TLS{CA: c.Registry.CA}); err != nil {
			return nil, nil, fmt.Errorf("registry: %w", err)
		}
	}
	opts := []sr.ClientOpt{
		sr.URLs(c.Registry.URL),
		sr.UserAgent("leadline"),
		sr.HTTPClient(&http.Client{Transport: transport, Timeout: registryTimeout}),
	}
	if c.Registry.User != "" {
		opts = append(opts, sr.BasicAuth(c.Registry.User, c.Registry.Password.Reveal()))
	}
	if client, err = sr.NewClient(opts...); err != nil {
		return nil, nil, fmt.Errorf("registry: %w", err)
	}
	return client, transport.CloseIdleConnections, nil
}

// TopicOptions is the part of the configuration that the catalogue of topics needs.
func TopicOptions(c *config.Config) topics.Options {
	const day = 24 * time.Hour
	return topics.Options{
		Prefix:           c.TopicPrefix,
		Partitions:       int32(c.Topics.Partitions),
		Replication:      int16(c.Topics.Replication),
		InputRetention:   time.Duration(c.Topics.InputRetentionDays) * day,
		JournalRetention: time.Duration(c.Topics.JournalRetentionDays) * day,
	}
}

func tlsConfig(t config.TLS) (*tls.Config, error) {
	out := &tls.Config{MinVersion: tls.VersionTLS12}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("tls_ca: %w", err)
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, errors.New("tls_ca: " + t.CA + " holds no certificate in PEM")
		}
	}
	if t.Cert != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("tls_cert and tls_key: %w", err)
		}
		out.Certificates = []tls.Certificate{pair}
	}
	return out, nil
}
