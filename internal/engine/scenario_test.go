package engine_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"leadline/internal/activity"
	"leadline/internal/affinity"
	"leadline/internal/catalogue"
	"leadline/internal/engine"
	"leadline/internal/feedback"
	"leadline/internal/sales"
	"leadline/internal/scorecard"
	"leadline/internal/window"
)

var update = flag.Bool("update", false, "write what the scenarios give into testdata; then read the diff")

// TestScenarios plays the stories of testdata, one event a step, and compares what the sales side is told after each of them (the
// lines that begin with ">"). testdata/README.md says how to write one.
func TestScenarios(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scenarios: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got := newStory(t).play(string(want))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(string(want), got); diff != "" && !*update {
				t.Errorf("the story went differently (-want +got):\n%s", diff)
			}
		})
	}
}

// story is one scenario on its way.
type story struct {
	t         *testing.T
	shard     *engine.Shard
	rules     engine.Rules
	knowledge *engine.Knowledge
	line      int
	offset    int64
	csn       int64
	alertIDs  map[string]string // customer and kind → last opened alert
	last      map[string]string // customer → event of the last purchase
}

func newStory(t *testing.T) *story {
	rules := engine.DefaultRules()
	rules.HoldoutShare = 0
	return &story{t: t, rules: rules, alertIDs: map[string]string{}, last: map[string]string{},
		shard: engine.NewShard(engine.Config{Partitions: 1, Clock: engine.Data, Rules: rules}),
		knowledge: &engine.Knowledge{Version: "v1", Links: affinity.NewTable(), Activity: activity.NewIndex(), Catalogue: catalogue.New(),
			Feedback: feedback.NewTable(), Models: scorecard.NewModels()}}
}

func (s *story) play(script string) string {
	var out strings.Builder
	for line := range strings.Lines(script) {
		s.line++
		if strings.HasPrefix(line, ">") {
			continue
		}
		out.WriteString(line)
		for _, said := range s.one(strings.TrimSpace(line)) {
			out.WriteString("> " + said + "\n")
		}
	}
	return out.String()
}

var (
	linkLine     = regexp.MustCompile(`^link (?:by (\w+) )?(.+) -> (.+) (\d+)%(?: worth (\d+))?$`)
	upsellLine   = regexp.MustCompile(`^upsell (.+) from tier (\d) to (\d) (\d+)%$`)
	productLine  = regexp.MustCompile(`^product (\S+) is (.+) in (.+), tier (\d)(?:, margin (\d+)%)?$`)
	feedbackLine = regexp.MustCompile(`^reps find (\d+) of (\d+) (\S+) alerts (?:about|of) (.+) not useful$`)
	roomLine     = regexp.MustCompile(`^(\S+) has room for alerts worth (\d+) or more$`)
	activityLine = regexp.MustCompile(`^everyone buys on (\d+) days a day from (\S+) to (\S+)$`)
	eventLine    = regexp.MustCompile(`^(\d{4}-\d\d-\d\d)(?: (\d\d:\d\d))? (.*)$`)
)

func (s *story) one(line string) []string {
	switch {
	case line == "" || strings.HasPrefix(line, "#"):
		return nil
	case strings.HasPrefix(line, "rules "):
		if err := json.Unmarshal([]byte(line[6:]), &s.rules); err != nil {
			s.t.Fatalf("line %d: %v", s.line, err)
		}
		s.shard.SetRules(s.rules)
		return nil
	case line == "silence tells who slips away":
		s.knowledge.Models.Set(engine.SilenceTellsPoints())
		return nil
	}
	if m := roomLine.FindStringSubmatch(line); m != nil {
		series, _ := feedback.CapacitySeries(feedback.DemandRow(m[1]))
		s.knowledge.Feedback.Set(series, float64(s.int(m[2])))
		s.knowledge.Version += "+"
		return nil
	}
	if m := linkLine.FindStringSubmatch(line); m != nil {
		c := float64(s.int(m[4])) / 100
		s.knowledge.Links.Set(sales.Link{Kind: sales.CrossSellLink, Level: s.rules.LinkLevel, Via: m[1], From: m[2], To: m[3], Confidence: c, Score: c,
			Both: 100 * int64(s.int(m[4])) / 100, FromHolders: 100, Baseline: c / 2, Lift: 2, TypicalMinor: int64(s.int("0" + m[5]))})
		return nil
	}
	if m := upsellLine.FindStringSubmatch(line); m != nil {
		c := float64(s.int(m[4])) / 100
		s.knowledge.Links.Set(sales.Link{Kind: sales.UpsellLink, Level: "type", From: m[1], To: m[1], FromTier: int32(s.int(m[2])),
			ToTier: int32(s.int(m[3])), Confidence: c, Score: c, Both: int64(s.int(m[4])), FromHolders: 100, PriceRatio: 1.5})
		return nil
	}
	if m := productLine.FindStringSubmatch(line); m != nil {
		margin := math.NaN()
		if m[5] != "" {
			margin = float64(s.int(m[5])) / 100
		}
		s.knowledge.Catalogue.Set(sales.Product{ProductID: m[1], Name: m[1], Type: m[2], Category: m[3], Tier: int32(s.int(m[4])), MarginShare: margin})
		return nil
	}
	if m := activityLine.FindStringSubmatch(line); m != nil {
		for d := s.day(m[2]); d <= s.day(m[3]); d++ {
			s.knowledge.Activity.Set(d, float64(s.int(m[1])), true)
		}
		return nil
	}
	if m := feedbackLine.FindStringSubmatch(line); m != nil {
		kinds := map[string]sales.AlertKind{"cross-sell": sales.CrossSell, "upsell": sales.Upsell, "declining": sales.Declining}
		series, _ := feedback.Series(feedback.Row(kinds[m[3]], m[4]))
		s.knowledge.Feedback.Set(series, feedback.Weight(int64(s.int(m[2])-s.int(m[1])), int64(s.int(m[1]))))
		s.knowledge.Version += "+"
		return nil
	}
	m := eventLine.FindStringSubmatch(line)
	if m == nil {
		s.t.Fatalf("line %d: %q is no line of a scenario", s.line, line)
	}
	clock := m[2]
	if clock == "" {
		clock = "12:00"
	}
	at, err := time.Parse("2006-01-02 15:04", m[1]+" "+clock)
	if err != nil {
		s.t.Fatalf("line %d: %v", s.line, err)
	}
	if m[3] == "passes" {
		return s.step(nil, sales.Millis(at.UnixMilli()))
	}
	return s.step([]sales.Event{s.event(sales.Millis(at.UnixMilli()), m[3])}, 0)
}

var (
	buyText     = regexp.MustCompile(`^(\S+) buys (.+)$`)
	refundText  = regexp.MustCompile(`^(\S+) returns (.+)$`)
	touchText   = regexp.MustCompile(`^(\S+) gets a touch(?: about (.+))?$`)
	profileText = regexp.MustCompile(`^(\S+) belongs to (\S+)(?:, (denies|allows) calls)?$`)
	erasedText  = regexp.MustCompile(`^(\S+) is erased$`)
	outcomeText = regexp.MustCompile(`^the rep reports (\S+) for the (\S+) alert of (\S+)$`)
	undoText    = regexp.MustCompile(`^the rep takes (\S+) back for (\S+)$`)
	handText    = regexp.MustCompile(`^(\S+) hands (\S+) over$`)
	optionText  = regexp.MustCompile(` (order|event|in|until|to|answer|value|on)=(\S+)`)
)

// event reads what happened: "anna buys BREAD 199 order=o1", with amounts in minor units.
func (s *story) event(at sales.Millis, text string) sales.Event {
	s.offset++
	e := sales.Event{Source: sales.Source{Topic: "purchases", Offset: s.offset}}
	options := map[string]string{"event": fmt.Sprintf("e%d", s.offset), "order": fmt.Sprintf("o%d", s.offset), "in": "USD"}
	for _, m := range optionText.FindAllStringSubmatch(text, -1) {
		options[m[1]] = m[2]
	}
	text = optionText.ReplaceAllString(text, "")
	buys, returns := buyText.FindStringSubmatch(text), refundText.FindStringSubmatch(text)
	if m := slices.Concat(buys, returns); m != nil {
		p := &sales.Purchase{EventID: options["event"], CustomerID: m[1], OccurredAt: at, OrderID: options["order"], Currency: options["in"]}
		if returns != nil {
			p.Kind = sales.Refund
		}
		for _, line := range strings.Split(m[2], ", ") {
			i := strings.LastIndexByte(line, ' ')
			l := sales.Line{Category: line[:i], Quantity: 1, AmountMinor: int64(s.int(line[i+1:]))}
			if it := s.knowledge.Catalogue.Item(line[:i], ""); it.Category != "" {
				l.ProductID, l.Category = line[:i], it.Category
			}
			p.Lines = append(p.Lines, l)
		}
		if e.Kind, e.Purchase = sales.PurchaseEvent, p; p.Kind == sales.Order {
			s.last[p.CustomerID] = p.EventID
		}
		return e
	}
	if m := touchText.FindStringSubmatch(text); m != nil {
		e.Kind = sales.TouchpointEvent
		e.Touchpoint = &sales.Touchpoint{EventID: options["event"], CustomerID: m[1], OccurredAt: at, Kind: sales.TouchEmailOpen, Category: m[2]}
		return e
	}
	if m := profileText.FindStringSubmatch(text); m != nil {
		e.Kind, e.Customer = sales.CustomerEvent, &sales.Customer{CustomerID: m[1], OwnerID: m[2], UpdatedAt: at}
		if m[3] != "" {
			e.Customer.Consent = map[string]bool{"rep": m[3] == "allows"}
		}
		return e
	}
	if m := erasedText.FindStringSubmatch(text); m != nil {
		e.Kind, e.Customer = sales.CustomerEvent, &sales.Customer{CustomerID: m[1], UpdatedAt: at, Erased: true}
		return e
	}
	if o := s.outcome(at, text, options); o != nil {
		e.Kind, e.Outcome = sales.OutcomeEvent, o
		return e
	}
	s.t.Fatalf("line %d: cannot read %q", s.line, text)
	return e
}

// outcome reads what a rep reports; nil if the text says something else. With on=DATE the report was made then and arrives now.
func (s *story) outcome(at sales.Millis, text string, options map[string]string) *sales.Outcome {
	o := &sales.Outcome{EventID: options["event"], ToRepID: options["to"], OccurredAt: at, Attributes: map[string]string{}}
	if day := options["on"]; day != "" {
		o.OccurredAt = sales.Calendar{}.Start(s.day(day))
	}
	if day := options["until"]; day != "" {
		o.Until = sales.Calendar{}.Start(s.day(day))
	}
	for _, name := range []string{"answer", "value"} {
		if v := options[name]; v != "" {
			o.Attributes[name] = v
		}
	}
	if m := outcomeText.FindStringSubmatch(text); m != nil {
		o.Result, o.CustomerID, o.AlertID = m[1], m[3], s.alertIDs[m[3]+m[2]]
		return o
	}
	if m := undoText.FindStringSubmatch(text); m != nil {
		o.Undoes, o.CustomerID, o.AlertID, o.Result = m[1], m[2], "any", "unknown"
		return o
	}
	if m := handText.FindStringSubmatch(text); m != nil {
		o.RepID, o.CustomerID, o.Result, o.Note = m[1], m[2], "assigned", "2 days with a purchase where 9 were to be expected."
		o.AlertID = engine.NextSpellID("", o.CustomerID, window.EventHash(s.last[o.CustomerID])).String()
		return o
	}
	return nil
}

// step takes one step and puts its decision into words.
func (s *story) step(events []sales.Event, now sales.Millis) []string {
	const clock = sales.Millis(1 << 42) // in 2109
	s.csn++
	var plan engine.Plan
	if now != 0 {
		plan = s.shard.PlanAt(events, now, now)
	} else {
		plan = s.shard.Plan(events, engine.Readiness{Clock: clock, PurchasesDrained: true, TouchpointsDrained: true})
	}
	for _, id := range plan.Missing {
		if err := s.shard.Load(id, nil); err != nil {
			s.t.Fatal(err)
		}
	}
	d := s.shard.Step(engine.Batch{CSN: s.csn, Events: events, Plan: plan, Clock: clock, Knowledge: s.knowledge, RunID: "live"})
	s.shard.Commit()
	var said []string
	for i := range d.Alerts {
		a := &d.Alerts[i]
		if a.Status == sales.Opened {
			s.alertIDs[a.CustomerID+a.Kind.String()] = a.AlertID
		}
		said = append(said, inWords(a))
	}
	for _, r := range d.Rejected {
		said = append(said, fmt.Sprintf("refused, %s: %s", r.Class, r.Reason))
	}
	for range d.Late {
		said = append(said, "too late: goes to late-events")
	}
	if d.Duplicates > 0 {
		said = append(said, "known already, changes nothing")
	}
	if d.Unheeded > 0 {
		said = append(said, "about no alert that is remembered: noted, and nothing else")
	}
	for _, cell := range d.Tallies[2].Cells {
		if row, ok := strings.CutPrefix(cell.Row, "outcome|"); ok {
			said = append(said, fmt.Sprintf("counts %s %s %+d", row, cell.Col, cell.N))
		}
		if rep, ok := strings.CutPrefix(cell.Row, feedback.DemandRow("")); ok {
			said = append(said, fmt.Sprintf("counts what there is to say to %s %+d", rep, cell.N))
		}
	}
	for _, c := range d.Changes {
		if c.Blob == nil {
			said = append(said, "nothing is kept of "+c.CustomerID+" any more")
		}
	}
	return said
}

func inWords(a *sales.Alert) string {
	text := fmt.Sprintf("%s %s %d", a.Kind, a.Status, a.Revision)
	if a.SuppressedBy != sales.NotSuppressed {
		text += ", not said (" + a.SuppressedBy.String() + ")"
	}
	if a.OwnerID != "" {
		text += " to " + a.OwnerID
	}
	text += fmt.Sprintf(": %s [%s", a.Title, a.Reasons[0].Code)
	if a.Status == sales.Opened {
		text += fmt.Sprintf(", grade %s, score %.2f", a.Grade, a.Score)
		if a.ExpectedValueMinor != nil {
			text += fmt.Sprintf(", worth %d %s", *a.ExpectedValueMinor, a.Currency)
		}
		if last := a.Reasons[len(a.Reasons)-1]; last.Code == "seldom_useful" {
			text += fmt.Sprintf(", %s %.2f", last.Code, last.Value)
		}
		if worth := a.Details.Of("worth_minor"); worth > 0 {
			text += fmt.Sprintf(", worth %.0f of at least %.0f", worth, a.Details.Of("least_worth_minor"))
		}
		if a.ExpiresAt != 0 {
			text += ", until " + sales.Calendar{}.Day(a.ExpiresAt).String()
		}
	}
	return text + "]"
}

func (s *story) int(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		s.t.Fatalf("line %d: %v", s.line, err)
	}
	return n
}

func (s *story) day(text string) sales.Day {
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		s.t.Fatalf("line %d: %v", s.line, err)
	}
	return sales.Calendar{}.Day(sales.Millis(at.UnixMilli()))
}
