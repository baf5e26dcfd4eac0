package stream

import "leadline/internal/sales"

// input is one customer-keyed topic that a shard reads.
type input struct {
	topic string // without prefix
	kind  sales.EventKind
}

// inputs in the order in which a batch plays them: who a customer is comes before what the customer did, and what was done
// before what came of it.
var inputs = [...]input{
	{"customers", sales.CustomerEvent},
	{"identities", sales.IdentityEvent},
	{"leadline.moves", sales.MoveEvent},
	{"touchpoints", sales.TouchpointEvent},
	{"purchases", sales.PurchaseEvent},
	{"outcomes", sales.OutcomeEvent},
}

// Places in inputs.
const (
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
	talliesTopic     = "leadline.tallies."
)

// Knowledge topics, one partition each, in the order of the version string.
var knowledgeTopics = [...]string{"forecasts", "product-links", "products"}

// shardTopics are all topics of which a shard owns partition p; they must have the same number of partitions.
func shardTopics() []string {
	var topics []string
	for _, in := range inputs {
		topics = append(topics, in.topic)
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
	topics := knowledgeTopics[:]
	for _, k := range sales.TallyKinds() {
		topics = append(topics, talliesTopic+string(k))
	}
	return topics
}
