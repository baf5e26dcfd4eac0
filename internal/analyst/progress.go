package analyst

import (
	"cmp"
	"strconv"
	"strings"

	"leadline/internal/promise"
	"leadline/internal/sales"
)

// progress is how far the tallies of one kind were read.
type progress struct {
	next   int64 // offset in the topic
	shards map[int32]shardProgress
	joins  map[int32]struct{} // shards of which other kinds have told, and this one nothing yet: see welcome
}

// shardProgress is the last tally of one shard.
type shardProgress struct {
	csn   int64
	now   sales.Millis
	after cellPlace // the last cell: the next part of the same commit goes on after it
}

// cellPlace is where a cell stands in the order of a tally.
type cellPlace struct {
	row, col string
	bucket   int32
}

func placeOf(c *sales.Cell) cellPlace { return cellPlace{c.Row, c.Col, c.Bucket} }

func (a cellPlace) compare(b cellPlace) int {
	return cmp.Or(cmp.Compare(a.row, b.row), cmp.Compare(a.col, b.col), cmp.Compare(a.bucket, b.bucket))
}

// String is row and column in one; names may hold any byte, so the row's length comes first.
func (a cellPlace) String() string { return strconv.Itoa(len(a.row)) + ":" + a.row + a.col }

// splitPlace gives row and column of cellPlace.String back.
func splitPlace(s string) (row, col string) {
	digits, names, _ := strings.Cut(s, ":")
	n, _ := strconv.Atoi(digits)
	n = min(max(n, 0), len(names))
	return names[:n], names[n:]
}

// follow tells whether the tally is the one to come: of the shard's next commit, or one more part of the same commit, whose cells go on in
// order. A commit that is missing, or comes twice, is a broken promise; the sums would be wrong for good.
func (p *progress) follow(t *sales.Tally) (shardProgress, error) {
	last := p.shards[t.Partition]
	goesOn := len(t.Cells) == 0 || last.after.compare(placeOf(&t.Cells[0])) < 0
	switch {
	case t.CSN == last.csn+1:
		return shardProgress{csn: t.CSN, now: t.Now}, nil
	case t.CSN == last.csn && t.CSN > 0 && goesOn:
		return last, nil
	case last.csn == 0 && t.CSN > 0 && p.joining(t.Partition):
		return shardProgress{csn: t.CSN, now: t.Now}, nil
	}
	return last, promise.Break("was a topic or a consumer group deleted or reset? sums can be learned anew from the first tally on: delete the analyst's "+
		"consumer group and the topic leadline.knowledge-state, if the tally topics still hold everything",
		"tally %q of shard %d is of commit %d and follows that of commit %d", t.Kind, t.Partition, t.CSN, last.csn)
}

// welcome lets a kind that a release brings join shards which have long been telling of others: its first tally of a shard may be of any
// commit, and may lie behind what is known of others, which are kept more often. Call it when everything is restored.
func (s *sums) welcome() {
	for _, p := range s.progress {
		p.joins = map[int32]struct{}{}
		for _, other := range s.progress {
			for shard := range other.shards {
				p.joins[shard] = struct{}{}
			}
		}
		for shard := range p.shards {
			delete(p.joins, shard)
		}
	}
}

func (p *progress) joining(shard int32) bool {
	_, joining := p.joins[shard]
	return joining
}

// pass moves the position past a record that is no tally. That alone is not worth a commit.
func (s *sums) pass(kind sales.TallyKind, offset int64) { s.progress[kind].next = offset + 1 }

// reached is the event time up to which the tallies of the kind are complete: the least of its shards', 0 without any.
func (s *sums) reached(kind sales.TallyKind) sales.Millis {
	var least sales.Millis
	for _, last := range s.progress[kind].shards {
		if least == 0 || last.now < least {
			least = last.now
		}
	}
	return least
}

// Rows of this kind are no tallies but the progress: one row a kind of tally.
const progressKind sales.TallyKind = "progress"

const (
	nextCol  = "next"
	csnCol   = "csn"    // bucket = shard
	nowCol   = "now"    // bucket = shard
	afterCol = "after:" // + cellPlace.String of the last cell; bucket = shard, n = its bucket
)

func (p *progress) cells() []sales.Cell {
	cells := []sales.Cell{{Col: nextCol, N: p.next}}
	for shard, last := range p.shards {
		cells = append(cells, sales.Cell{Col: csnCol, Bucket: shard, N: last.csn}, sales.Cell{Col: nowCol, Bucket: shard, N: int64(last.now)},
			sales.Cell{Col: afterCol + last.after.String(), Bucket: shard, N: int64(last.after.bucket)})
	}
	return cells
}

func (s *sums) restoreProgress(kind sales.TallyKind, cells []sales.Cell) {
	p := s.progress[kind]
	for _, c := range cells {
		if c.Col == nextCol {
			p.next = c.N
			continue
		}
		last := p.shards[c.Bucket]
		place, isPlace := strings.CutPrefix(c.Col, afterCol)
		switch {
		case c.Col == csnCol:
			last.csn = c.N
		case c.Col == nowCol:
			last.now = sales.Millis(c.N)
		case isPlace:
			row, col := splitPlace(place)
			last.after = cellPlace{s.name(row), s.name(col), int32(c.N)}
		}
		p.shards[c.Bucket] = last
	}
}
