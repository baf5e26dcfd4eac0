package evaluate

import (
	"cmp"
	"fmt"
	"slices"

	"leadline/internal/slipping"
)

// Label says what counts as slipped. Both look ahead: at the horizon from the cut on. Whose purchases fell before the cut is another question.
type Label string

// The labels.
const (
	Halved Label = "halved" // purchase days in the horizon at a rate below half of the window's
	None   Label = "none"   // no purchase in the horizon
)

// DecliningOptions say what is asked of a history.
type DecliningOptions struct {
	Cuts       []Cut // at least one, of one horizon
	WindowDays int   // before the cut, whose rate is the usual one
	MinDays    int   // with a purchase in the window, of those asked about; at least 1
	Label      Label
	Peers      *Peers // nil: nobody else is compared with
}

// DecliningReport says how well each score told at the cuts who was about to slip away.
type DecliningReport struct {
	Label       Label          `json:"label"`
	WindowDays  int            `json:"window_days"`
	HorizonDays int            `json:"horizon_days"`
	MinDays     int            `json:"min_days"`
	Cuts        []CutDeclining `json:"cuts"`
	Pooled      *CutDeclining  `json:"pooled,omitempty"` // the cuts' cases together, if there are several cuts
}

// CutDeclining is one cut's part of the report.
type CutDeclining struct {
	Day       string      `json:"day,omitempty"`
	Examples  int         `json:"examples"`  // learned from
	Cases     int         `json:"cases"`     // customers asked about, each once a cut
	Customers int         `json:"customers"` // different ones
	Slipped   int         `json:"slipped"`   // of the cases
	Scores    []ScoreLine `json:"scores"`    // best first
	Earlier   []Earlier   `json:"earlier"`   // none if the history before the cut is too short
	Each      []SlipCase  `json:"each,omitempty"`
}

// ScoreLine is how good one score was. Money is in minor units: what slipped customers spent less in the horizon than at the window's rate.
type ScoreLine struct {
	Name             string   `json:"name"`
	About            string   `json:"about"`
	AUC              Estimate `json:"auc"`
	LeadlineOver     Estimate `json:"leadline_over"` // Leadline's AUC minus this one, paired by customer
	AveragePrecision Estimate `json:"average_precision"`
	TopTenth         Estimate `json:"precision_top_tenth"`
	ECE              *float64 `json:"ece,omitempty"`  // expected calibration error over ten bins, of probabilities
	Bins             []Bin    `json:"bins,omitempty"` // those bins, from the lowest up
	Caught           []Caught `json:"caught"`
	Found            []Found  `json:"found"` // of the slipped, from nobody contacted to everybody
}

// Bin is a tenth of the customers by probability.
type Bin struct {
	Probability float64 `json:"probability"` // mean
	Slipped     float64 `json:"slipped"`     // share
}

// Found is the share of the slipped that is reached when a share of all is contacted, the highest scores first.
type Found struct {
	Share   float64 `json:"share_contacted"`
	Slipped float64 `json:"share_of_slipped"`
}

// Caught is the money at stake per contact when a share of the customers is contacted, the highest scores first.
type Caught struct {
	Share      float64  `json:"share_contacted"`
	PerContact Estimate `json:"minor_per_contact"`
}

// SlipCase is one customer at one cut, for paired comparison with others' scores (higher = likelier to slip).
type SlipCase struct {
	CustomerID string             `json:"customer_id"`
	Slipped    bool               `json:"slipped"`
	LostMinor  int64              `json:"lost_minor"`
	Scores     map[string]float64 `json:"scores"`
}

// Declining asks, at each cut, who will slip: learned from what was bought before the cut alone, judged by the horizon from it on.
func (h *History) Declining(o DecliningOptions) (*DecliningReport, error) {
	r := &DecliningReport{Label: o.Label, WindowDays: o.WindowDays, HorizonDays: o.Cuts[0].HorizonDays, MinDays: o.MinDays}
	for _, cut := range o.Cuts {
		if cut.HorizonDays != r.HorizonDays {
			return nil, fmt.Errorf("cuts with %d and %d days: the cuts of one report are judged by equally many", r.HorizonDays, cut.HorizonDays)
		}
		if err := h.reaches(cut); err != nil {
			return nil, err
		}
	}
	all := h.sorted()
	pool := &trial{}
	for _, cut := range o.Cuts {
		m := &moment{at: cut.Day, first: h.first, label: o.Label, minDays: o.MinDays, all: all,
			question: slipping.Question{WindowDays: o.WindowDays, HorizonDays: cut.HorizonDays}}
		t, err := m.try()
		if err != nil {
			return nil, fmt.Errorf("cut %s: %w", cut.Day, err)
		}
		if o.Peers != nil {
			if err := o.Peers.join(t, m); err != nil {
				return nil, fmt.Errorf("cut %s: %w", cut.Day, err)
			}
		}
		part := t.report()
		part.Day = cut.Day.String()
		part.Each = t.each()
		r.Cuts = append(r.Cuts, part)
		pool.add(t)
	}
	if len(o.Cuts) > 1 {
		together := pool.report()
		r.Pooled = &together
	}
	return r, nil
}

// trial is the cases of a cut, or of several, with what each score said of them.
type trial struct {
	cases    []slipCase
	examples int
	scores   []scored
	silences []silence
}

// scored is one score's word on each case.
type scored struct {
	scorer
	of []float64
}

func (t *trial) add(other *trial) {
	t.cases = append(t.cases, other.cases...)
	t.examples += other.examples
	t.silences = append(t.silences, other.silences...)
	if t.scores == nil {
		t.scores = make([]scored, len(other.scores))
	}
	for i, s := range other.scores {
		t.scores[i].scorer = s.scorer
		t.scores[i].of = append(t.scores[i].of, s.of...)
	}
}

func (t *trial) report() CutDeclining {
	out := CutDeclining{Examples: t.examples, Cases: len(t.cases), Earlier: t.earlier()}
	for i := range t.cases {
		if t.cases[i].slipped {
			out.Slipped++
		}
	}
	measured, customers := t.measure()
	out.Customers = customers
	for i, s := range t.scores {
		line := ScoreLine{Name: s.name, About: s.about, AUC: measured[i].auc, LeadlineOver: measured[i].leadlineOver,
			AveragePrecision: measured[i].averagePrecision, TopTenth: measured[i].topTenth, Found: measured[i].found}
		for j, share := range contacted {
			line.Caught = append(line.Caught, Caught{Share: share, PerContact: measured[i].caught[j]})
		}
		if s.probability {
			e, bins := calibration(s.of, t.cases)
			line.ECE, line.Bins = &e, bins
		}
		out.Scores = append(out.Scores, line)
	}
	slices.SortStableFunc(out.Scores, func(a, b ScoreLine) int { return cmp.Compare(b.AUC.Mean, a.AUC.Mean) })
	return out
}

// each gives the cases with their scores.
func (t *trial) each() []SlipCase {
	out := make([]SlipCase, len(t.cases))
	for i := range t.cases {
		out[i] = SlipCase{CustomerID: t.cases[i].id, Slipped: t.cases[i].slipped, LostMinor: t.cases[i].lost, Scores: map[string]float64{}}
		for _, s := range t.scores {
			out[i].Scores[s.name] = s.of[i]
		}
	}
	return out
}
