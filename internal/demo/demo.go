// Package demo shows Leadline's main job on real-looking data in one command: it starts the embedded servers, creates the
// topics, runs all roles, loads the committed sample with its times moved to just now, and shows the alerts as they come.
//
// Guarantees: everything goes the way it goes in production (real protocols, the same roles, the same loader); it listens
// on loopback only; what is in the data directory stays, and a second run on it says nothing twice. It is not a
// benchmark: the sample is paced, so that there is something to look at. Only the command line imports it.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"leadline/internal/app"
	"leadline/internal/config"
	"leadline/internal/embedded"
	"leadline/internal/engine"
	"leadline/internal/load"
	"leadline/internal/sample"
	"leadline/internal/topics"
	"leadline/internal/wire"
)

// Options says where the demo lives and when it ends.
type Options struct {
	// Config gives addresses, rules and log level. The embedded servers listen where it expects Kafka, registry and Redis,
	// so that the tools find them without being told; an address that is taken gives way to a free one.
	Config *config.Config
	// DataDir keeps what the broker holds; empty = leadline/demo under $XDG_STATE_HOME (or ~/.local/state).
	DataDir string
	// Once ends the demo when the sample is through; otherwise it stays up and goes on with a few orders a second.
	Once bool
	// Within is how long the sample's year takes; 0 = 45 s.
	Within time.Duration
	// Sample is what is loaded, with the files of sample.Full; nil = that.
	Sample fs.FS
	Out    io.Writer
}

// usualTime leaves the analyst a few dozen rounds of learning within the sample's year.
const usualTime = 45 * time.Second

// demo is one run.
type demo struct {
	o       Options
	config  config.Config
	marker  marker
	servers *embedded.Servers
	tools   *app.Servers
	log     *zap.Logger
	logPath string
	enc     *wire.Encoder
	app     *app.App
	watch   *watch
	screen  *screen
}

// Run shows the demo until the sample is through (Once) or the context ends, which is no error.
func Run(ctx context.Context, o Options) (err error) {
	d := &demo{o: o, config: *o.Config}
	if err := d.prepare(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	if err := d.start(ctx); err != nil {
		return d.ended(ctx, err)
	}
	return d.ended(ctx, d.show(ctx))
}

// ended keeps the end of the context, which is how the demo is stopped, from looking like a failure.
func (d *demo) ended(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("demo: %w (the log is %s)", err, d.logPath)
}

// prepare settles the directory, the log and what an earlier run left.
func (d *demo) prepare() error {
	if d.o.Within == 0 {
		d.o.Within = usualTime
	}
	if d.o.Sample == nil {
		d.o.Sample = sample.Full()
	}
	if d.o.DataDir == "" {
		dir, err := stateHome()
		if err != nil {
			return err
		}
		d.o.DataDir = filepath.Join(dir, "leadline", "demo")
	}
	if err := os.MkdirAll(d.o.DataDir, 0o700); err != nil {
		return fmt.Errorf("make data directory: %w", err)
	}
	return nil
}

func stateHome() (string, error) {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return dir, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("where to keep data is unknown, name a data directory: %w", err)
	}
	return filepath.Join(home, ".local", "state"), nil
}

// start brings everything up to the point where events may come.
func (d *demo) start(ctx context.Context) error {
	if err := d.serve(ctx); err != nil {
		return err
	}
	var err error
	if d.marker, err = readMarker(d.o.DataDir, time.Now()); err != nil {
		return err
	}
	if d.tools, err = app.Connect(&d.config, d.log); err != nil {
		return err
	}
	admin := topics.New(d.tools.Kafka, d.tools.Registry, app.TopicOptions(&d.config))
	if _, err := admin.Create(ctx, false); err != nil {
		return err
	}
	ids, err := topics.IDs(ctx, d.tools.Registry, d.config.TopicPrefix)
	if err != nil {
		return err
	}
	d.enc = wire.NewEncoder(ids)
	// The engine reads the catalogue whole when it starts: loaded before, it is known to the first order.
	if !d.marker.Loaded {
		if _, err := d.load(ctx, 0, "products", "campaigns", "customers"); err != nil {
			return err
		}
	}
	d.app, err = app.New(&d.config, app.All, d.log)
	return err
}

// serve starts the embedded servers where the configuration expects them, or where there is room.
func (d *demo) serve(ctx context.Context) error {
	log, path, err := openLog(d.o.DataDir, d.config.LogLevel)
	if err != nil {
		return err
	}
	d.log, d.logPath = log, path
	c := &d.config
	registry, err := hostOf(c.Registry.URL)
	if err != nil {
		return err
	}
	d.servers, err = embedded.Start(ctx, embedded.Options{DataDir: d.o.DataDir, Log: d.log,
		KafkaAddr: room(c.Kafka.Brokers[0]), RegistryAddr: room(registry), RedisAddr: room(c.Redis.Addrs[0])})
	if err != nil {
		return err
	}
	c.Kafka, c.Registry, c.Redis = config.Kafka{Brokers: []string{d.servers.KafkaAddr}}, config.Registry{URL: d.servers.RegistryURL},
		config.Redis{Addrs: []string{d.servers.RedisAddr}}
	c.HTTPAddr = room(c.HTTPAddr)
	c.Clock = engine.Data // the sample's year passes in less than a minute
	return nil
}

// load sends the topics' files of the sample, moved by the marker's weeks. speedup 0 is as fast as can be.
func (d *demo) load(ctx context.Context, speedup float64, names ...string) (load.Stats, error) {
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = sample.Path(name)
	}
	return load.Run(ctx, d.tools.Options, d.enc, load.Options{Paths: paths, FS: d.o.Sample, Prefix: d.config.TopicPrefix,
		Weeks: d.marker.Weeks, Speedup: speedup, Rejects: filepath.Join(d.o.DataDir, "rejects.jsonl")})
}

// close ends what is up, in the opposite order.
func (d *demo) close() error {
	if d.tools != nil {
		d.tools.Close()
	}
	var err error
	if d.servers != nil {
		err = d.servers.Stop()
	}
	if d.log != nil {
		_ = d.log.Sync() // of a file that is only for reading up on trouble
	}
	return err
}
