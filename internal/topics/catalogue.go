// Package topics is the catalogue of Leadline's topics, and what makes a cluster and a registry agree with it.
//
// Create makes what is missing and never changes what exists unless told to; Check names every difference; List shows all.
// Schemas are registered under TopicNameStrategy with compatibility FULL_TRANSITIVE, and checked by our own code before
// that, because not every registry checks. It is not the reader or writer of any topic. The wiring (app) and tests import
// it, and it opens no connection of its own.
package topics

import (
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"

	"leadline/internal/sales"
	"leadline/internal/wire"
	"leadline/schemas"
)

// Options is what one tenant's topics are created with.
type Options struct {
	Prefix           string
	Partitions       int32 // of every customer-keyed topic
	Replication      int16 // 0 = three, or as many as there are brokers
	InputRetention   time.Duration
	JournalRetention time.Duration
}

// Topic is one entry of the catalogue.
type Topic struct {
	Name       string // without the tenant's prefix
	Partitions int32
	Key        string
	About      string
	Configs    map[string]string
	foreign    bool // written by others, only read here
}

// needs is what the roles must be allowed to do with the topic.
func (t Topic) needs() []kadm.ACLOperation {
	if t.foreign {
		return []kadm.ACLOperation{kmsg.ACLOperationRead}
	}
	return []kadm.ACLOperation{kmsg.ACLOperationRead, kmsg.ACLOperationWrite}
}

// Compacted tells whether only the newest record of a key is kept.
func (t Topic) Compacted() bool { return t.Configs[cleanupPolicy] == "compact" }

// The names of the topic settings that the catalogue fixes.
const (
	cleanupPolicy    = "cleanup.policy"
	retention        = "retention.ms"
	compactionLag    = "min.compaction.lag.ms"
	deleteRetention  = "delete.retention.ms"
	segmentBytes     = "segment.bytes"
	timestampType    = "message.timestamp.type"
	minInSync        = "min.insync.replicas"
	messageBytes     = "max.message.bytes"
	outputRetention  = 90 * day
	ledgerRetention  = 400 * day
	mendingRetention = 30 * day
	tallyRetention   = 30 * day
	day              = 24 * time.Hour
)

// TombstoneRetention is how long leadline.state keeps tombstones. A Redis that is further behind can not be mended by the
// tail of that topic, because erased customers would stay: it is rebuilt.
const TombstoneRetention = 7 * day

// Catalogue lists every topic of the contract, inputs first.
func Catalogue(o Options) []Topic {
	b := builder{o}
	all := []Topic{
		b.input("purchases", "orders and refunds"),
		b.input("touchpoints", "what brought customer and company together without a purchase"),
		foreign(b.read("customers", o.Partitions, "customer_id", "profiles and consent; a tombstone erases")),
		b.input("outcomes", "what came of alerts"),
		b.identities(),
		b.kept("leadline.moves", o.Partitions, "to_id", "history on its way from a linked id to the other", o.InputRetention),
		foreign(b.read("products", 1, "product_id", "the catalogue of articles")),
		foreign(b.read("campaigns", 1, "campaign_id", "planned campaigns and their costs")),
		foreign(wallClock(b.kept("signals", 1, "series", "values of external series", o.InputRetention))),
	}
	for _, k := range sales.AlertKinds() {
		all = append(all, b.alerts(k))
	}
	all = append(all,
		b.kept("alerts.suppressed", o.Partitions, "customer_id", "alerts that were decided and not said, and why", ledgerRetention),
		b.read("product-links", 1, "statement", "knowledge: what is bought with what, and what follows a lower tier"),
		b.read("channels", 1, "statement", "knowledge: which channels bring which customers"),
		b.read("campaign-results", 1, "statement", "knowledge: what campaigns earned"),
		b.read("forecasts", 1, "series", "knowledge: everyone's activity, and what to expect"),
		b.read("leadline.models", 1, "card", "knowledge: the points of scorecards, learned from offers that have ended"),
		b.refused("dead-letters", "records that could not be used, with the reason in the headers"),
		b.refused("late-events", "events older than the kept history"),
		b.state(),
		b.kept("leadline.journal", o.Partitions, "shard", "what each commit of a shard read and knew", o.JournalRetention),
		b.kept("leadline.rehomed", o.Partitions, "customer_id", "state that came to another shard when the topics grew, for replays", o.JournalRetention),
	)
	for _, k := range sales.TallyKinds() {
		all = append(all, b.kept("leadline.tallies."+string(k), 1, "shard", "differences of counts, from the shards to the analyst", tallyRetention))
	}
	return append(all,
		b.compacted("leadline.knowledge-state", 1, "kind and row", "the analyst's sums"),
		b.compacted("leadline.desk", o.Partitions, "subject", "what reps decided on the desk"),
		b.compacted("leadline.deliveries", o.Partitions, "delivery", "what was delivered to which CRM"),
		b.kept("leadline.audit", 1, "actor", "who did what", ledgerRetention),
	)
}

// builder makes entries of the few shapes that topics have.
type builder struct{ o Options }

func (b builder) input(name, about string) Topic {
	return foreign(wallClock(b.kept(name, b.o.Partitions, "customer_id", about, b.o.InputRetention)))
}

func (b builder) identities() Topic {
	t := b.input("identities", "links and splits of two ids")
	t.Key = "from_id"
	return t
}

// kept is a topic that forgets by age.
func (b builder) kept(name string, partitions int32, key, about string, keep time.Duration) Topic {
	return Topic{Name: name, Partitions: partitions, Key: key, About: about,
		Configs: map[string]string{cleanupPolicy: "delete", retention: millis(keep)}}
}

func (b builder) compacted(name string, partitions int32, key, about string) Topic {
	return Topic{Name: name, Partitions: partitions, Key: key, About: about, Configs: map[string]string{cleanupPolicy: "compact"}}
}

// read is a compacted topic that decisions read: it keeps every version for as long as the journal reaches back, so that a
// replay finds what the decision saw.
func (b builder) read(name string, partitions int32, key, about string) Topic {
	t := b.compacted(name, partitions, key, about)
	t.Configs[compactionLag] = millis(b.o.JournalRetention)
	return t
}

// wallClock lets the broker stamp the records. A producer that puts the time of an old event there would make retention
// drop it on arrival.
func wallClock(t Topic) Topic {
	t.Configs[timestampType] = "LogAppendTime"
	return t
}

// foreign topics take records of a stated size, so that each fits the topics of refused records.
func foreign(t Topic) Topic {
	t.foreign = true
	t.Configs[messageBytes] = strconv.Itoa(wire.MaxInput)
	return t
}

// refused is a topic of records that are kept as they were received, with headers on top.
func (b builder) refused(name, about string) Topic {
	t := b.kept(name, b.o.Partitions, "as received", about, mendingRetention)
	t.Configs[messageBytes] = strconv.Itoa(wire.MaxRefused)
	return t
}

// alerts about customers are partitioned like the inputs, the others are few and keep one order.
func (b builder) alerts(k sales.AlertKind) Topic {
	t := b.kept(k.Topic(), b.o.Partitions, "customer_id", "alerts: "+k.String(), outputRetention)
	switch k {
	case sales.Channel, sales.CampaignAlert, sales.Outlook:
		t.Partitions, t.Key = 1, "subject"
	}
	return t
}

// state is the changelog of the customers. Its segments are small, because the newest one is never compacted and recovery
// reads all of it.
func (b builder) state() Topic {
	t := b.compacted("leadline.state", b.o.Partitions, "customer_id", "every customer's state, and each shard's record")
	t.Configs[deleteRetention] = millis(TombstoneRetention)
	t.Configs[segmentBytes] = strconv.Itoa(64 << 20)
	return t
}

// configsFor completes a topic's settings by what depends on the cluster: with three copies or more, a write counts only
// when two have it.
func (t Topic) configsFor(replication int16) map[string]string {
	configs := maps.Clone(t.Configs)
	if replication >= 3 {
		configs[minInSync] = "2"
	}
	return configs
}

// schema gives the schema of the topic's values, if they are Avro.
func (t Topic) schema() (string, bool) { return schemas.ForTopic(t.Name) }

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// Find gives the catalogue's entry of a topic's name, with or without the tenant's prefix.
func Find(o Options, name string) (Topic, error) {
	for _, t := range Catalogue(o) {
		if name == t.Name || name == o.Prefix+t.Name {
			return t, nil
		}
	}
	return Topic{}, fmt.Errorf("%s is not one of Leadline's topics (leadline topics list names them)", name)
}

// Kept says in words how long records stay.
func (t Topic) Kept() string {
	if t.Compacted() {
		return "newest of each key"
	}
	ms, err := strconv.ParseInt(t.Configs[retention], 10, 64)
	if err != nil {
		return "" // only a wrong catalogue can get here
	}
	return strconv.FormatInt(ms/day.Milliseconds(), 10) + " days"
}
