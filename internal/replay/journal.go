package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"leadline/internal/intake"
	"leadline/internal/sales"
	"leadline/internal/wire"
)

// journal reads one shard's commits and checks that they follow each other without a gap, and that their runs tile each input.
type journal struct {
	at      *cursor
	decoder *wire.Decoder
	begins  func(topic string) int64 // where an input begins today, by its full name
	prefix  string
	until   sales.Millis // commits of batches after this time are left out; 0: none is

	warm bool             // it begins somewhere: inputs that were not read yet may begin anywhere
	csn  int64            // of the last commit read
	next map[string]int64 // per input, by its full name
}

// cutError says that the beginning of the history is gone.
type cutError struct{ reason string }

func (e *cutError) Error() string { return e.reason }

// gapError says that the journal contradicts itself or the inputs.
type gapError struct{ reason string }

func (e *gapError) Error() string { return e.reason }

// read gives the next commit before the limit and the time, nil when there is none.
func (j *journal) read(ctx context.Context, limit int64) (*sales.Journal, error) {
	next, err := j.decode(ctx, limit)
	if next == nil || err != nil {
		return nil, err
	}
	return next, j.check(next)
}

// decode is read without a look at what was before.
func (j *journal) decode(ctx context.Context, limit int64) (*sales.Journal, error) {
	rec, err := j.at.next(ctx, limit)
	if rec == nil || err != nil {
		return nil, err
	}
	var next sales.Journal
	if err := j.decoder.Journal(ctx, rec.Value, &next); err != nil {
		var poison *wire.Poison
		if errors.As(err, &poison) {
			return nil, &gapError{fmt.Sprintf("the journal's record at %d cannot be read: %v", rec.Offset, err)}
		}
		return nil, fmt.Errorf("read journal at %d: %w", rec.Offset, err)
	}
	if j.until != 0 && next.Clock > j.until {
		return nil, nil
	}
	return &next, nil
}

func (j *journal) check(next *sales.Journal) error {
	switch {
	case j.csn == 0 && next.CSN > 1:
		return &cutError{fmt.Sprintf("the journal begins at commit %d of %s: what was before has outlived its retention, and without it "+
			"the state at that commit is not known", next.CSN, instant(next.Clock))}
	case next.Partition != j.at.p:
		return &gapError{fmt.Sprintf("after commit %d the journal has one of shard %d", j.csn, next.Partition)}
	case next.CSN != j.csn+1:
		return &gapError{fmt.Sprintf("after commit %d the journal has commit %d", j.csn, next.CSN)}
	}
	for _, run := range next.Runs {
		if err := j.checkRun(next, run); err != nil {
			return err
		}
	}
	j.csn = next.CSN
	return nil
}

func (j *journal) checkRun(next *sales.Journal, run sales.Range) error {
	if !slices.ContainsFunc(intake.Inputs[:], func(in intake.Input) bool { return j.prefix+in.Topic == run.Topic }) {
		return &gapError{fmt.Sprintf("commit %d has read %s, which is no input", next.CSN, run.Topic)}
	}
	at, known := j.next[run.Topic]
	begin := j.begins(run.Topic)
	switch {
	case !known && run.From < begin:
		return &cutError{fmt.Sprintf("commit %d of %s has read %s-%d from %d on, and it now begins at %d: older records have outlived their retention",
			next.CSN, instant(next.Clock), run.Topic, j.at.p, run.From, begin)}
	case !known && run.From > begin && !j.warm:
		return &gapError{fmt.Sprintf("gap: %s-%d begins at %d, the first to read it is commit %d, from %d on", run.Topic, j.at.p, begin, next.CSN, run.From)}
	case known && run.From > at:
		return &gapError{fmt.Sprintf("gap: %s-%d was read up to %d, and commit %d goes on at %d", run.Topic, j.at.p, at, next.CSN, run.From)}
	case known && run.From < at:
		return &gapError{fmt.Sprintf("overlap: %s-%d was read up to %d, and commit %d reads again from %d", run.Topic, j.at.p, at, next.CSN, run.From)}
	case run.To <= run.From:
		return &gapError{fmt.Sprintf("commit %d has read %s-%d from %d to %d", next.CSN, run.Topic, j.at.p, run.From, run.To)}
	}
	j.next[run.Topic] = run.To
	return nil
}

func instant(at sales.Millis) string { return time.UnixMilli(int64(at)).UTC().Format(time.RFC3339) }
