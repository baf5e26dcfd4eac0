// Package embedded runs a Kafka broker, a schema registry and a Redis inside this process, for the demo and for trying
// things out: real protocols on loopback ports, so that every client, kcat, curl and redis-cli can look in.
//
// What is committed to the broker and registered in the registry is in the data directory before it is acknowledged and
// survives a kill of the process (not the loss of power: like Kafka itself, the broker leaves syncing to the
// operating system). When the disk is full it says so and takes no more records; clients wait until there is room. Redis starts empty each time, which is as good as any other loss of it: the engine rebuilds it.
//
// It is not for production and listens on loopback addresses only. Only wiring, the demo and tests may import it.
package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/zap"
)

// Options say where data is kept and where the servers listen.
type Options struct {
	DataDir string // made if missing; one process at a time
	// Addresses are host:port on loopback; port 0 takes a free one, an empty address is 127.0.0.1:0.
	KafkaAddr, RegistryAddr, RedisAddr string
	Log                                *zap.Logger // nil = silent

	free func(dir string) (int64, error) // room on the disk; nil = ask the system
}

// Servers are running. The addresses are the ones that were actually taken.
type Servers struct {
	KafkaAddr   string
	RegistryURL string
	RedisAddr   string

	space *space // of the broker's data

	undo []func() error // of each part, in the order of starting
	stop func() error
}

// ErrInUse is wrapped when another process has the data directory.
var ErrInUse = errors.New("data directory is in use")

// Start starts all three, or none and says which could not.
func Start(ctx context.Context, o Options) (*Servers, error) {
	s := &Servers{}
	s.stop = sync.OnceValue(s.unwind)
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.free == nil {
		o.free = freeBytes
	}
	for _, part := range []struct {
		name  string
		start func(context.Context, Options) error
	}{
		{"lock the data directory", s.lock},
		{"start the embedded broker", s.kafka},
		{"start the embedded registry", s.registry},
		{"start the embedded Redis", s.redis},
	} {
		if err := part.start(ctx, o); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", part.name, err), s.Stop())
		}
	}
	return s, nil
}

// Stop stops all three and writes out what the broker holds. Stopping twice is harmless.
func (s *Servers) Stop() error { return s.stop() }

func (s *Servers) unwind() error {
	var errs []error
	for _, undo := range slices.Backward(s.undo) {
		errs = append(errs, undo())
	}
	return errors.Join(errs...)
}

func (s *Servers) kafka(ctx context.Context, o Options) error {
	ln, err := listen(ctx, o.KafkaAddr)
	if err != nil {
		return err
	}
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return ln, nil }),
		kfake.DataDir(filepath.Join(o.DataDir, "kafka")),
		// A name of its own for each data directory: it tells a projection in Redis of one from that of another. The
		// one given at the first start is kept.
		kfake.ClusterID(uuid.NewString()),
		// A demo that rests for longer than a broker's usual week must find its offsets again.
		kfake.BrokerConfigs(map[string]string{"offsets.retention.minutes": "5256000"}),
		kfake.WithLogger(brokerLog{o.Log.Named("broker")}),
	)
	if err != nil {
		return errors.Join(err, ignoreClosed(ln.Close()))
	}
	s.space = &space{dir: o.DataDir, free: o.free, log: o.Log.Named("broker")}
	cluster.Fault(s.space.faults()...)
	s.KafkaAddr = ln.Addr().String()
	s.undo = append(s.undo, func() error { cluster.Close(); return nil })
	return nil
}

func (s *Servers) registry(ctx context.Context, o Options) error {
	kept, err := openRegistry(ctx, filepath.Join(o.DataDir, "registry.jsonl"))
	if err != nil {
		return err
	}
	s.undo = append(s.undo, kept.close)
	ln, err := listen(ctx, o.RegistryAddr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: kept, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	s.undo = append(s.undo, func() error {
		err := server.Close()
		if ended := <-served; !errors.Is(ended, http.ErrServerClosed) {
			err = errors.Join(err, ended)
		}
		return err
	})
	s.RegistryURL = "http://" + ln.Addr().String()
	return nil
}

func (s *Servers) redis(_ context.Context, o Options) error {
	addr, err := loopback(o.RedisAddr)
	if err != nil {
		return err
	}
	server := miniredis.NewMiniRedis()
	if err := server.StartAddr(addr); err != nil {
		return err
	}
	s.RedisAddr = server.Addr()
	s.undo = append(s.undo, func() error { server.Close(); return nil })
	return nil
}

func (s *Servers) lock(_ context.Context, o Options) error {
	if o.DataDir == "" {
		return errors.New("no data directory given")
	}
	if err := os.MkdirAll(o.DataDir, 0o700); err != nil {
		return err
	}
	unlock, err := lockDir(o.DataDir)
	if err != nil {
		return err
	}
	s.undo = append(s.undo, unlock)
	return nil
}

func listen(ctx context.Context, addr string) (net.Listener, error) {
	addr, err := loopback(addr)
	if err != nil {
		return nil, err
	}
	var config net.ListenConfig
	return config.Listen(ctx, "tcp", addr)
}

// loopback refuses to open an unprotected server to a network.
func loopback(addr string) (string, error) {
	if addr == "" {
		return "127.0.0.1:0", nil
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	if host == "localhost" {
		return net.JoinHostPort("127.0.0.1", port), nil
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return "", fmt.Errorf("address %s is not a loopback address: embedded servers have no protection and stay on this machine", addr)
	}
	return addr, nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// brokerLog passes on what the broker complains about; its chatter about single requests is of no use here.
type brokerLog struct{ log *zap.Logger }

func (l brokerLog) Logf(level kfake.LogLevel, format string, args ...any) {
	switch level {
	case kfake.LogLevelError:
		l.log.Error(fmt.Sprintf(format, args...))
	case kfake.LogLevelWarn:
		l.log.Warn(fmt.Sprintf(format, args...))
	}
}
