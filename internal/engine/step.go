package engine

import "leadline/internal/sales"

// Plan is what a step is about to do: how far time goes, and which customers must be in memory for it.
type Plan struct {
	Now       sales.Millis // timers due up to here fire after the events; never behind an earlier step's
	Watermark sales.Millis
	Missing   []string // customers to Load before Step, sorted
}

// Readiness is what the runtime knows of the inputs when it plans a step.
type Readiness struct {
	Clock sales.Millis // the wall clock
	// Drained tells, per watermarked input, that it was read to the end offset taken before this poll.
	PurchasesDrained, TouchpointsDrained bool
}

// Batch is one step's input.
type Batch struct {
	CSN       int64
	Events    []sales.Event // in the order that the journal records
	Plan      Plan
	Clock     sales.Millis
	Knowledge *Knowledge
	RunID     string // "live" or a replay's
	Explain   bool   // Decision.Passed is wanted, which costs time
	Weigh     bool   // Decision.Weighed is wanted, which costs more
}

// Change is the new state of one customer.
type Change struct {
	CustomerID string
	Blob       []byte // nil: nothing is kept any more (a tombstone)
	Due        Due
}

// Rejected is an event that the step refuses: a dead letter.
type Rejected struct {
	Event  int // index in Batch.Events
	Class  sales.DeadLetterClass
	Reason string
}

// Decision is all that a step decides. The runtime writes it in one transaction, or not at all. It is not to be changed: alerts may
// share details. The tallies' cells are the shard's memory, and good until its next step.
type Decision struct {
	Changes  []Change   // sorted by CustomerID
	NewItems []ItemsRun // what this step added to the dictionary, in order
	Alerts   []sales.Alert
	Tallies  []sales.Tally
	Rejected []Rejected
	Late     []int // indices of events older than the kept history, for late-events

	Items   int32     // length of the dictionary after the step
	Passed  []Passed  // what was thought of and not said, if the batch asks for it
	Weighed []Weighed // what was to choose from, if the batch asks for it

	Duplicates  int // redelivered events, which change nothing
	Unheeded    int // outcomes about alerts that nobody remembers, or of an unknown result: they change nothing
	TimersFired int
}

// Timer is one armed timer.
type Timer struct {
	CustomerID string
	Due        Due
}
