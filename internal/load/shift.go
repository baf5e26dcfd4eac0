package load

import (
	"context"
	"fmt"
	"time"

	"leadline/internal/sales"
)

const weekMillis = 7 * sales.DayMillis

// weeksToNow reads the files for the newest event and says by how many weeks it must move to be the latest it can be
// before now. Whole weeks keep week days, and with them the rhythm of buying.
func (o Options) weeksToNow(ctx context.Context, sources []*source) (int, error) {
	var newest sales.Millis
	err := each(ctx, sources, 0, func(it item) error {
		newest = max(newest, it.at)
		return ctx.Err()
	})
	if err != nil {
		return 0, err
	}
	if newest == 0 {
		return 0, fmt.Errorf("shift: no event in the files says what the newest time is")
	}
	return WeeksBetween(time.UnixMilli(int64(newest)), o.Now), nil
}

// WeeksBetween is the most whole weeks that can be added to newest without passing now; negative when newest is ahead.
func WeeksBetween(newest, now time.Time) int {
	gap := now.Sub(newest).Milliseconds()
	weeks := gap / weekMillis
	if gap%weekMillis < 0 {
		weeks--
	}
	return int(weeks)
}
