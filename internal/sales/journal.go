package sales

// Range is a contiguous run of one input's records, [From, To).
type Range struct {
	Topic    string
	From, To int64
}

// Journal is what one commit of one shard read and knew; with the inputs and the knowledge topics it suffices to take
// the same decisions again.
type Journal struct {
	Partition        int32
	CSN              int64 // commit sequence number of the shard, from 1
	Runs             []Range
	Now              Millis // timers due up to here were fired
	Watermark        Millis
	Clock            Millis // the wall clock of the batch: events further ahead of it than allowed were refused
	KnowledgeVersion KnowledgeVersion
	RulesHash        string
	Rules            string // the rules as JSON, when the hash differs from the shard's previous commit; else empty
	Alerts           int32
	Changed          int32
	Partitions       int32 // how many shards there were; 0: a release that did not say
	GrownFrom        int32 // not 0: the commit brought customers to their new shards, of which there had been so many
}

// ShardRecord is the last record of each commit on the shard's partition of leadline.state, under the key ShardRecordKey.
type ShardRecord struct {
	Partition int32
	CSN       int64
	Inputs    []InputPosition
	Now       Millis
	RulesHash string
	Items     int32 // length of the shard's item dictionary

	Partitions int32  // how many shards there are; 0: a release that did not say
	LinkLevel  string // what the tally of pairs counts links between; empty: a release that did not say
}

// InputPosition is how far a shard has read an input, and the newest event time it saw there.
type InputPosition struct {
	Topic  string
	Next   int64
	Newest Millis // 0 = none; only purchases and touchpoints carry one
}

// Reserved keys of leadline.state. A customer_id never begins with NUL.
const (
	ShardRecordKey = "\x00shard"
	ItemsKeyPrefix = "\x00items/" // + first index, 8 hex digits: a run of the dictionary
)

// DeadLetterClass says why a record could not be used. The word stands in headers, metrics and commands.
type DeadLetterClass string

// The classes.
const (
	DeadNotAvro       DeadLetterClass = "not_avro"       // not in wire format, truncated, or hostile sizes
	DeadUnknownSchema DeadLetterClass = "unknown_schema" // the registry answered that it has no such schema
	DeadWrongSchema   DeadLetterClass = "wrong_schema"   // another record, or a required field is missing
	DeadInvalid       DeadLetterClass = "invalid"        // decoded, but breaks a rule of the contract (empty id, negative quantity, overflow, UTF-8)
	DeadTime          DeadLetterClass = "time"           // before 1990 or too far ahead of the clock
	DeadCurrency      DeadLetterClass = "currency"       // another currency than the customer's
	DeadTombstone     DeadLetterClass = "tombstone"      // no value where one belongs
	DeadMisrouted     DeadLetterClass = "misrouted"      // key or partition does not match the customer
	DeadTooLarge      DeadLetterClass = "too_large"      // beyond a stated bound
	DeadTooManyItems  DeadLetterClass = "too_many_items" // the shard's item dictionary is full
)

// DeadLetterClasses lists all classes.
func DeadLetterClasses() []DeadLetterClass {
	return []DeadLetterClass{DeadNotAvro, DeadUnknownSchema, DeadWrongSchema, DeadInvalid, DeadTime, DeadCurrency, DeadTombstone,
		DeadMisrouted, DeadTooLarge, DeadTooManyItems}
}
