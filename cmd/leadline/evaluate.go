package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"leadline/internal/bench/figures"
	"leadline/internal/evaluate"
	"leadline/internal/load"
	"leadline/internal/sales"
)

type evaluateCmd struct {
	Links evaluateLinksCmd `cmd:"" help:"Which offers would have been taken: rankers beside plain baselines, learned before a cut and judged after it."`

	Offers evaluateOffersCmd `cmd:"" help:"How well offers would have been ranked, and how true their probabilities: the history played as live, learning week by week. Takes minutes."`

	Declining evaluateDecliningCmd `cmd:"" help:"Who was about to slip away: Leadline's probability beside plain baselines, learned before a cut and judged after it."`
}

type evaluateDecliningCmd struct {
	Paths []string `arg:"" help:"Files or directories with purchases, as load takes them."`
	Cuts  []string `name:"cut" required:"" sep:"none" placeholder:"DAY/DAYS" help:"Learn before this day and judge by so many days from it on, for example 2017-10-03/90. May be given again, with as many days."`
	Label string   `default:"halved" enum:"halved,none" help:"What slipped means: halved (purchase days from the cut on at a rate below half of the window's) or none (no purchase)."`

	WindowDays int    `default:"90" help:"So many days before the cut are the usual rate."`
	MinDays    int    `default:"3" help:"Only customers with so many purchase days in the window."`
	Peers      string `placeholder:"FILE" help:"Compare, paired by customer, with other programs' scores of the same cuts: CSV of dataset,W,H,t,customer_id,halved,none and scores."`
	PeersSet   string `default:"cj" placeholder:"NAME" help:"The data set in that file."`
	Plot       string `placeholder:"FILE" help:"Draw the curves into this SVG file."`
	JSON       bool   `name:"json" help:"The report as one JSON object, with each customer's scores."`
}

// Run needs the purchases alone.
func (cmd evaluateDecliningCmd) Run(ctx context.Context, p *process) error {
	cfg, err := p.config()
	if err != nil {
		return err
	}
	if cmd.WindowDays < 1 || cmd.WindowDays > 3660 || cmd.MinDays < 1 {
		return usage("--window-days must be 1 to 3660, --min-days 1 or more")
	}
	o := evaluate.DecliningOptions{WindowDays: cmd.WindowDays, MinDays: cmd.MinDays, Label: evaluate.Label(cmd.Label)}
	if o.Cuts, err = parseCuts(cmd.Cuts); err != nil {
		return err
	}
	if o.Peers, err = readPeers(cmd.Peers, func(from io.Reader) (*evaluate.Peers, error) { return evaluate.ReadPeers(from, cmd.PeersSet) }); err != nil {
		return err
	}
	h := evaluate.NewHistory(evaluate.Merchandise{Calendar: sales.NewCalendar(cfg.BusinessTimeZone)})
	if err := readHistory(ctx, p, h, cmd.Paths); err != nil {
		return err
	}
	report, err := h.Declining(o)
	if err != nil {
		return err
	}
	if cmd.Plot != "" {
		if err := figures.Draw(cmd.Plot, decliningCharts(report)); err != nil {
			return err
		}
	}
	return writeReport(p.stdout, report, cmd.JSON)
}

// readPeers reads others' figures from a file; they are nil if none is named.
func readPeers[T any](file string, read func(io.Reader) (*T, error)) (*T, error) {
	if file == "" {
		return nil, nil
	}
	from, done, err := load.Open(file)
	if err != nil {
		return nil, err
	}
	defer done()
	return read(from)
}

// drawn are the scores that a picture has room for, beside the best of the peers'.
var drawn = []string{evaluate.Leadline, evaluate.RFM, evaluate.Recency, evaluate.Silent, evaluate.MBGNBD}

// decliningCharts shows whom the scores find, whether probabilities are kept, and who warns sooner, of all cuts together.
func decliningCharts(r *evaluate.DecliningReport) []figures.Chart {
	all := &r.Cuts[0]
	if r.Pooled != nil {
		all = r.Pooled
	}
	found := figures.Chart{Title: "the slipped that are reached", X: "share of all contacted", Y: "share of the slipped"}
	kept := figures.Chart{Title: "probabilities, by tenths", X: "probability", Y: "share that slipped"}
	peers := 0
	for i := range all.Scores {
		l := &all.Scores[i]
		curve := figures.Curve{Name: l.Name}
		for _, at := range l.Found {
			curve.Points = append(curve.Points, [2]float64{at.Share, at.Slipped})
		}
		if strings.HasPrefix(l.Name, evaluate.PeerPrefix) {
			peers++
		}
		if slices.Contains(drawn, l.Name) || strings.HasPrefix(l.Name, evaluate.PeerPrefix) && peers == 1 {
			found.Curves = append(found.Curves, curve)
		}
		if l.Bins == nil {
			continue
		}
		curve = figures.Curve{Name: l.Name}
		for _, b := range l.Bins {
			curve.Points = append(curve.Points, [2]float64{b.Probability, b.Slipped})
		}
		last := l.Bins[len(l.Bins)-1].Probability
		kept.Curves = append(kept.Curves, curve, figures.Curve{Name: "as said", Points: [][2]float64{{0, 0}, {last, last}}})
	}
	charts := []figures.Chart{found, kept}
	if len(all.Earlier) == 0 {
		return charts
	}
	sooner := figures.Chart{Title: "who warns sooner, as often right", X: "rule: silent for so many weeks", Y: "days earlier, and 95% interval"}
	for _, part := range []struct {
		name string
		of   func(e *evaluate.Earlier) float64
	}{{"leadline", func(e *evaluate.Earlier) float64 { return e.Days.Mean }}, {"at least", func(e *evaluate.Earlier) float64 { return e.Days.Low }},
		{"at most", func(e *evaluate.Earlier) float64 { return e.Days.High }}} {
		curve := figures.Curve{Name: part.name}
		for i := range all.Earlier {
			curve.Points = append(curve.Points, [2]float64{float64(all.Earlier[i].Weeks), part.of(&all.Earlier[i])})
		}
		sooner.Curves = append(sooner.Curves, curve)
	}
	return append(charts, sooner)
}

// readHistory takes up files of purchases, products and touchpoints.
func readHistory(ctx context.Context, p *process, h *evaluate.History, paths []string) error {
	return p.eachOf(ctx, paths, func(record any) error {
		switch r := record.(type) {
		case *sales.Product:
			h.Product(r)
		case *sales.Purchase:
			h.Purchase(r)
		case *sales.Touchpoint:
			h.Touchpoint(r)
		}
		return nil
	})
}

// eachOf takes each record of files, and says how many lines were refused.
func (p *process) eachOf(ctx context.Context, paths []string, take func(record any) error) error {
	rejected, err := load.Each(ctx, load.Options{Paths: paths, Stdin: p.stdin}, take)
	if rejected > 0 {
		fmt.Fprintf(p.stderr, "%d lines were refused; load names them and the reasons\n", rejected)
	}
	return err
}

// parseDay reads a day of the business' calendar.
func parseDay(text string) (sales.Day, error) {
	at, err := time.Parse(time.DateOnly, text)
	return sales.Calendar{}.Day(sales.Millis(at.UnixMilli())), err
}

// writeReport writes a report for people, or as JSON.
func writeReport(to io.Writer, report interface{ WriteText(to io.Writer) error }, asJSON bool) error {
	if !asJSON {
		return report.WriteText(to)
	}
	enc := json.NewEncoder(to)
	enc.SetIndent("", "  ")
	return enc.Encode(report)
}

func parseCuts(texts []string) ([]evaluate.Cut, error) {
	var cuts []evaluate.Cut
	for _, text := range texts {
		cut, err := parseCut(text)
		if err != nil {
			return nil, err
		}
		cuts = append(cuts, cut)
	}
	return cuts, nil
}

// parseCut reads DAY/DAYS.
func parseCut(text string) (evaluate.Cut, error) {
	day, days, _ := strings.Cut(text, "/")
	at, err1 := parseDay(day)
	n, err2 := strconv.Atoi(days)
	if err1 != nil || err2 != nil || n < 1 || n > 3660 {
		return evaluate.Cut{}, usage("--cut %q: want a day and how many days from it on, for example 2017-11-02/60", text)
	}
	return evaluate.Cut{Day: at, HorizonDays: n}, nil
}
