package load

import (
	"context"
)

// Each gives the records of Options.Paths to fn, pointers to the sales types, in the order in which Run would send them, and sends
// nothing. Of refused lines it gives the count; an error of fn ends it.
func Each(ctx context.Context, o Options, fn func(record any) error) (rejected int64, err error) {
	sources, err := o.find()
	if err != nil {
		return 0, err
	}
	err = each(ctx, sources, o.Weeks, func(it item) error {
		if it.err != nil {
			rejected++
			return ctx.Err()
		}
		if err := fn(it.record); err != nil {
			return err
		}
		return ctx.Err()
	})
	return rejected, err
}
