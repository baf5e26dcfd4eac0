package stream

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/zap"

	"leadline/internal/engine"
	"leadline/internal/sales"
	"leadline/internal/state"
	"leadline/internal/wire"
)

// Config is what one engine process is told. Zero numbers and durations take the defaults named here.
type Config struct {
	Kafka      []kgo.Opt // seeds, TLS, SASL, dialer: given to every client that the runtime opens
	Prefix     string    // of the tenant's topics, the group and the transactional id
	InstanceID string    // names this engine among the group, the same after a restart; it must not be shared
	Clock      engine.Clock
	Calendar   sales.Calendar
	Job        engine.Job // nil: Leadline's own

	MaxPoll     int           // records of one transaction at most, 6,000; fewer when they would take longer than workTime
	CommitEvery time.Duration // a transaction waits at most this long for more records, 20 ms, at most 100 ms
	TickEvery   time.Duration // how often a silent shard looks for due timers under the live clock, 1 s
	CacheBytes  int           // customers kept in memory, all shards together, 256 MiB
	QueueBytes  int           // committed but not yet projected state of one shard; beyond it the shard waits, 16 MiB
}

// Deps is what the runtime works with. All of it is used by several goroutines.
type Deps struct {
	Store      state.Store
	Decoder    *wire.Decoder
	Encoder    *wire.Encoder
	Alerts     AlertWriter         // nil: by Encoder, as CloudEvents on the topics of their kinds
	Rules      func() engine.Rules // may answer differently from one moment to the next; looked at between batches
	Log        *zap.Logger
	Registerer prometheus.Registerer
}

// AlertWriter says where an alert goes, and in what form: value and headers are appended to what is given. Its topics have as many partitions as
// the inputs.
type AlertWriter interface {
	Alert(dst []byte, headers []kgo.RecordHeader, a *sales.Alert) (topic string, value []byte, _ []kgo.RecordHeader, err error)
}

const (
	transactionTimeout = 10 * time.Second       // how long a killed engine can hold up readers of what is committed
	sessionTimeout     = 30 * time.Second       // how long a restart may take before the group gives the shards to others
	heartbeat          = time.Second            // how late a member hears that another's shards are to be taken over
	fetchWait          = 200 * time.Millisecond // a partition that becomes readable waits for the fetch of the others, which may be silent
	requestTimeout     = 20 * time.Second       // one commit, one look at offsets
	registryTimeout    = 2 * time.Second        // while a shard asks for a schema, the others of the process wait
	storeTimeout       = 5 * time.Second        // likewise for cold customers
	graceOnStop        = 10 * time.Second       // for the commit and the projection of what is done
	checkStoreEvery    = 5 * time.Second        // an idle shard looks whether its projection still is what it was
	firstBackoff       = 100 * time.Millisecond
	lastBackoff        = 5 * time.Second
)

func (c *Config) setDefaults() {
	orElse(&c.MaxPoll, 6_000)
	orElse(&c.CommitEvery, 20*time.Millisecond)
	orElse(&c.TickEvery, time.Second)
	orElse(&c.CacheBytes, 256<<20)
	orElse(&c.QueueBytes, 16<<20)
	orElse(&c.Clock, engine.Live)
}

func orElse[T comparable](v *T, otherwise T) {
	var zero T
	if *v == zero {
		*v = otherwise
	}
}

func (c *Config) validate() error {
	switch {
	case c.InstanceID == "":
		return errors.New("the engine needs an instance id")
	case c.Clock != engine.Live && c.Clock != engine.Data:
		return fmt.Errorf("clock is %q, can be %s or %s", c.Clock, engine.Live, engine.Data)
	case c.CommitEvery < 0 || c.CommitEvery > 100*time.Millisecond:
		return fmt.Errorf("commit every %s, can be at most 100ms", c.CommitEvery)
	case c.MaxPoll < 0 || c.TickEvery < 0 || c.CacheBytes < 0 || c.QueueBytes < 0:
		return errors.New("a size or a duration is negative")
	}
	return nil
}

func (c *Config) group() string           { return c.Prefix + "leadline-engine" }
func (c *Config) transactionalID() string { return c.Prefix + "leadline-engine-" + c.InstanceID }
