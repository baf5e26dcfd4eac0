package topics

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sr"
)

// Admin compares the catalogue with a cluster and a registry, and brings them to it.
type Admin struct {
	kafka    *kadm.Client
	registry *sr.Client
	opts     Options
}

// New works through the given clients and closes neither.
func New(client *kgo.Client, registry *sr.Client, opts Options) *Admin {
	return &Admin{kafka: kadm.NewClient(client), registry: registry, opts: opts}
}

// Difference is one point in which the servers do not agree with the catalogue.
type Difference struct {
	Where string // topic or subject, as it is named on the servers
	What  string // partitions, retention.ms, schema, …
	Want  string
	Have  string
	Todo  string
}

// String says it in one line.
func (d Difference) String() string {
	return fmt.Sprintf("%s: %s is %s, want %s: %s", d.Where, d.What, d.Have, d.Want, d.Todo)
}

const (
	todoCreate = "run leadline topics create"
	todoAlter  = "run leadline topics create --alter"
)

// Changes is what Create did, by the servers' names, and the differences that it left alone.
type Changes struct {
	Created     []string
	Altered     []string
	Registered  []string
	Differences []Difference
}

// Create creates the topics that are missing and registers the schemas. Existing topics and the compatibility of existing
// subjects are changed only when alter is set; partition and replica counts never, because that would move customers away
// from their history (Grow is a part of what brings them along). On an error, Changes says how far it came.
func (a *Admin) Create(ctx context.Context, alter bool) (Changes, error) {
	var done Changes
	have, err := a.cluster(ctx)
	if err != nil {
		return done, err
	}
	for _, t := range Catalogue(a.opts) {
		if have.has(a.name(t)) {
			continue
		}
		created, err := a.create(ctx, t, have.replication)
		if err != nil {
			return done, err
		}
		if created {
			done.Created = append(done.Created, a.name(t))
		}
	}
	for _, t := range Catalogue(a.opts) {
		diffs, altered, err := a.reconcile(ctx, have, t, alter)
		if err != nil {
			return done, err
		}
		done.Differences = append(done.Differences, diffs...)
		if altered {
			done.Altered = append(done.Altered, a.name(t))
		}
	}
	if err := a.awaitVisible(ctx, done.Created); err != nil {
		return done, err
	}
	return done, a.registerAll(ctx, alter, &done)
}

// visibleWithin bounds how long Create waits for the brokers to know what the controller has made.
const visibleWithin = 30 * time.Second

// awaitVisible waits until the created topics can be used: the controller answers before the brokers know them.
func (a *Admin) awaitVisible(ctx context.Context, created []string) error {
	if len(created) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, visibleWithin)
	defer cancel()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		have, err := a.cluster(ctx)
		if err != nil {
			return fmt.Errorf("wait for the created topics: %w", err)
		}
		if !slices.ContainsFunc(created, func(name string) bool { return !have.has(name) }) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the created topics are not visible after %s, run leadline topics check: %w", visibleWithin, ctx.Err())
		case <-again.C:
		}
	}
}

// Check names every difference; none means that the roles can run.
func (a *Admin) Check(ctx context.Context) ([]Difference, error) {
	diffs, err := a.CheckTopics(ctx)
	if err != nil {
		return diffs, err
	}
	more, err := a.CheckSchemas(ctx)
	return append(diffs, more...), err
}

// CheckTopics is the part of Check that asks the brokers.
func (a *Admin) CheckTopics(ctx context.Context) ([]Difference, error) {
	have, err := a.cluster(ctx)
	if err != nil {
		return nil, err
	}
	var diffs []Difference
	for _, t := range Catalogue(a.opts) {
		diffs = append(diffs, have.differences(a.name(t), t)...)
	}
	return diffs, nil
}

// CheckPermissions names what this principal may not do with the existing topics, of what all roles together need. Brokers
// that do not tell are taken at their word: nothing is missing.
func (a *Admin) CheckPermissions(ctx context.Context) ([]Difference, error) {
	have, err := a.cluster(ctx)
	if err != nil {
		return nil, err
	}
	var diffs []Difference
	for _, t := range Catalogue(a.opts) {
		detail := have.topics[a.name(t)]
		if !have.has(a.name(t)) || len(detail.AuthorizedOperations) == 0 {
			continue
		}
		for _, op := range t.needs() {
			if !slices.Contains(detail.AuthorizedOperations, op) {
				diffs = append(diffs, Difference{Where: a.name(t), What: "permission to " + op.String(), Have: "denied", Want: "allowed",
					Todo: "add an ACL for the user of kafka.sasl_user or of the client's certificate"})
			}
		}
	}
	return diffs, nil
}

// Status is one topic as List shows it.
type Status struct {
	Topic       Topic  // as the catalogue wants it
	Name        string // with the prefix
	Exists      bool
	Partitions  int32
	Replication int16
	Records     int64 // offsets between start and end, those of transaction markers included
}

// List shows the catalogue beside what is there.
func (a *Admin) List(ctx context.Context) ([]Status, error) {
	have, err := a.cluster(ctx)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, t := range Catalogue(a.opts) {
		if have.has(a.name(t)) {
			names = append(names, a.name(t))
		}
	}
	counts, err := a.counts(ctx, names)
	if err != nil {
		return nil, err
	}
	var list []Status
	for _, t := range Catalogue(a.opts) {
		s := Status{Topic: t, Name: a.name(t), Exists: have.has(a.name(t))}
		if s.Exists {
			parts := have.topics[s.Name].Partitions
			s.Partitions, s.Replication, s.Records = int32(len(parts)), int16(parts.NumReplicas()), counts[s.Name]
		}
		list = append(list, s)
	}
	return list, nil
}

func (a *Admin) counts(ctx context.Context, names []string) (map[string]int64, error) {
	counts := map[string]int64{}
	if len(names) == 0 {
		return counts, nil
	}
	starts, err := a.kafka.ListStartOffsets(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("list start offsets: %w", err)
	}
	ends, err := a.kafka.ListEndOffsets(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("list end offsets: %w", err)
	}
	ends.Each(func(end kadm.ListedOffset) {
		if start, ok := starts.Lookup(end.Topic, end.Partition); ok && start.Err == nil && end.Err == nil {
			counts[end.Topic] += end.Offset - start.Offset
		}
	})
	return counts, nil
}

func (a *Admin) name(t Topic) string { return a.opts.Prefix + t.Name }

// create reports false when another process was faster.
func (a *Admin) create(ctx context.Context, t Topic, replication int16) (bool, error) {
	configs := map[string]*string{}
	for k, v := range t.configsFor(replication) {
		configs[k] = &v
	}
	resp, err := a.kafka.CreateTopic(ctx, t.Partitions, replication, configs, a.name(t))
	if errors.Is(err, kerr.TopicAlreadyExists) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("create topic %s: %w %s", a.name(t), err, resp.ErrMessage)
	}
	return true, nil
}

// reconcile alters what may be altered, or reports it.
func (a *Admin) reconcile(ctx context.Context, have *cluster, t Topic, alter bool) (left []Difference, altered bool, err error) {
	if !have.has(a.name(t)) {
		return nil, false, nil // it was just created
	}
	var alters []kadm.AlterConfig
	for _, d := range have.differences(a.name(t), t) {
		if alter && d.Todo == todoAlter {
			alters = append(alters, kadm.AlterConfig{Op: kadm.SetConfig, Name: d.What, Value: kadm.StringPtr(d.Want)})
		} else {
			left = append(left, d)
		}
	}
	if len(alters) == 0 {
		return left, false, nil
	}
	resps, err := a.kafka.AlterTopicConfigs(ctx, alters, a.name(t))
	if err == nil && len(resps) > 0 {
		err = resps[0].Err
	}
	if err != nil {
		return left, false, fmt.Errorf("alter topic %s: %w", a.name(t), err)
	}
	return left, true, nil
}

// cluster is what the brokers have now.
type cluster struct {
	topics      kadm.TopicDetails
	configs     map[string]map[string]string
	replication int16 // wanted
}

func (a *Admin) cluster(ctx context.Context) (*cluster, error) {
	brokers, err := a.kafka.ListBrokers(ctx)
	if err != nil {
		return nil, fmt.Errorf("list brokers: %w", err)
	}
	c := &cluster{replication: a.opts.Replication, configs: map[string]map[string]string{}}
	if c.replication == 0 {
		c.replication = int16(min(3, len(brokers)))
	}
	var names []string
	for _, t := range Catalogue(a.opts) {
		names = append(names, a.name(t))
	}
	// Asking for the authorized operations goes past the client's cache, which for seconds still says what was before.
	if c.topics, err = a.kafka.ListTopics(kadm.WithAuthorizedOps(ctx), names...); err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	names = slices.DeleteFunc(names, func(n string) bool { return !c.has(n) })
	for n, d := range c.topics {
		if d.Err != nil && !errors.Is(d.Err, kerr.UnknownTopicOrPartition) {
			return nil, fmt.Errorf("describe topic %s: %w", n, d.Err)
		}
	}
	return c, a.readConfigs(ctx, c, names)
}

func (a *Admin) readConfigs(ctx context.Context, c *cluster, names []string) error {
	if len(names) == 0 {
		return nil
	}
	described, err := a.kafka.DescribeTopicConfigs(ctx, names...)
	if err != nil {
		return fmt.Errorf("describe topics: %w", err)
	}
	for _, r := range described {
		if r.Err != nil {
			return fmt.Errorf("describe topic %s: %w", r.Name, r.Err)
		}
		values := map[string]string{}
		for _, cfg := range r.Configs {
			values[cfg.Key] = cfg.MaybeValue()
		}
		c.configs[r.Name] = values
	}
	return nil
}

func (c *cluster) has(name string) bool {
	d, ok := c.topics[name]
	return ok && d.Err == nil
}

func (c *cluster) differences(name string, t Topic) []Difference {
	if !c.has(name) {
		return []Difference{{Where: name, What: "topic", Have: "missing", Want: "there", Todo: todoCreate}}
	}
	var diffs []Difference
	parts := c.topics[name].Partitions
	if n := len(parts); n != int(t.Partitions) {
		diffs = append(diffs, Difference{Where: name, What: "partitions", Have: strconv.Itoa(n), Want: strconv.Itoa(int(t.Partitions)),
			Todo: "set topics.partitions to what exists; more are made by leadline topics grow, which brings the customers along, never by Kafka's own tool"})
	}
	if n := parts.NumReplicas(); n < int(c.replication) {
		diffs = append(diffs, Difference{Where: name, What: "replication factor", Have: strconv.Itoa(n), Want: strconv.Itoa(int(c.replication)),
			Todo: "reassign the partitions by Kafka's own tool, or set topics.replication"})
	}
	want := t.configsFor(c.replication)
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if have := c.configs[name][key]; have != want[key] {
			if have == "" {
				have = "not set"
			}
			diffs = append(diffs, Difference{Where: name, What: key, Have: have, Want: want[key], Todo: todoAlter})
		}
	}
	return diffs
}
