package evaluate

import (
	"fmt"
	"strings"
	"testing"

	"leadline/internal/sales"
	"leadline/internal/slipping"
)

const peersHead = "dataset,W,H,t,customer_id,halved,none,recency,gbm_halved,gbm_none\n"

// A peer's figures of the same cases stand beside Leadline's, by whatever label is asked for; a score as good as one of ours comes to the same.
func TestPeersStandBesideLeadline(t *testing.T) {
	h := shoppers(120, 200, 1)
	o := DecliningOptions{Cuts: []Cut{{begin + 200, 60}}, WindowDays: 60, MinDays: 2, Label: Halved}
	alone, err := h.Declining(o)
	if err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	lines.WriteString(peersHead + "other,60,60,1,x,0,0,1,1,1\n")
	day := dayOfYear(o.Cuts[0].Day, h.First())
	for _, k := range alone.Cuts[0].Each {
		halved := 0
		if k.Slipped {
			halved = 1
		}
		fmt.Fprintf(&lines, "mine,60,60,%d,%s,%d,0,%g,%d,9\n", day, k.CustomerID, halved, k.Scores[Recency], halved)
	}
	if o.Peers, err = ReadPeers(strings.NewReader(lines.String()), "mine"); err != nil {
		t.Fatal(err)
	}
	r, err := h.Declining(o)
	if err != nil {
		t.Fatal(err)
	}
	of := map[string]ScoreLine{}
	for _, l := range r.Cuts[0].Scores {
		of[l.Name] = l
	}
	if p, own := of["peer recency"], of[Recency]; p.AUC != own.AUC || p.LeadlineOver != own.LeadlineOver {
		t.Errorf("recency %v, and as a peer has it %v", own, p)
	}
	if p := of["peer gbm"]; p.AUC.Mean != 1 {
		t.Errorf("the peer that knows everything has AUC %v", p.AUC)
	}
	if len(of) != len(scorers())+2 {
		t.Errorf("%d scores: those of the other label are among them", len(of))
	}

	wrong := strings.Replace(lines.String(), ",0,0,", ",1,0,", 2) // of the other data set, and of one customer
	for want, text := range map[string]string{
		"are its days counted in the same time zone": wrong,
		"the peers have": lines.String()[:len(lines.String())-1-len(lines.String())/3],
	} {
		text = text[:strings.LastIndexByte(text, '\n')+1]
		if o.Peers, err = ReadPeers(strings.NewReader(text), "mine"); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Declining(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("said %v, want %q", err, want)
		}
	}
}

func TestReadPeersRefuses(t *testing.T) {
	for want, text := range map[string]string{
		"the columns are":            "customer_id,score\n",
		"line of names":              "",
		"no line of the data set":    peersHead + "other,60,60,1,x,0,0,1,1,1\n",
		`recency is "far"`:           peersHead + "mine,60,60,1,x,0,0,far,1,1\n",
		`gbm_none is "NaN"`:          peersHead + "mine,60,60,1,x,0,0,1,1,NaN\n",
		"wrong number of fields":     peersHead + "mine,60\n",
		"line 2: recency is \"far\"": peersHead + "mine,60,60,1,x,0,0,far,1,1\n",
	} {
		if _, err := ReadPeers(strings.NewReader(text), "mine"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("said %v, want %q", err, want)
		}
	}
}

// Of one customer, by hand: the rule of two weeks warns on day 24 and is right, Leadline did on day 15; another one only the rule finds.
func TestWhoWarnsSooner(t *testing.T) {
	var found, missed silence
	found.who, found.cut, found.bought = "ann", begin+70, begin+10
	found.plain[0] = warning{14, true}
	for i := range 20 {
		found.leadline[i] = warning{5, true}
	}
	missed = found
	missed.who, missed.leadline = "bob", [thresholds]warning{}
	short := found // no time for two weeks: it counts for nobody
	short.bought = begin + 60
	tr := &trial{silences: []silence{found, short, missed}}
	e := tr.earlier()[0]
	e.Precision, e.Days.Low, e.Days.High, e.DaysBoth.Low, e.DaysBoth.High = Estimate{}, 0, 0, 0, 0
	want := Earlier{Weeks: 2, Silences: 2, Warnings: 2, Right: 2, Threshold: threshold(0), Leadline: 1, Own: 1, Customers: 2, Both: 1,
		Days: Estimate{Mean: (9 - 47) / 2.}, DaysBoth: Estimate{Mean: 9}} // bob: day 24 against the day after the cut
	if e != want {
		t.Errorf("%+v, want %+v", e, want)
	}
}

// What is said of silences is what looking at the customer on each of their days says.
func TestSilencesAreTheDaysBetweenPurchases(t *testing.T) {
	h := shoppers(60, 200, 1)
	m := &moment{at: begin + 220, first: h.first, question: slipping.Question{WindowDays: 60, HorizonDays: 45}, minDays: 2, label: Halved, all: h.sorted()}
	all := m.silences()
	visits := 0
	for _, c := range m.all {
		visits += countBefore(c.visits, m.at) - countBefore(c.visits, m.at-watchDays)
	}
	if len(all) != visits || visits == 0 {
		t.Fatalf("%d silences after %d purchase days", len(all), visits)
	}
	warned := 0
	for _, s := range all {
		for i, w := range s.plain {
			if w.days == 0 {
				continue
			}
			warned++
			for _, c := range m.all {
				if c.id != s.who {
					continue
				}
				k, ok := m.look(c, m.question, s.bought+sales.Day(7*plainWeeks[i]))
				if !ok || k.slipped != w.right || int(w.days) != 7*plainWeeks[i] || k.past.Silence() != int(w.days) {
					t.Errorf("%s after %s: warned %+v, where it is %+v", s.who, s.bought, w, k)
				}
			}
		}
		for i := range s.leadline[1:] {
			if a, b := s.leadline[i].days, s.leadline[i+1].days; b != 0 && (a == 0 || a > b) {
				t.Fatalf("%s after %s: threshold %d is reached after %d days, the next after %d", s.who, s.bought, i, a, b)
			}
		}
	}
	if warned == 0 {
		t.Error("nobody is silent for weeks")
	}
}
