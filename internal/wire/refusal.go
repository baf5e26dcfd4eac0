package wire

import (
	"strconv"

	"leadline/internal/sales"
)

// Headers of a record that could not be used, on the topics dead-letters and late-events, behind those of the original.
const (
	HeaderClass           = "leadline-class"
	HeaderReason          = "leadline-reason"
	HeaderSourceTopic     = "leadline-source-topic"
	HeaderSourcePartition = "leadline-source-partition"
	HeaderSourceOffset    = "leadline-source-offset"
	HeaderSourceTimestamp = "leadline-source-timestamp"
)

// Class and reason of the records on late-events.
const (
	LateClass  sales.DeadLetterClass = "late"
	LateReason string                = "older than the history that is kept"
)

// Sizes of records in Kafka. A refused record keeps all its bytes and gets headers on top, so the topics of refused records take
// larger ones than the inputs do; else a record as large as an input takes could be neither used nor put aside.
const (
	MaxInput   = 1_048_588 // Kafka's own default of max.message.bytes
	MaxRefused = 2 << 20
	maxReason  = 1_000 // bytes of HeaderReason
)

// Refusal says why a record could not be used, and where it stood.
type Refusal struct {
	Class     sales.DeadLetterClass
	Reason    string
	Source    sales.Source
	Timestamp sales.Millis // Kafka's, of the original
}

// Headers are what is added to the original's.
func (r *Refusal) Headers() []Header {
	return []Header{
		{HeaderClass, []byte(r.Class)},
		{HeaderReason, []byte(r.Reason[:min(len(r.Reason), maxReason)])},
		{HeaderSourceTopic, []byte(r.Source.Topic)},
		{HeaderSourcePartition, []byte(strconv.Itoa(int(r.Source.Partition)))},
		{HeaderSourceOffset, []byte(strconv.FormatInt(r.Source.Offset, 10))},
		{HeaderSourceTimestamp, []byte(strconv.FormatInt(int64(r.Timestamp), 10))},
	}
}

// Take reads one header. The last of a name counts: it is the one that was added when the record was refused, whatever a
// producer had called its own. It tells whether the header is one of a refusal; a number that is none counts as 0.
func (r *Refusal) Take(key string, value []byte) bool {
	switch text := string(value); key {
	case HeaderClass:
		r.Class = sales.DeadLetterClass(text)
	case HeaderReason:
		r.Reason = text
	case HeaderSourceTopic:
		r.Source.Topic = text
	case HeaderSourcePartition:
		r.Source.Partition = int32(number(text))
	case HeaderSourceOffset:
		r.Source.Offset = number(text)
	case HeaderSourceTimestamp:
		r.Timestamp = sales.Millis(number(text))
	default:
		return false
	}
	return true
}

func number(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}
