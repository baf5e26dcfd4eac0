package figures

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
)

// contest is the rounds of one engine at one job.
type contest struct {
	run    string
	rounds []Row
}

func (c *contest) median(of func(Row) float64) float64 { return median(c.rounds, of) }

// cell is the median and, where rounds differ, the lowest and the highest; a dash for what the engine does not have.
func (c *contest) cell(format string, of func(Row) float64) string {
	low, high := math.Inf(1), math.Inf(-1)
	for _, r := range c.rounds {
		low, high = min(low, of(r)), max(high, of(r))
	}
	lowest, highest := fmt.Sprintf(format, low), fmt.Sprintf(format, high)
	switch {
	case high == 0:
		return "-"
	case lowest == highest:
		return lowest
	default:
		return fmt.Sprintf(format+" (%s-%s)", c.median(of), lowest, highest)
	}
}

// wrong is how many alerts were lost, doubled or made up, of all rounds the most.
func (c *contest) wrong() string {
	var worst [3]int64
	for _, r := range c.rounds {
		worst = [3]int64{max(worst[0], r.Lost), max(worst[1], r.Doubled), max(worst[2], r.Foreign)}
	}
	return fmt.Sprintf("%d / %d / %d", worst[0], worst[1], worst[2])
}

// sparseBelow tells the two rule tables apart: alerts an event.
const sparseBelow = 0.2

func (r *Row) job() string {
	rules, alerts := "dense", float64(r.Alerts)/float64(r.Events)
	switch r.Kind {
	case "latency":
		if float64(r.Samples)/(r.Rate*r.Seconds) < sparseBelow {
			rules = "sparse"
		}
		return fmt.Sprintf("%s events a second, %s rules", short(r.Rate), rules)
	default:
		if alerts < sparseBelow {
			rules = "sparse"
		}
		return fmt.Sprintf("%s events, %s rules", short(float64(r.Events)), rules)
	}
}

// job is what several engines did.
type job struct {
	name    string
	engines []contest
}

// jobs sorts the rows of a kind, jobs and engines in the order in which they first come.
func jobs(rows []Row, kind string) []job {
	var all []job
	for _, r := range rows {
		if r.Kind != kind {
			continue
		}
		at := slices.IndexFunc(all, func(j job) bool { return j.name == r.job() })
		if at < 0 {
			at, all = len(all), append(all, job{name: r.job()})
		}
		j := &all[at]
		who := slices.IndexFunc(j.engines, func(c contest) bool { return c.run == r.Run })
		if who < 0 {
			who, j.engines = len(j.engines), append(j.engines, contest{run: r.Run})
		}
		j.engines[who].rounds = append(j.engines[who].rounds, r)
	}
	return all
}

// column is a figure of a table of engines.
type column struct {
	name, format string
	of           func(Row) float64
}

var (
	drainColumns = []column{
		{"events/s", "%.0f", func(r Row) float64 { return r.PerSecond }},
		{"engine, CPU µs an event", "%.1f", func(r Row) float64 { return r.EngineCPU }},
		{"Redis", "%.1f", func(r Row) float64 { return r.RedisCPU }},
		{"Kafka", "%.1f", func(r Row) float64 { return r.KafkaCPU }},
		{"engine's memory at most, MB", "%.0f", func(r Row) float64 { return r.PeakMB }},
		{"alerts", "%.0f", func(r Row) float64 { return float64(r.Alerts) }},
	}
	latencyColumns = []column{
		{"p50, ms", "%.0f", func(r Row) float64 { return r.P50 }},
		{"p90", "%.0f", func(r Row) float64 { return r.P90 }},
		{"p99", "%.0f", func(r Row) float64 { return r.P99 }},
		{"p99.9", "%.0f", func(r Row) float64 { return r.P999 }},
		{"highest", "%.0f", func(r Row) float64 { return r.Max }},
		{"engine, processors", "%.2f", func(r Row) float64 { return r.EngineCores }},
		{"Kafka", "%.2f", func(r Row) float64 { return r.KafkaCores }},
		{"engine's memory at most, MB", "%.0f", func(r Row) float64 { return r.PeakMB }},
	}
	recoveryColumns = []column{
		{"kill to next commit, s", "%.1f", func(r Row) float64 { return r.ToCommit }},
		{"kill to the end, s", "%.1f", func(r Row) float64 { return r.ToEnd }},
		{"alerts", "%.0f", func(r Row) float64 { return float64(r.Alerts) }},
	}
)

func comparisonSection(r *Results, dir string) (section, error) {
	var text strings.Builder
	for _, of := range []struct {
		kind, title string
		columns     []column
		draw        func(file string, all []job) error
	}{
		{"drain", "Reading what waits", drainColumns, drawDrains},
		{"latency", "From an event's due time until its alert can be read", latencyColumns, drawLatencies},
		{"recovery", "Kill -9 on the way, the same engine at once", recoveryColumns, nil},
	} {
		all := jobs(r.Rows, of.kind)
		for _, j := range all {
			fmt.Fprintf(&text, "%s, %s; median (lowest-highest) of the rounds:\n\n", of.title, j.name)
			j.table(&text, of.columns)
		}
		if len(all) == 0 || of.draw == nil {
			continue
		}
		file := "comparison-" + of.kind + ".svg"
		if err := of.draw(dir+"/"+file, all); err != nil {
			return section{}, err
		}
		fmt.Fprintf(&text, "![%s, engine beside engine](%s)\n\n", of.title, file)
	}
	return section{"comparison", text.String()}, nil
}

func (j *job) table(text *strings.Builder, columns []column) {
	text.WriteString("| run | rounds |")
	for _, c := range columns {
		text.WriteString(" " + c.name + " |")
	}
	text.WriteString(" checksum | lost / doubled / foreign |\n|---|--:|" + strings.Repeat("--:|", len(columns)) + "---|---|\n")
	for i := range j.engines {
		e := &j.engines[i]
		fmt.Fprintf(text, "| %s | %d |", e.run, len(e.rounds))
		for _, c := range columns {
			text.WriteString(" " + e.cell(c.format, c.of) + " |")
		}
		fmt.Fprintf(text, " %s | %s |\n", e.checksums(), e.wrong())
	}
	text.WriteString("\n")
}

func (c *contest) checksums() string {
	var all []string
	for _, r := range c.rounds {
		if r.Checksum != "" && !slices.Contains(all, r.Checksum) {
			all = append(all, r.Checksum)
		}
	}
	return strings.Join(all, ", ")
}

// drawDrains has a row of panels for each job.
func drawDrains(file string, all []job) error {
	var rows [][]*plot.Plot
	most := 0
	for _, j := range all {
		most = max(most, len(j.engines))
		var names []string
		rate, memory := part{}, part{}
		cost := []part{{name: "engine"}, {name: "Redis"}, {name: "Kafka"}}
		for i := range j.engines {
			e := &j.engines[i]
			names = append(names, e.run)
			rate.values = append(rate.values, e.median(drainColumns[0].of))
			for k := range cost {
				cost[k].values = append(cost[k].values, e.median(drainColumns[1+k].of))
			}
			memory.values = append(memory.values, e.median(drainColumns[4].of))
		}
		panels := []*plot.Plot{panel(j.name), panel("processors"), panel("memory")}
		for i, of := range []struct {
			unit  string
			parts []part
		}{{"events a second", []part{rate}}, {"CPU, µs an event", cost}, {"engine at most, MB", []part{memory}}} {
			panels[i].X.Label.Text = of.unit
			if err := level(panels[i], names, of.parts); err != nil {
				return err
			}
		}
		panels[1].Legend.Top = false
		panels[1].X.Max *= legendRoom
		rows = append(rows, panels)
	}
	return picture(file, rows, 1.25*panelWidth, panelHeight*max(0.6, 0.2*vg.Length(most)))
}

func drawLatencies(file string, all []job) error {
	var panels []*plot.Plot
	for _, j := range all {
		p := panel(j.name)
		p.X.Label.Text, p.Y.Label.Text, p.X.Tick.Marker, p.Legend.Left = "percentile of the alerts", "ms", percentTicks[1:5], true
		logY(p)
		var drawn []line
		for i := range j.engines {
			e := &j.engines[i]
			l := line{name: e.run, hue: i}
			for k, percent := range []float64{50, 90, 99, 99.9} {
				l.xys = append(l.xys, plotter.XY{X: nines(percent), Y: e.median(latencyColumns[k].of)})
			}
			drawn = append(drawn, l)
		}
		if err := lines(p, drawn); err != nil {
			return err
		}
		p.Y.Max *= math.Pow(3, float64(len(drawn))/3) // room for the legend
		panels = append(panels, p)
	}
	return picture(file, [][]*plot.Plot{panels}, 1.5*panelWidth, 1.5*panelHeight)
}
