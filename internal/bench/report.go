package bench

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// Print writes the figures as a table.
func (r *Recovery) Print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "%d customers, %d shards, %.0f new orders a second, seed %d; seconds: best, median, worst\n", r.Customers, r.Partitions, r.Rate, r.Seed)
	row := func(what, until string, values []float64) {
		if len(values) == 0 {
			return
		}
		slices.Sort(values)
		fmt.Fprintf(w, "%s\t%s\t%d rounds\t%.2f\t%.2f\t%.2f\n", what, until, len(values), values[0], values[len(values)/2], values[len(values)-1])
	}
	row("kill -9, same instance at once", "first commit", column(r.Kills, func(k Kill) float64 { return k.FirstCommit }))
	row("", "all shards", column(r.Kills, func(k Kill) float64 { return k.AllShards }))
	row("", "caught up", column(r.Kills, func(k Kill) float64 { return k.CaughtUp }))
	row("kill -9, another takes over", "first commit", column(r.Takeovers, func(t Takeover) float64 { return t.FirstCommit }))
	row("", "all shards", column(r.Takeovers, func(t Takeover) float64 { return t.AllShards }))
	row("kill -9, removed from the group", "first commit", column(r.Removals, func(t Takeover) float64 { return t.FirstCommit }))
	row("", "all shards", column(r.Removals, func(t Takeover) float64 { return t.AllShards }))
	row("Redis emptied", "first shard back", column(r.Rebuilds, func(t Rebuild) float64 { return t.FirstShard }))
	row("", "all shards back", column(r.Rebuilds, func(t Rebuild) float64 { return t.AllShards }))
	row("", "projection whole", column(r.Rebuilds, func(t Rebuild) float64 { return t.Whole }))
	row("", "caught up", column(r.Rebuilds, func(t Rebuild) float64 { return t.CaughtUp }))
	for _, t := range r.Rebuilds {
		fmt.Fprintf(w, "\torders meanwhile\t%d\n", t.Meanwhile)
		fmt.Fprintf(w, "\tprojection\t%d MiB\n", t.RedisBytes>>20)
		fmt.Fprintf(w, "\tengine's memory\t%d MiB, at most %d MiB\n", t.BeforeBytes>>20, t.PeakBytes>>20)
	}
	return w.Flush()
}

func column[T any](rows []T, of func(T) float64) []float64 {
	out := make([]float64, len(rows))
	for i, r := range rows {
		out[i] = of(r)
	}
	return out
}
