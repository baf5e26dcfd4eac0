package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
	"go.uber.org/zap"

	"leadline/internal/config"
	"leadline/internal/deadletter"
	"leadline/internal/state"
	"leadline/internal/topics"
	"leadline/internal/web"
)

// Finding is one thing that Check looked at.
type Finding struct {
	Verdict Verdict
	What    string
	Text    string
	Todo    string // what to do about it, if anything
}

// Verdict is what a finding means.
type Verdict string

// A Note is neither: something could not be looked at, or is only odd.
const (
	OK     Verdict = "ok"
	Note   Verdict = "note"
	Failed Verdict = "FAILED"
)

// checkTimeout bounds each step: a check is run because something does not answer.
const checkTimeout = 10 * time.Second

// maxSkew is how far this clock may be from another one. Events more than five minutes ahead of the engine's clock are
// dead letters; a tenth of that leaves room for the producers' own clocks.
const maxSkew = 30 * time.Second

// Check looks at everything that the roles rely on and tells each finding as it is made. It changes nothing. The result
// tells whether all is well.
func Check(ctx context.Context, c *config.Config, environ []string, tell func(Finding)) bool {
	ch := checker{config: c, ok: true, tell: tell}
	ch.configuration(environ)
	ch.kafka(ctx)
	ch.redis(ctx)
	return ch.ok
}

type checker struct {
	config *config.Config
	ok     bool
	tell   func(Finding)
}

func (ch *checker) good(what, format string, args ...any) {
	ch.tell(Finding{Verdict: OK, What: what, Text: fmt.Sprintf(format, args...)})
}

func (ch *checker) note(what, todo, format string, args ...any) {
	ch.tell(Finding{Verdict: Note, What: what, Text: fmt.Sprintf(format, args...), Todo: todo})
}

func (ch *checker) bad(what, todo, format string, args ...any) {
	ch.ok = false
	ch.tell(Finding{Verdict: Failed, What: what, Text: fmt.Sprintf(format, args...), Todo: todo})
}

// configuration is valid, or there would be none to check; what is left are names that nobody reads.
func (ch *checker) configuration(environ []string) {
	from := "no file"
	if ch.config.File != "" {
		from = ch.config.File
	}
	said := 0
	for _, v := range ch.config.Values() {
		if v.Origin != "default" {
			said++
		}
	}
	ch.good("configuration", "%s, %d settings that are not the default, rules %s", from, said, ch.config.Rules.Hash())
	for _, name := range config.UnknownEnv(environ) {
		ch.note("configuration", "remove it, or mend its name (leadline settings lists all)", "environment %s is read by no setting", name)
	}
	if !web.Loopback(ch.config.HTTPAddr) && ch.config.HTTPToken.Reveal() == "" {
		ch.note("http", "set http.token or http.token_file if you want them", "%s is reached by other machines and http.token is not set: dead letters are not served over HTTP",
			ch.config.HTTPAddr)
	}
}

func (ch *checker) kafka(ctx context.Context) {
	opts, err := KafkaOptions(ch.config, zap.NewNop())
	if err != nil {
		ch.bad("kafka", "mend the kafka.tls settings", "%v", err)
		return
	}
	registry, closeIdle, err := NewRegistry(ch.config)
	if err != nil {
		ch.bad("registry", "mend the registry settings", "%v", err)
		return
	}
	defer closeIdle()
	client, err := kgo.NewClient(append(opts, kgo.RetryTimeout(checkTimeout))...)
	if err != nil {
		ch.bad("kafka", "mend the kafka settings", "%v", err)
		return
	}
	defer client.Close()
	admin := topics.New(client, registry, TopicOptions(ch.config))
	if ch.brokers(ctx, kadm.NewClient(client)) {
		ch.differences(ctx, "topics", admin.CheckTopics)
		ch.differences(ctx, "permissions", admin.CheckPermissions)
		ch.coordinators(ctx, kadm.NewClient(client))
	}
	ch.registry(ctx, registry, admin)
}

func (ch *checker) brokers(ctx context.Context, client *kadm.Client) bool {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	meta, err := client.BrokerMetadata(ctx)
	if err != nil {
		ch.bad("kafka", "start it, or mend kafka.brokers and the TLS and SASL settings", "%v do not answer: %v", ch.config.Kafka.Brokers, plainer(err))
		return false
	}
	version, err := oldestBroker(ctx, client)
	switch {
	case err != nil:
		ch.bad("kafka", "look at the brokers' log", "the brokers do not tell what they can do: %v", err)
	case !version.transactional:
		ch.bad("kafka", "upgrade to Kafka 2.5 or newer", "broker %s can not fence a group's transactions", version.guess)
	default:
		ch.good("kafka", "%s, brokers: %d, cluster %s", version.guess, len(meta.Brokers), meta.Cluster)
	}
	return true
}

type brokerVersion struct {
	guess         string
	transactional bool // offsets in a transaction carry the group's generation (KIP-447)
}

const txnOffsetCommit, txnOffsetCommitVersion = 28, 3

func oldestBroker(ctx context.Context, client *kadm.Client) (brokerVersion, error) {
	all, err := client.ApiVersions(ctx)
	if err != nil {
		return brokerVersion{}, err
	}
	var oldest brokerVersion
	lowest := int16(-1)
	for _, v := range all.Sorted() {
		if v.Err != nil {
			return brokerVersion{}, fmt.Errorf("broker %d: %w", v.NodeID, v.Err)
		}
		if highest, _ := v.KeyMaxVersion(txnOffsetCommit); lowest < 0 || highest < lowest {
			lowest = highest
			oldest = brokerVersion{guess: v.VersionGuess(), transactional: highest >= txnOffsetCommitVersion}
		}
	}
	return oldest, nil
}

// coordinators also tells whether the group and the transactional id may be used at all.
func (ch *checker) coordinators(ctx context.Context, client *kadm.Client) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	refused := ch.refused(ctx, client)
	// The first question of a cluster's life makes the topics in which it keeps the answers.
	again := time.NewTicker(coordinatorsEvery)
	defer again.Stop()
	for ctx.Err() == nil && slices.ContainsFunc(refused, func(r kadm.FindCoordinatorResponse) bool { return kerr.IsRetriable(r.Err) }) {
		select {
		case <-ctx.Done():
		case <-again.C:
			refused = ch.refused(ctx, client)
		}
	}
	for _, r := range refused {
		ch.bad("permissions", "allow this user to use it, or look at the brokers' log", "coordinator of %s: %v", r.Name, plainer(r.Err))
	}
	if len(refused) == 0 {
		ch.good("permissions", "consumer groups and transactional ids may be used")
	}
}

const coordinatorsEvery = 200 * time.Millisecond

// refused lists the groups and transactional ids of the roles for which no coordinator is to be had.
func (ch *checker) refused(ctx context.Context, client *kadm.Client) []kadm.FindCoordinatorResponse {
	prefix := ch.config.TopicPrefix
	groups := client.FindGroupCoordinators(ctx, prefix+"leadline-engine", prefix+"leadline-analyst", prefix+deadletter.Group)
	ids := client.FindTxnCoordinators(ctx, prefix+"leadline-engine-"+ch.config.Engine.Instance, prefix+deadletter.Group)
	return slices.DeleteFunc(append(groups.Sorted(), ids.Sorted()...), func(r kadm.FindCoordinatorResponse) bool { return r.Err == nil })
}

func (ch *checker) differences(ctx context.Context, what string, look func(context.Context) ([]topics.Difference, error)) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	diffs, err := look(ctx)
	if err != nil {
		ch.bad(what, "look at the server's log", "%v", plainer(err))
		return
	}
	for _, g := range alike(diffs) {
		ch.bad(what, g.Todo, "%s is %s, want %s: %s", g.What, g.Have, g.Want, g.Where)
	}
	if len(diffs) == 0 {
		ch.good(what, "as the catalogue wants")
	}
}

// alike joins differences that are the same but for the place: on new servers nothing is there, which is one finding.
func alike(diffs []topics.Difference) []topics.Difference {
	var groups []topics.Difference
	for _, d := range diffs {
		i := slices.IndexFunc(groups, func(g topics.Difference) bool {
			return g.What == d.What && g.Have == d.Have && g.Want == d.Want && g.Todo == d.Todo
		})
		if i < 0 {
			groups = append(groups, d)
		} else {
			groups[i].Where += ", " + d.Where
		}
	}
	return groups
}

func (ch *checker) registry(ctx context.Context, registry *sr.Client, admin *topics.Admin) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	subjects, err := registry.Subjects(ctx)
	if err != nil {
		ch.bad("registry", "start it, or mend registry.url, registry.user and registry.password", "%s does not answer: %v", ch.config.Registry.URL, plainer(err))
		return
	}
	ch.good("registry", "%s, %d subjects", ch.config.Registry.URL, len(subjects))
	ch.differences(ctx, "schemas", admin.CheckSchemas)
}

func (ch *checker) redis(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	client, err := NewRedis(ch.config)
	if err != nil {
		ch.bad("redis", "mend the redis.tls settings", "%v", err)
		return
	}
	defer func() { _ = client.Close() }()
	health, err := state.NewRedis(client, ch.config.TopicPrefix).Check(ctx)
	if err != nil {
		ch.bad("redis", "start it, or mend redis.addrs, redis.user and redis.password", "%v", plainer(err))
		return
	}
	ch.good("redis", "%s", strings.TrimSpace(fmt.Sprintf("%v %s", ch.config.Redis.Addrs, health.Version)))
	for _, problem := range slices.Compact(health.Problems) {
		ch.bad("redis", "", "%s", problem)
	}
	for _, note := range health.Notes {
		ch.note("redis", "", "%s", note)
	}
	ch.clock(ctx, client)
}

// clock compares with Redis, the one server that tells its time.
func (ch *checker) clock(ctx context.Context, client redis.UniversalClient) {
	before := time.Now()
	theirs, err := client.Time(ctx).Result()
	after := time.Now()
	if err != nil {
		ch.note("clock", "", "redis does not tell its time (%v)", plainer(err))
		return
	}
	skew := theirs.Sub(before.Add(after.Sub(before) / 2)).Round(time.Millisecond)
	if skew.Abs() > maxSkew {
		ch.bad("clock", "let NTP set the clocks of both machines", "this clock and that of redis are %v apart", skew.Abs())
		return
	}
	ch.good("clock", "%s, within %v of redis", ch.config.Clock, skew.Abs())
}

// plainer takes the client's own wording off an expired wait, which tells operators nothing.
func plainer(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %v", checkTimeout)
	}
	return err
}
