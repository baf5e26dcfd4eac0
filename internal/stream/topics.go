package stream

import (
	"slices"

	"leadline/internal/intake"
	"leadline/internal/sales"
)

// inputs in the order in which a batch plays them.
var inputs = intake.Inputs

// Places in inputs.
const (
	customersInput   = 0
	touchpointsInput = 3
	purchasesInput   = 4 // every commit of a shard names its position, whether it moved or not
)

// positions is the next offset of each input.
type positions [len(inputs)]int64

const (
	stateTopic       = "leadline.state"
	journalTopic     = "leadline.journal"
	suppressedTopic  = "alerts.suppressed"
	deadLettersTopic = "dead-letters"
	lateEventsTopic  = "late-events"
	rehomedTopic     = "leadline.rehomed"
	talliesTopic     = "leadline.tallies."
)

// shardTopics are all topics of which a shard owns partition p; they must have the same number of partitions.
func shardTopics() []string {
	var topics []string
	for _, in := range inputs {
		topics = append(topics, in.Topic)
	}
	for _, k := range customerAlerts {
		topics = append(topics, k.Topic())
	}
	return append(topics, suppressedTopic, stateTopic, journalTopic)
}

// customerAlerts are the kinds that shards decide; the others are the analyst's.
var customerAlerts = [...]sales.AlertKind{sales.CrossSell, sales.Upsell, sales.Declining, sales.Opportunity}

// singleTopics have one partition.
func singleTopics() []string {
	topics := slices.Clone(intake.KnowledgeTopics[:])
	for _, k := range sales.TallyKinds() {
		topics = append(topics, talliesTopic+string(k))
	}
	return topics
}
