package bench

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
)

// Print writes the figures as a table.
func (r *Recovery) Print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintf(w, "%d customers, %d shards, %.0f new orders a second, seed %d; seconds: best, median, worst\n", r.Customers, r.Partitions, r.Rate, r.Seed)
	row := func(what, until string, values []float64) { row(w, what, until, "%.2f", values) }
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

// row writes the lowest, the median and the highest of the rounds.
func row(w io.Writer, what, of, format string, values []float64) {
	if len(values) == 0 {
		return
	}
	slices.Sort(values)
	format = "%s\t%s\t%d rounds\t" + format + "\t" + format + "\t" + format + "\n"
	fmt.Fprintf(w, format, what, of, len(values), values[0], values[len(values)/2], values[len(values)-1])
}

// Print writes the figures as a table.
func (s *Speed) Print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	rules := "dense"
	if s.Year.Sparse {
		rules = "sparse"
	}
	fmt.Fprintf(w, "%d orders of %d customers, seed %d, %s rules, %d shards; lowest, median, highest\n", s.Year.Orders, s.Year.Customers, s.Year.Seed,
		rules, s.Partitions)
	drains := func(what, of, format string, value func(Drain) float64) {
		row(w, what, of, format, column(s.Drains, value))
	}
	drains("drain", "orders a second", "%.0f", func(d Drain) float64 { return d.Rate })
	drains("", "start, s", "%.2f", func(d Drain) float64 { return d.Start })
	drains("", "Redis behind at the end, s", "%.2f", func(d Drain) float64 { return d.Projected })
	drains("CPU, µs an order", "engine", "%.1f", func(d Drain) float64 { return d.CPU.Engine })
	drains("", "Redis", "%.1f", func(d Drain) float64 { return d.CPU.Redis })
	drains("", "Kafka", "%.1f", func(d Drain) float64 { return d.CPU.Kafka })
	for i, stage := range stageNames(s.Drains) {
		what := ""
		if i == 0 {
			what = "wall time, µs an order"
		}
		drains(what, stage, "%.1f", func(d Drain) float64 { return d.Stages[stage] })
	}
	drains("memory", "engine at most, MiB", "%.0f", func(d Drain) float64 { return mebibytes(d.PeakBytes) })
	drains("", "Redis, MiB", "%.0f", func(d Drain) float64 { return mebibytes(d.RedisBytes) })
	drains("", "Redis, bytes a customer", "%.0f", func(d Drain) float64 { return float64(d.RedisBytes) / float64(s.Year.Customers) })
	drains("alerts", "said", "%.0f", func(d Drain) float64 { return d.Said })
	drains("", "decided", "%.0f", func(d Drain) float64 { return d.Decided })
	s.printJob(w)
	drains("timers", "fired", "%.0f", func(d Drain) float64 { return d.TimersFired })
	s.printLatencies(w)
	return w.Flush()
}

// printJob says whether the comparison's alerts are those that they must be.
func (s *Speed) printJob(w io.Writer) {
	for _, d := range s.Drains {
		if j := d.Job; j != nil {
			fmt.Fprintf(w, "job\t%d alerts, checksum %s\t%d lost, %d twice, %d foreign\n", j.Alerts, j.Checksum, j.Lost, j.Twice, j.Foreign)
		}
	}
}

func (s *Speed) printLatencies(w io.Writer) {
	rows := func(what, of, format string, value func(Latency) float64) {
		row(w, what, of, format, column(s.Latencies, value))
	}
	rows("latency", "orders a second", "%.0f", func(l Latency) float64 { return l.Rate })
	rows("", "alerts", "%.0f", func(l Latency) float64 { return float64(l.Alerts) })
	rows("ms from due to readable", "p50", "%.1f", func(l Latency) float64 { return l.P50 })
	rows("", "p90", "%.1f", func(l Latency) float64 { return l.P90 })
	rows("", "p99", "%.1f", func(l Latency) float64 { return l.P99 })
	rows("", "p99.9", "%.1f", func(l Latency) float64 { return l.P999 })
	rows("", "highest", "%.1f", func(l Latency) float64 { return l.Max })
	rows("", "sent late at most", "%.1f", func(l Latency) float64 { return l.SentLateMax })
	rows("processors", "engine", "%.2f", func(l Latency) float64 { return l.CPU.Engine })
	rows("", "Redis", "%.2f", func(l Latency) float64 { return l.CPU.Redis })
	rows("", "Kafka", "%.2f", func(l Latency) float64 { return l.CPU.Kafka })
	rows("memory", "engine at most, MiB", "%.0f", func(l Latency) float64 { return mebibytes(l.PeakBytes) })
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }

// stageNames are those of any round, in the order of their names.
func stageNames(drains []Drain) []string {
	all := map[string]bool{}
	for _, d := range drains {
		for stage := range d.Stages {
			all[stage] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

func column[T any](rows []T, of func(T) float64) []float64 {
	out := make([]float64, len(rows))
	for i, r := range rows {
		out[i] = of(r)
	}
	return out
}

// Print writes the figures as a table.
func (g *Growth) Print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "curve\tat\tspan\torders/s\tengine µs\tRedis µs\tKafka µs\tlooks/order\talerts/order\tcold/order\tengine MiB\tat most\tRedis B/customer\t\n")
	for _, p := range g.Points {
		for i := range p.Spans {
			s := &p.Spans[i]
			fmt.Fprintf(w, "%s\t%.0f\t%s\t%.0f\t%.1f\t%.1f\t%.1f\t%.2f\t%.2f\t%.2f\t%.0f\t%.0f\t%.0f\t\n", p.Curve, p.At(), s.Name, s.Rate,
				s.CPU.Engine, s.CPU.Redis, s.CPU.Kafka, s.Looks(), s.Alerts(), s.Cold(), mebibytes(s.ResidentBytes), mebibytes(s.PeakBytes),
				p.CustomerBytes)
		}
	}
	return w.Flush()
}
