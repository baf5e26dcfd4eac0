package sales

// TallyKind names what a tally counts; each kind is one topic, leadline.tallies.<kind>, of one partition.
type TallyKind string

// The tallies of this release.
const (
	TallyPairs    TallyKind = "pairs"    // how customers come to hold items, alone and two of them (package affinity, cells.go)
	TallyTiers    TallyKind = "tiers"    // unit prices per type and tier; going up from one tier to the next
	TallyActivity TallyKind = "activity" // everyone's purchase days, per day
	TallyExamples TallyKind = "examples" // offers that have ended, by what was coded when they were made: taken or not
)

// TallyKinds lists all kinds.
func TallyKinds() []TallyKind {
	return []TallyKind{TallyPairs, TallyTiers, TallyActivity, TallyExamples}
}

// Cell is one integer difference: the contribution of a batch's customers to (Row, Col, Bucket), after minus before.
// What row, column and bucket mean is the kind's business (packages affinity, catalogue, activity).
type Cell struct {
	Row, Col string
	Bucket   int32
	N        int64
}

// Tally is all differences of one kind that one commit of one shard makes.
type Tally struct {
	Kind      TallyKind
	Partition int32
	CSN       int64
	Now       Millis // the shard's now at that commit: how far in time the sums are complete for this shard
	Cells     []Cell // sorted by (Row, Col, Bucket), N never 0
}
