// Package intake turns what a shard reads into the engine's types: the records of its inputs into events, those of the
// knowledge topics into an engine.Knowledge.
//
// The live engine (package stream) and every replay read through it, and that is its reason: both must see the same, down to
// the words of a dead letter. It guarantees that the outcome hangs on the record and its writer's schema alone. It does no
// IO but for the schema source behind the decoder it is given, decides nothing, and does not know when a record is read. The
// roles import it.
package intake

import "leadline/internal/sales"

// Input is one customer-keyed topic that a shard reads.
type Input struct {
	Topic string // without the tenant's prefix
	Kind  sales.EventKind
}

// Inputs in the order in which a batch plays them: who a customer is comes before what the customer did, and what was done
// before what came of it. Nobody changes it.
var Inputs = [...]Input{
	{"customers", sales.CustomerEvent},
	{"identities", sales.IdentityEvent},
	{"leadline.moves", sales.MoveEvent},
	{"touchpoints", sales.TouchpointEvent},
	{"purchases", sales.PurchaseEvent},
	{"outcomes", sales.OutcomeEvent},
}

// RehomedHeader marks what a growth of the topics wrote on customers: a copy in a customer's new partition, a tombstone in the old one.
// The customer's state moved by itself, so readers that decide pass over both.
const RehomedHeader = "leadline-rehomed"
