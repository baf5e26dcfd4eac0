// Package app wires Leadline's roles from a configuration: it makes the clients, starts what was asked for in one
// process, and ends it again in the opposite order.
//
// It guarantees that whatever it opened is closed when Run returns, that a server missing at start is waited for with a
// clear message, and that the first role which can not go on ends the process. It holds no logic of any role. The
// commands and the demo import it.
package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"leadline/internal/affinity"
	"leadline/internal/analyst"
	"leadline/internal/book"
	"leadline/internal/channel"
	"leadline/internal/config"
	"leadline/internal/deadletter"
	"leadline/internal/desk"
	"leadline/internal/engine"
	"leadline/internal/report"
	"leadline/internal/sales"
	"leadline/internal/state"
	"leadline/internal/stream"
	"leadline/internal/topics"
	"leadline/internal/web"
	"leadline/internal/wire"
)

// Roles says what a process does.
type Roles struct{ Engine, Analyst, Desk bool }

// All is what the command run does.
var All = Roles{Engine: true, Analyst: true, Desk: true}

// App is one process's roles. Run must be called once, and closes what New opened.
type App struct {
	config  *config.Config
	log     *zap.Logger
	metrics *prometheus.Registry
	rules   *liveRules
	parts   []part

	kafka    []kgo.Opt
	registry *sr.Client
	redis    redis.UniversalClient
	feed     *web.Feed
	book     *book.Book
	list     *desk.Declining
	links    *book.Links
	http     *web.Server
	undo     []undo
}

// part is one role in this process.
type part struct {
	run       func(context.Context, *readiness) error
	readiness *readiness
}

// undo takes back one step of the start. Its name stands in the log when it fails.
type undo struct {
	name string
	do   func() error
}

// shownAlerts is how many alerts the page keeps.
const shownAlerts = 500

// New takes the HTTP address and prepares the clients; it waits for no server. Its errors are the configuration's, or that
// the address is taken.
func New(c *config.Config, roles Roles, log *zap.Logger) (*App, error) {
	a := &App{config: c, log: log, metrics: prometheus.NewRegistry()}
	if err := a.prepare(roles); err != nil {
		a.stop()
		return nil, err
	}
	return a, nil
}

// prepare is one straight line: each step that opens something is followed by what closes it.
func (a *App) prepare(roles Roles) error {
	a.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	a.rules = newLiveRules(a.config, a.log, a.metrics)
	var err error
	if a.kafka, err = KafkaOptions(a.config, a.log); err != nil {
		return err
	}
	var closeIdle func()
	if a.registry, closeIdle, err = NewRegistry(a.config); err != nil {
		return err
	}
	a.onStop("close registry connections", func() error { closeIdle(); return nil })

	if a.redis, err = NewRedis(a.config); err != nil {
		return err
	}
	a.onStop("close redis client", a.redis.Close)

	if roles.Engine {
		a.parts = append(a.parts, part{a.engine, newReadiness("engine")})
	}
	if roles.Analyst {
		a.parts = append(a.parts, part{a.analyst, newReadiness("analyst")})
	}
	if roles.Desk {
		a.feed = web.NewFeed(shownAlerts, a.metrics)
		a.book = Customers(a.config, a.kafka, a.registry, a.redis, a.log)
		a.list = Declining(a.config, a.book, a.rules.Rules, a.log)
		a.links = Links(a.config, a.kafka, a.registry, a.log)
		a.parts = append(a.parts, part{a.desk, newReadiness("desk")})
	}
	a.http, err = web.New(web.Options{Addr: a.config.HTTPAddr, Checks: a.checks(), Metrics: a.metrics, Pprof: a.config.HTTPProfiling,
		Feed: a.feed, Private: a.private(roles), Pages: pages(roles), Token: a.config.HTTPToken.Reveal(), Log: a.log})
	return err
}

// private is served to those who may. Its servers are asked for a moment only, and whoever waits for an answer wants to hear of one that is
// down.
func (a *App) private(roles Roles) map[string]http.Handler {
	if !roles.Desk {
		return nil
	}
	box := Letters(a.config, append(a.kafka[:len(a.kafka):len(a.kafka)], kgo.RetryTimeout(checkTimeout)), a.registry)
	return map[string]http.Handler{deadletter.Path: box.Handler(a.log), desk.Path: a.list.Handler(),
		desk.HandOverPath: HandOver(a.config, a.kafka, a.registry, a.book, a.list, a.log).Handler(),
		desk.LinksPath:    desk.NewLinks(a.links, a.log).Handler()}
}

func pages(roles Roles) []web.Page {
	if !roles.Desk {
		return nil
	}
	return desk.Pages()
}

// Customers is the tenant's book of customers.
func Customers(c *config.Config, kafka []kgo.Opt, registry *sr.Client, client redis.UniversalClient, log *zap.Logger) *book.Book {
	return book.New(book.Source{Kafka: kafka, Prefix: c.TopicPrefix, Redis: state.NewRedis(client, c.TopicPrefix),
		Decoder: wire.NewDecoder(topics.NewSchemaSource(registry)), Log: log.Named("book")})
}

// Links are the tenant's published links.
func Links(c *config.Config, kafka []kgo.Opt, registry *sr.Client, log *zap.Logger) *book.Links {
	return book.NewLinks(book.LinkSource{Kafka: kafka, Prefix: c.TopicPrefix, Decoder: wire.NewDecoder(topics.NewSchemaSource(registry)),
		Log: log.Named("book")})
}

// Declining answers whose purchases decreased, by the rules that count when it is asked.
func Declining(c *config.Config, b *book.Book, rules func() engine.Rules, log *zap.Logger) *desk.Declining {
	var today func() sales.Day
	if c.Clock == engine.Live {
		calendar := sales.NewCalendar(c.BusinessTimeZone)
		today = func() sales.Day { return calendar.Day(sales.Millis(time.Now().UnixMilli())) }
	}
	return desk.NewDeclining(b, rules, today, log)
}

// HandOver hands customers of the list to reps. Where time passes by events alone it does so on the newest day that any customer has come to.
func HandOver(c *config.Config, kafka []kgo.Opt, registry *sr.Client, b *book.Book, list *desk.Declining, log *zap.Logger) *desk.HandOver {
	now := func() sales.Millis { return sales.Millis(time.Now().UnixMilli()) }
	if c.Clock == engine.Data {
		calendar := sales.NewCalendar(c.BusinessTimeZone)
		now = func() sales.Millis {
			newest, _, _ := b.Newest() // the list was just answered: it is known
			return calendar.Start(newest+1) - 1
		}
	}
	reporter := &report.Reporter{Kafka: kafka, Prefix: c.TopicPrefix,
		SchemaIDs: func(ctx context.Context) (map[string]int, error) { return topics.IDs(ctx, registry, c.TopicPrefix) }}
	return desk.NewHandOver(list, c.TopicPrefix, reporter, now, log)
}

// Letters are the tenant's dead letters.
func Letters(c *config.Config, kafka []kgo.Opt, registry *sr.Client) *deadletter.Box {
	return &deadletter.Box{Opts: kafka, Prefix: c.TopicPrefix, Decoder: wire.NewDecoder(topics.NewSchemaSource(registry)),
		SchemaIDs: func(ctx context.Context) (map[string]int, error) { return topics.IDs(ctx, registry, c.TopicPrefix) }}
}

// onStop remembers how to undo the step that was just made.
func (a *App) onStop(name string, do func() error) { a.undo = append(a.undo, undo{name, do}) }

func (a *App) stop() {
	for i := len(a.undo) - 1; i >= 0; i-- {
		if err := a.undo[i].do(); err != nil {
			a.log.Warn(a.undo[i].name, zap.Error(err))
		}
	}
	a.undo = nil
}

// HTTPAddr is host:port of health, metrics and page, as taken.
func (a *App) HTTPAddr() string { return a.http.Addr() }

// Metrics gives what the roles measure, for whoever shows it in this process.
func (a *App) Metrics() prometheus.Gatherer { return a.metrics }

// Run starts the roles and waits until the context ends or one of them can not go on. A hangup reads the rules again.
func (a *App) Run(ctx context.Context, hangup <-chan os.Signal) error {
	defer a.stop()
	a.log.Info("starting", zap.Strings("roles", a.roleNames()), zap.String("file", a.config.File), zap.String("rules", a.config.Rules.Hash()),
		zap.Strings("brokers", a.config.Kafka.Brokers), zap.String("registry", a.config.Registry.URL), zap.Strings("redis", a.config.Redis.Addrs))
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return a.http.Run(ctx) })
	group.Go(func() error { return a.rules.watch(ctx, hangup) })
	for _, p := range a.parts {
		group.Go(func() error { return unlessEnded(ctx, p.run(ctx, p.readiness)) })
	}
	err := group.Wait()
	if err == nil {
		a.log.Info("stopped")
	}
	return err
}

func (a *App) roleNames() []string {
	var names []string
	for _, p := range a.parts {
		names = append(names, p.readiness.role)
	}
	return names
}

func (a *App) engine(ctx context.Context, ready *readiness) error {
	store := state.NewRedis(a.redis, a.config.TopicPrefix)
	if err := store.Register(a.metrics); err != nil {
		return err
	}
	if err := a.redisUsable(ctx, ready, store); err != nil {
		return err
	}
	ids, err := a.schemaIDs(ctx, ready)
	if err != nil {
		return err
	}
	runtime, err := stream.NewEngine(streamConfig(a.config, a.kafka), stream.Deps{
		Store:      store,
		Decoder:    wire.NewDecoder(topics.NewSchemaSource(a.registry).Knowing(ids)),
		Encoder:    wire.NewEncoder(ids),
		Rules:      a.rules.Rules,
		Log:        a.log,
		Registerer: a.metrics,
	})
	if err != nil {
		return err
	}
	ready.be(runtime.Ready)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return runtime.Run(ctx) })
	group.Go(func() error { return a.watchRedis(ctx, store) })
	return group.Wait()
}

func streamConfig(c *config.Config, kafka []kgo.Opt) stream.Config {
	return stream.Config{
		Kafka:      kafka,
		Prefix:     c.TopicPrefix,
		InstanceID: c.Engine.Instance,
		Clock:      c.Clock,
		Calendar:   sales.NewCalendar(c.BusinessTimeZone),
		CacheBytes: c.Engine.CacheMiB << 20,
	}
}

// RestoreOffsets sets the engine's group back to where the shards' records say that it was. No engine may be running.
func RestoreOffsets(ctx context.Context, c *config.Config, log *zap.Logger) (csn map[int32]int64, err error) {
	kafka, err := KafkaOptions(c, log)
	if err != nil {
		return nil, err
	}
	registry, closeIdle, err := NewRegistry(c)
	if err != nil {
		return nil, err
	}
	defer closeIdle()
	csn, err = stream.RestoreOffsets(ctx, streamConfig(c, kafka), wire.NewDecoder(topics.NewSchemaSource(registry)), log)
	if errors.Is(err, kerr.UnknownMemberID) {
		err = fmt.Errorf("%w: the group still counts on an engine: stop all, wait half a minute until it gives them up or remove them with leadline engines remove, then try again", err)
	}
	return csn, err
}

// GrowTopics gives the customer-keyed topics more partitions and brings the customers to their new shards. No engine may be running.
func GrowTopics(ctx context.Context, c *config.Config, partitions int32, dry bool, log *zap.Logger) (stream.Growth, error) {
	s, err := Connect(c, log)
	if err != nil {
		return stream.Growth{}, err
	}
	defer s.Close()
	kafka, err := KafkaOptions(c, log) // it outlasts a broker's restart, a tool's clients would not
	if err != nil {
		return stream.Growth{}, err
	}
	ids, err := topics.IDs(ctx, s.Registry, c.TopicPrefix)
	if err != nil {
		return stream.Growth{}, err
	}
	return stream.Grow(ctx, streamConfig(c, kafka), partitions, dry, stream.GrowDeps{
		Decoder: wire.NewDecoder(topics.NewSchemaSource(s.Registry)),
		Encoder: wire.NewEncoder(ids),
		Alter:   topics.New(s.Kafka, s.Registry, TopicOptions(c)).Grow,
		Log:     log.Named("grow"),
	})
}

func (a *App) analyst(ctx context.Context, ready *readiness) error {
	ids, err := a.schemaIDs(ctx, ready)
	if err != nil {
		return err
	}
	role := analyst.New(analyst.Config{
		Kafka:    a.kafka,
		Prefix:   a.config.TopicPrefix,
		Calendar: sales.NewCalendar(a.config.BusinessTimeZone),
		Lateness: a.config.Rules.AllowedLateness,
	}, analyst.Deps{
		Decoder:    wire.NewDecoder(topics.NewSchemaSource(a.registry).Knowing(ids)),
		Encoder:    wire.NewEncoder(ids),
		Rules:      func() affinity.LinkRules { return LinkRules(a.config, a.rules.Rules()) },
		Channels:   func() channel.Rules { return a.rules.Rules().Channels },
		Capacity:   func() int { return a.rules.Rules().Declining.CapacityPerWeek },
		Members:    a.members,
		Log:        a.log,
		Registerer: a.metrics,
	})
	ready.be(role.Ready)
	return role.Run(ctx)
}

// members tells who of a channel is missed most: by the desk's book if it is in this process, else by one that is read for it.
func (a *App) members(ctx context.Context, of analyst.Channel) ([]analyst.Member, error) {
	customers := a.book
	if customers == nil {
		customers = Customers(a.config, a.kafka, a.registry, a.redis, a.log)
		if err := customers.Load(ctx); err != nil {
			return nil, err
		}
	}
	missed, err := customers.Missed(ctx, book.Missed{Category: of.Category, Attribute: of.Attribute, Value: of.Value, Recent: of.Recent,
		Baseline: of.Baseline, Most: analyst.ShownMembers})
	var members []analyst.Member
	for _, m := range missed {
		members = append(members, analyst.Member(m))
	}
	return members, err
}

func (a *App) desk(ctx context.Context, ready *readiness) error {
	ready.be(func() error { return nil }) // the page is served from the first moment on, and shows alerts as it finds them
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		return a.feed.Follow(ctx, a.kafka, a.config.TopicPrefix, topics.NewSchemaSource(a.registry), a.log)
	})
	group.Go(func() error { return a.book.Follow(ctx) })
	group.Go(func() error { return a.links.Follow(ctx) })
	group.Go(func() error { return a.list.Run(ctx) })
	return group.Wait()
}

const firstWait, longestWait = 500 * time.Millisecond, 5 * time.Second

// schemaIDs waits for the registry, and for somebody to register the schemas: a role that is started before topics
// create has run goes on by itself.
func (a *App) schemaIDs(ctx context.Context, ready *readiness) (ids map[string]int, err error) {
	err = a.wait(ctx, ready, "schemas", a.config.Registry.URL, func() (err error) {
		ids, err = topics.IDs(ctx, a.registry, a.config.TopicPrefix)
		return err
	})
	return ids, err
}

// wait tries until it works, and tells the log and the readiness what is waited for. Its error is the context's end.
func (a *App) wait(ctx context.Context, ready *readiness, what, where string, try func() error) error {
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		err := try()
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		a.log.Warn("waiting for "+what, zap.String("at", where), zap.Duration("again_in", wait), zap.Error(err))
		ready.be(func() error { return fmt.Errorf("waiting for %s at %s: %w", what, where, err) })
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// LinkRules are the learner's part of the rules.
func LinkRules(c *config.Config, r engine.Rules) affinity.LinkRules {
	l := affinity.DefaultLinkRules()
	l.Level, l.MinSupport, l.MinG2, l.MaxPerItem = r.LinkLevel, r.Links.MinSupport, r.Links.MinG2, r.Links.MaxPerItem
	l.Calendar, l.WindowDays, l.HalfLifeDays = sales.NewCalendar(c.BusinessTimeZone), r.WindowDays, int(r.Links.HalfLifeDays)
	l.MaxCandidates, l.MinPriceRatio = int(r.Links.MaxCandidates), r.Upsell.MinPriceRatio
	return l
}

// unlessEnded keeps the end of the context, which is how a process is stopped, from looking like a failure.
func unlessEnded(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}
