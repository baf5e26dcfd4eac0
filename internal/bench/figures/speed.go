package figures

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"

	"leadline/internal/bench"
)

// pipeline is the order in which the stages of a batch follow each other.
var pipeline = []string{"poll", "decode", "load", "step", "encode", "commit", "project"}

func drainSection(r *Results, dir string) (section, error) {
	var text strings.Builder
	var rows [][]*plot.Plot
	for _, s := range r.Speeds {
		s.Latencies = nil
		if len(s.Drains) == 0 {
			continue
		}
		fmt.Fprintf(&text, "%s:\n\n", taken(s.At, s.On))
		if err := printed(&text, &s); err != nil {
			return section{}, err
		}
		row, err := drainPanels(&s)
		if err != nil {
			return section{}, err
		}
		rows = append(rows, row)
	}
	if len(rows) > 0 {
		if err := picture(dir+"/drain.svg", rows, 1.3*panelWidth, panelHeight); err != nil {
			return section{}, err
		}
		text.WriteString("![Where the time of an order goes](drain.svg)\n\n")
	}
	return section{"drain", text.String()}, nil
}

// drainPanels show the wall time of the stages, and who took the processors.
func drainPanels(s *bench.Speed) ([]*plot.Plot, error) {
	stages := slices.SortedFunc(maps.Keys(s.Drains[0].Stages), func(a, b string) int {
		return slices.Index(pipeline, a) - slices.Index(pipeline, b)
	})
	var wall, took []float64
	for _, stage := range stages {
		wall = append(wall, median(s.Drains, func(d bench.Drain) float64 { return d.Stages[stage] }))
	}
	for _, of := range []func(bench.Drain) float64{func(d bench.Drain) float64 { return d.CPU.Engine },
		func(d bench.Drain) float64 { return d.CPU.Redis }, func(d bench.Drain) float64 { return d.CPU.Kafka }} {
		took = append(took, median(s.Drains, of))
	}
	what := label(s)
	span := panel("stages, " + what)
	span.X.Label.Text = "wall time, µs an order"
	cpu := panel("processors, " + what)
	cpu.X.Label.Text = "CPU, µs an order"
	if err := level(span, stages, []part{{"", wall}}); err != nil {
		return nil, err
	}
	return []*plot.Plot{span, cpu}, level(cpu, []string{"engine", "Redis", "Kafka"}, []part{{"", took}})
}

// taken says when and where.
func taken(at time.Time, on bench.Machine) string {
	return at.Format("2006-01-02 15:04 UTC") + ", " + on.String()
}

func label(s *bench.Speed) string {
	rules := "dense rules"
	if s.Year.Sparse {
		rules = "sparse rules"
	}
	if len(s.Drains) > 0 && s.Drains[0].Job != nil {
		return "the comparison's job, " + rules
	}
	return rules
}

func latencySection(r *Results, dir string) (section, error) {
	var text strings.Builder
	p := panel("from an order's due time until its alert can be read")
	var all []line
	for _, s := range r.Speeds {
		s.Drains = nil
		if len(s.Latencies) == 0 {
			continue
		}
		fmt.Fprintf(&text, "%s:\n\n", taken(s.At, s.On))
		if err := printed(&text, &s); err != nil {
			return section{}, err
		}
		for i, round := range s.Latencies {
			if l := quantiles(round.Quantiles); len(l) > 0 {
				all = append(all, line{fmt.Sprintf("%s a second, %s, round %d", short(round.Rate), label(&s), i+1), len(all), l})
			}
		}
	}
	if len(all) > 0 {
		p.X.Label.Text, p.Y.Label.Text = "percentile of the alerts", "ms"
		p.X.Tick.Marker, p.Legend.Left = percentTicks, true
		logY(p)
		if err := lines(p, all); err != nil {
			return section{}, err
		}
		p.Y.Max *= math.Pow(3, float64(len(all))/3) // room for the legend
		if err := picture(dir+"/latency.svg", [][]*plot.Plot{{p}}, 2*panelWidth, 1.4*panelHeight); err != nil {
			return section{}, err
		}
		text.WriteString("![How soon an alert can be read, by percentile](latency.svg)\n\n")
	}
	return section{"latency", text.String()}, nil
}

// nines spreads percentiles so that 90, 99, 99.9 and 99.99 have equal distances.
func nines(percent float64) float64 { return -math.Log10(1 - percent/100) }

var percentTicks = plot.ConstantTicks{{Value: 0, Label: "0"}, {Value: nines(50), Label: "50"}, {Value: nines(90), Label: "90"},
	{Value: nines(99), Label: "99"}, {Value: nines(99.9), Label: "99.9"}, {Value: nines(99.99), Label: "99.99"}}

func quantiles(of []bench.Quantile) (xys plotter.XYs) {
	for _, q := range of {
		if q.Percent < 100 {
			xys = append(xys, plotter.XY{X: nines(q.Percent), Y: q.MS})
		}
	}
	return xys
}

func recoverySection(r *Results, _ string) (section, error) {
	var text strings.Builder
	for i := range r.Recoveries {
		fmt.Fprintf(&text, "%s:\n\n", taken(r.Recoveries[i].At, r.Recoveries[i].On))
		if err := printed(&text, &r.Recoveries[i]); err != nil {
			return section{}, err
		}
	}
	return section{"recovery", text.String()}, nil
}

func median[T any](rows []T, of func(T) float64) float64 {
	values := make([]float64, len(rows))
	for i, r := range rows {
		values[i] = of(r)
	}
	slices.Sort(values)
	return (values[(len(values)-1)/2] + values[len(values)/2]) / 2
}
