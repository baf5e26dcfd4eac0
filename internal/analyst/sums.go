package analyst

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"leadline/internal/affinity"
	"leadline/internal/engine"
	"leadline/internal/feedback"
	"leadline/internal/promise"
	"leadline/internal/sales"
	"leadline/internal/scorecard"
	"leadline/internal/slipping"
	"leadline/internal/wire"
)

// sums is the fold of all tallies read so far: cells by row, and how far each topic and shard was read. The cells of pairs, by far the most,
// are in counts alone.
type sums struct {
	rows     map[rowKey]map[column]int64
	changed  map[rowKey]struct{} // since the last commit
	counts   *affinity.Counts    // pairs, and tiers as the learner of links wants them
	examples *scorecard.Sums     // the same sums as scorecards want them
	paired   bool                // pairs were folded since the last commit
	unkept   bool                // and since they were last kept
	obsolete []string            // keys of rows that this release has no use for
	progress map[sales.TallyKind]*progress
	names    map[string]string // of rows and columns, each kept once
}

type rowKey struct {
	kind sales.TallyKind
	row  string
	week int32 // of examples, so that no row grows for ever; 0: of another kind, or all that an earlier release had
}

// weekMark stands between row and week in a row's name. No card has it in its name.
const weekMark = "|"

// name is what leadline.knowledge-state calls the row.
func (k rowKey) name() string {
	if k.week == 0 {
		return k.row
	}
	return k.row + weekMark + strconv.Itoa(int(k.week))
}

// column is a cell's place in its row.
type column struct {
	col    string
	bucket int32
}

// newSums has summed nothing. Of each antecedent it keeps so many consequents.
func newSums(maxCandidates int) *sums {
	s := &sums{
		rows:     map[rowKey]map[column]int64{},
		changed:  map[rowKey]struct{}{},
		counts:   affinity.NewCounts(maxCandidates),
		examples: scorecard.NewSums(),
		progress: map[sales.TallyKind]*progress{},
		names:    map[string]string{},
	}
	for _, kind := range sales.TallyKinds() {
		s.progress[kind] = &progress{shards: map[int32]shardProgress{}}
	}
	return s
}

// fold adds a tally that stood at the offset in its topic. Its strings may alias the record's bytes.
func (s *sums) fold(t *sales.Tally, offset int64) error {
	p, ok := s.progress[t.Kind]
	if !ok {
		return promise.Break("only Leadline may write tallies", "tally of unknown kind %q", t.Kind)
	}
	last, err := p.follow(t)
	if err != nil {
		return err
	}
	if n := len(t.Cells); n > 0 {
		end := placeOf(&t.Cells[n-1])
		last.after = cellPlace{s.name(end.row), s.name(end.col), end.bucket}
	}
	p.shards[t.Partition] = last
	p.next = offset + 1
	s.count(t.Kind, t.Cells)
	if t.Kind == sales.TallyPairs {
		s.paired, s.unkept = true, true
		return nil
	}
	s.changed[rowKey{kind: progressKind, row: string(t.Kind)}] = struct{}{}
	for i := range t.Cells {
		s.add(t.Kind, &t.Cells[i])
	}
	return nil
}

// count gives the cells to whoever learns from their kind.
func (s *sums) count(kind sales.TallyKind, cells []sales.Cell) {
	if kind == sales.TallyExamples {
		s.examples.Add(cells)
		return
	}
	s.counts.Add(kind, cells)
}

// add adds one cell to its row.
func (s *sums) add(kind sales.TallyKind, cell *sales.Cell) {
	key := rowKey{kind: kind, row: s.name(cell.Row)}
	if kind == sales.TallyExamples {
		key.week = cell.Bucket
	}
	s.addTo(key, cell)
}

func (s *sums) addTo(key rowKey, cell *sales.Cell) {
	row := s.rows[key]
	if row == nil {
		row = map[column]int64{}
		s.rows[key] = row
	}
	at := column{s.name(cell.Col), affinity.Kept(key.kind, cell)}
	if row[at] += cell.N; row[at] == 0 {
		delete(row, at)
	}
	s.changed[key] = struct{}{}
}

func (s *sums) name(n string) string {
	kept, ok := s.names[n]
	if !ok {
		kept = strings.Clone(n)
		s.names[kept] = kept
	}
	return kept
}

// dirty tells whether anything was folded since the last commit.
func (s *sums) dirty() bool { return len(s.changed) > 0 || s.paired }

// row is what leadline.knowledge-state says about the key; without cells it says nothing.
func (s *sums) row(key rowKey) wire.KnowledgeRow {
	row := wire.KnowledgeRow{Kind: key.kind, Row: key.name()}
	if key.kind == progressKind {
		row.Cells = s.progress[sales.TallyKind(key.row)].cells()
	}
	for at, n := range s.rows[key] {
		row.Cells = append(row.Cells, sales.Cell{Row: key.row, Col: at.col, Bucket: at.bucket, N: n})
	}
	slices.SortFunc(row.Cells, func(a, b sales.Cell) int {
		return cmp.Or(cmp.Compare(a.Col, b.Col), cmp.Compare(a.Bucket, b.Bucket))
	})
	return row
}

// changedRows lists the keys of what was folded since the last commit, but for pairs, sorted.
func (s *sums) changedRows() []rowKey {
	return slices.SortedFunc(maps.Keys(s.changed), func(a, b rowKey) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.row, b.row), cmp.Compare(a.week, b.week))
	})
}

// restore takes a row that was committed. A row of a kind that there is no more is obsolete.
func (s *sums) restore(row *wire.KnowledgeRow) error {
	kind := row.Kind
	if kind == progressKind {
		kind = sales.TallyKind(row.Row)
	}
	switch _, known := s.progress[kind]; {
	case !known:
		s.obsolete = append(s.obsolete, string(row.Kind)+"|"+row.Row)
		return nil
	case row.Kind == progressKind:
		s.restoreProgress(kind, row.Cells)
		return nil
	case kind == sales.TallyPairs:
		return s.counts.Restore(row.Row, row.Cells)
	}
	key := rowKey{kind: row.Kind, row: s.name(row.Row)}
	if card, week, ofWeek := strings.Cut(row.Row, weekMark); ofWeek && row.Kind == sales.TallyExamples {
		n, err := strconv.ParseInt(week, 10, 32)
		if err != nil {
			return promise.Break("only Leadline may write leadline.knowledge-state", "row %q of examples names no week", row.Row)
		}
		key.row, key.week = s.name(card), int32(n)
	}
	for i := range row.Cells {
		row.Cells[i].Row = key.row
		s.addTo(key, &row.Cells[i])
	}
	s.count(row.Kind, row.Cells)
	return nil
}

// committed says that leadline.knowledge-state holds all of this; pairs only if they were kept.
func (s *sums) committed(kept bool) {
	clear(s.changed)
	s.paired, s.obsolete = false, nil
	if kept {
		s.unkept = false
		s.counts.Saved()
	}
}

// activity gives the rows of the tally "activity" by name; cells may be dropped meanwhile.
func (s *sums) activity() iter.Seq2[string, map[column]int64] {
	return func(yield func(string, map[column]int64) bool) {
		for key, row := range s.rows {
			if key.kind == sales.TallyActivity && !yield(key.row, row) {
				return
			}
		}
	}
}

// forgetActivity drops what was counted so long ago, when the shards have come to a day, that nothing follows from it any more.
func (s *sums) forgetActivity(reached sales.Day) {
	for name, row := range s.activity() {
		buyers, demand := slipping.CountsBuyers(name), feedback.CountsDemand(name)
		for at := range row {
			if buyers && slipping.Outlived(at.bucket, reached) || demand && feedback.Outlived(at.bucket, reached.Week()) {
				delete(row, at)
				s.changed[rowKey{kind: sales.TallyActivity, row: name}] = struct{}{}
			}
		}
	}
}

// forgetExamples drops those that count no more when the shards have come to a day.
func (s *sums) forgetExamples(reached sales.Day) {
	before := reached.Week() - scorecard.KeptWeeks
	for key := range s.rows {
		if key.kind == sales.TallyExamples && key.week != 0 && key.week < before {
			delete(s.rows, key)
			s.changed[key] = struct{}{}
		}
	}
	s.examples.Forget(before)
}

// days gives everyone's purchase days per day.
func (s *sums) days() map[sales.Day]int64 {
	days := map[sales.Day]int64{}
	for at, n := range s.rows[rowKey{kind: sales.TallyActivity, row: engine.PurchaseDaysRow}] {
		days[sales.Day(at.bucket)] += n
	}
	return days
}
