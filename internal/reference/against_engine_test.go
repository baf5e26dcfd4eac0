package reference

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"leadline/internal/activity"
	"leadline/internal/affinity"
	"leadline/internal/catalogue"
	"leadline/internal/engine"
	"leadline/internal/feedback"
	"leadline/internal/sales"
	"leadline/internal/scorecard"
	"leadline/internal/slipping"
	"leadline/internal/window"
)

// TestEngineSaysWhatTheModelSays plays random histories, cut into random batches with rolled back attempts and evictions, while links,
// products, everyone's activity and the rules change between the batches. After each batch the engine and the model must have said
// the same, refused the same, and hold the same of each customer.
func TestEngineSaysWhatTheModelSays(t *testing.T) {
	t.Parallel()
	var seen counts
	for range 10 { // a thousand histories, so that rare things are among them
		rapid.Check(t, func(t *rapid.T) {
			h := newHistory(t)
			for range rapid.IntRange(1, 60).Draw(t, "batches") {
				h.changeRules()
				h.learn()
				h.step(h.events())
				seen.add(h)
			}
			h.at += 400 * sales.DayMillis
			h.step(nil)
			seen.add(h)
			h.compareAll()
		})
	}
	seen.check(t)
}

// counts is what the histories had in them: what never occurs was not compared.
type counts struct {
	mu sync.Mutex
	of map[string]int
}

func (c *counts) add(h *history) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = map[string]int{}
	}
	for _, a := range h.said.Alerts {
		c.of[fmt.Sprintf("%s %s", a.Kind, a.Reasons[0].Code)]++
		c.of["suppressed by "+a.SuppressedBy.String()]++
		if a.Kind == sales.Declining && a.SuppressedBy == sales.ByCap {
			c.of["declining held back"]++
		}
		if a.Reasons[len(a.Reasons)-1].Code == "seldom_useful" {
			c.of["complained"]++
		}
	}
	for _, r := range h.said.Rejected {
		c.of["dead letter "+string(r.Class)]++
	}
	c.of["late"] += len(h.said.Late)
	c.of["redelivered"] += h.said.Duplicates
	c.of["unheeded"] += h.said.Unheeded
	c.of["timers"] += h.said.TimersFired
}

func (c *counts) check(t *testing.T) {
	for _, what := range []string{"cross-sell bought", "cross-sell touched", "cross-sell taken_up", "cross-sell contradicted", "cross-sell not_taken_up", "cross-sell erased",
		"cross-sell won", "cross-sell lost", "cross-sell survey_answered", "cross-sell taken_back", "cross-sell assigned", "declining survey_answered",
		"declining handed_over", "declining taken_back", "suppressed by silenced", "complained", "unheeded", "upsell repeated", "upsell taken_up", "upsell not_taken_up", "declining fewer_purchase_days", "declining slipping_away", "declining held back",
		"declining came_back", "declining gone", "suppressed by holdout", "suppressed by cap", "suppressed by consent", "suppressed by ",
		"dead letter time", "dead letter currency", "late", "redelivered", "timers"} {
		if c.of[what] == 0 {
			t.Errorf("no history had %q: it was not compared", what)
		}
	}
	for _, what := range slices.Sorted(maps.Keys(c.of)) {
		t.Logf("%6d %s", c.of[what], what)
	}
}

// history drives the engine as the runtime does, and the model beside it.
type history struct {
	*rapid.T
	rules  engine.Rules
	shard  *engine.Shard
	model  *Model
	learnt *engine.Knowledge
	known  *Knowledge

	at     sales.Millis // the wall clock
	csn    int64
	blobs  map[string][]byte // as the engine loads them
	behind []engine.Change   // not there yet
	past   []sales.Event
	alerts []sales.Alert
	said   engine.Decision // of the last step

	version int
}

const (
	testPrefix = "acme."
	firstDay   = sales.Day(20_454) // 2026-01-01
)

func newHistory(t *rapid.T) *history {
	h := &history{T: t, rules: engine.DefaultRules(), at: sales.Millis(firstDay) * sales.DayMillis, blobs: map[string][]byte{},
		known: NewKnowledge(), learnt: &engine.Knowledge{Links: affinity.NewTable(), Activity: activity.NewIndex(), Catalogue: catalogue.New(),
			Feedback: feedback.NewTable(), Models: scorecard.NewModels()}}
	zone := rapid.SampledFrom([]*time.Location{nil, time.FixedZone("east", 11*3600), time.FixedZone("west", -7*3600)}).Draw(t, "zone")
	calendar := sales.NewCalendar(zone)
	h.rules.HoldoutShare = 0.3
	clock := rapid.SampledFrom([]engine.Clock{engine.Live, engine.Data}).Draw(t, "clock")
	h.shard = engine.NewShard(engine.Config{Prefix: testPrefix, Partitions: 1, Clock: clock, Calendar: calendar, Rules: h.rules})
	h.model = NewModel(testPrefix, 0, calendar, h.rules, h.known)
	return h
}

// changeRules now and then puts other rules in force.
func (h *history) changeRules() {
	if h.csn > 0 && rapid.IntRange(0, 14).Draw(h.T, "new rules") > 0 {
		return
	}
	r := engine.DefaultRules()
	pick := func(name string, from ...int) int { return rapid.SampledFrom(from).Draw(h.T, name) }
	r.WindowDays = pick("window", 180, 30, 60)
	r.SlackDays = pick("slack", 5, 0, 10)
	if rapid.Bool().Draw(h.T, "push sooner") {
		r.Declining.MinPrecision = 0.2
	}
	r.Declining.CapacityPerWeek = pick("capacity", 3, 3, 0)
	r.LinkLevel = rapid.SampledFrom(sales.LinkLevels()).Draw(h.T, "level")
	r.CooldownDays = min(r.WindowDays, pick("cooldown", 30, 5, 180))
	r.ExpiryDays = min(r.CooldownDays, pick("expiry", 14, 1, 30))
	r.Caps = engine.CapRules{CrossSell: pick("cross-sell cap", 1, 1, 2, 3, 0), Upsell: pick("upsell cap", 1, 1, 2, 0)}
	r.HoldoutShare = float64(pick("holdout", 3, 0, 6)) / 10
	if rapid.Bool().Draw(h.T, "explores") {
		r.ExploreShare = 0.6
	}
	r.AllowedLateness = time.Duration(pick("lateness", 1, 72, 168)) * time.Hour
	r.Declining.RecentDays = pick("recent", 30, 10)
	r.Declining.BaselineDays = min(r.WindowDays-r.Declining.RecentDays, pick("baseline", 150, 20))
	if r.Declining.BaselineDays < 1 {
		r.Declining.RecentDays, r.Declining.BaselineDays = 10, 20
	}
	r.Declining.Alpha = float64(pick("alpha", 30, 5, 1)) / 100
	r.Declining.ResolveAbove = max(r.Declining.Alpha, float64(pick("resolve", 40, 10))/100)
	r.Declining.MinBaselineDays = pick("least", 1, 3)
	r.Upsell.MinPurchases = pick("tier days", 2, 1, 3)
	r.Channels.Attributes = rapid.SampledFrom([][]string{nil, {"age"}, {"town", "age"}}).Draw(h.T, "channels")
	if rapid.Bool().Draw(h.T, "brands") {
		r.Upsell.BrandTiers = map[string]int32{"Private": 2, "National": 1}
	}
	if rapid.Bool().Draw(h.T, "exclude") {
		r.Links.ExcludeCategories = []string{"BAGS", "WINE"}
	}
	if err := r.Validate(); err != nil {
		h.Fatalf("rules: %v", err)
	}
	h.rules = r
	h.shard.SetRules(r)
	h.learnt.Catalogue.SetBrandTiers(r.Upsell.BrandTiers)
	h.model.SetRules(r)
	h.nextVersion()
}

var (
	categories  = []string{"BREAD", "BUTTER", "CHEESE", "WINE", "BAGS"}
	types       = []string{"BREAD", "RYE", "BUTTER", "GOUDA", "RED WINE"}
	departments = []string{"BAKERY", "DAIRY"}
	products    = []string{"p0", "p1", "p2", "p3"}
	people      = []string{"anna", "ben", "carl"}
)

// learn now and then changes links, products and everyone's activity.
func (h *history) learn() {
	n := 0
	if h.csn == 0 {
		n = 60
	} else if rapid.IntRange(0, 4).Draw(h.T, "learns") == 0 {
		n = rapid.IntRange(1, 5).Draw(h.T, "facts")
	}
	if n == 0 {
		return
	}
	for range n {
		switch rapid.IntRange(0, 12).Draw(h.T, "fact") {
		case 12:
			h.learnLeastWorth()
		case 11:
			h.learnPoints()
		case 10:
			h.learnWeight()
		case 0, 1, 2, 3, 4:
			h.learnLink()
		case 5, 6:
			h.learnProduct()
		case 7:
			h.learnModel()
		default:
			h.learnActivity()
		}
	}
	h.nextVersion()
}

// nextVersion names what is known by now: one version has one content.
func (h *history) nextVersion() {
	h.version++
	h.learnt.Version = sales.KnowledgeVersion(fmt.Sprintf("v%d", h.version))
}

func (h *history) learnLink() {
	level := rapid.SampledFrom(sales.LinkLevels()).Draw(h.T, "link level")
	name := rapid.SampledFrom(map[string][]string{sales.LevelProduct: products, sales.LevelType: types, sales.LevelCategory: categories,
		sales.LevelDepartment: append(departments, categories...)}[level])
	share := float64(rapid.IntRange(1, 7).Draw(h.T, "score")) / 10
	l := sales.Link{Kind: sales.CrossSellLink, Level: level, From: name.Draw(h.T, "from"), To: name.Draw(h.T, "to"), Score: share, Confidence: share,
		TypicalMinor: int64(rapid.IntRange(0, 2).Draw(h.T, "typical")) * 333}
	if rapid.Bool().Draw(h.T, "counted") {
		l.FromHolders, l.ToHolders = rapid.Int64Range(1, 99).Draw(h.T, "from holders"), rapid.Int64Range(1, 99).Draw(h.T, "to holders")
		l.Both, l.Baseline = rapid.Int64Range(1, 50).Draw(h.T, "both"), float64(rapid.IntRange(0, 9).Draw(h.T, "baseline"))/10
	}
	if rapid.Bool().Draw(h.T, "curve") {
		l.Starts = 1
		for i := range l.Curve {
			l.Curve[i] = float32(i+1) * float32(share) / sales.CurveWeeks
		}
	}
	if rapid.IntRange(0, 3).Draw(h.T, "seen") == 0 {
		l.Via, l.From = rapid.SampledFrom([]string{"product_view", "cart_add"}).Draw(h.T, "via"), rapid.SampledFrom([]string{"BREAD", "NEWS"}).Draw(h.T, "seen about")
	}
	if rapid.IntRange(0, 3).Draw(h.T, "upsell") == 0 {
		tier := rapid.Int32Range(1, 2).Draw(h.T, "tier")
		l.Kind, l.Level, l.From, l.FromTier, l.ToTier = sales.UpsellLink, "type", rapid.SampledFrom(types).Draw(h.T, "type"), tier, tier+1
		l.To, l.Via, l.PriceRatio = l.From, "", rapid.SampledFrom([]float64{1.2, 2}).Draw(h.T, "price ratio")
	}
	if rapid.IntRange(0, 5).Draw(h.T, "gone") == 0 {
		h.learnt.Links.Delete(l.Key())
		h.known.DeleteLink(l.Key())
		return
	}
	h.learnt.Links.Set(l)
	h.known.SetLink(l)
}

func (h *history) learnWeight() {
	kind := rapid.SampledFrom([]sales.AlertKind{sales.CrossSell, sales.Upsell, sales.Declining}).Draw(h.T, "kind")
	segment := rapid.SampledFrom(slices.Concat(categories, types, []string{"", "rep-1", "rep-2"})).Draw(h.T, "segment")
	series, _ := feedback.Series(feedback.Row(kind, segment))
	if rapid.IntRange(0, 3).Draw(h.T, "no complaints") == 0 {
		h.learnt.Feedback.Delete(series)
		h.known.DeleteWeight(kind.String() + "|" + segment)
		return
	}
	weight := float64(rapid.IntRange(0, 10).Draw(h.T, "weight")) / 10
	h.learnt.Feedback.Set(series, weight)
	h.known.SetWeight(kind.String()+"|"+segment, weight)
}

// learnLeastWorth makes reps have room for more or less: a worth is at most a few cents here.
func (h *history) learnLeastWorth() {
	rep := rapid.SampledFrom([]string{"rep-1", "rep-2", "rep-1", "rep-2", "rep-8"}).Draw(h.T, "rep")
	series, _ := feedback.CapacitySeries(feedback.DemandRow(rep))
	if rapid.IntRange(0, 3).Draw(h.T, "room for all") == 0 {
		h.learnt.Feedback.Delete(series)
		h.known.DeleteLeastWorth(rep)
		return
	}
	worth := rapid.SampledFrom([]float64{0.3, 0.6, 0.9, 1.5, 3, 9, 9, 9, -1, math.NaN(), math.Inf(1)}).Draw(h.T, "least worth")
	h.learnt.Feedback.Set(series, worth)
	h.known.SetLeastWorth(rep, worth)
}

// learnPoints makes the scorecard of slipping away say what it will.
func (h *history) learnPoints() {
	card := scorecard.Declining()
	if rapid.IntRange(0, 3).Draw(h.T, "forgotten") == 0 {
		h.learnt.Models.Delete(card.Name)
		h.known.DeleteModel(card.Name)
		return
	}
	model := sales.Model{Name: card.Name, Version: card.Version, Constant: float64(rapid.IntRange(-2, 2).Draw(h.T, "constant"))}
	for _, of := range card.Characteristics {
		c := sales.Characteristic{Name: of.Name, Cuts: of.Cuts}
		for range of.Prior {
			c.Points = append(c.Points, float64(rapid.IntRange(-3, 3).Draw(h.T, "points"))/2)
		}
		model.Characteristics = append(model.Characteristics, c)
	}
	h.learnt.Models.Set(model)
	h.known.SetModel(model)
	h.learnPopulation()
}

// learnPopulation makes customers stay shorter or longer; one that is of another version says nothing.
func (h *history) learnPopulation() {
	parameter := rapid.SampledFrom([]float64{0.2, 1, 5, 40})
	p := slipping.Learned{Population: slipping.Population{R: parameter.Draw(h.T, "r"), Alpha: parameter.Draw(h.T, "alpha"), A: parameter.Draw(h.T, "a"), B: parameter.Draw(h.T, "b")}}
	m := p.Model()
	m.Version += int32(rapid.IntRange(0, 4).Draw(h.T, "later") / 4)
	h.learnt.Models.Set(m)
	h.known.SetModel(m)
}

func (h *history) learnProduct() {
	p := sales.Product{ProductID: h.product(), Name: "SOMETHING 10 OZ", Category: rapid.SampledFrom(append(categories, "")).Draw(h.T, "category"),
		Type: rapid.SampledFrom(append(types, "")).Draw(h.T, "type"), Department: rapid.SampledFrom(append(departments, "")).Draw(h.T, "department"), Brand: rapid.SampledFrom([]string{"", "Private", "National"}).Draw(h.T, "brand"),
		Tier: rapid.Int32Range(0, 3).Draw(h.T, "tier"), MarginShare: rapid.SampledFrom([]float64{math.NaN(), 0.1, 0.25, 1. / 3}).Draw(h.T, "margin")}
	if rapid.IntRange(0, 9).Draw(h.T, "gone") == 0 {
		h.learnt.Catalogue.Delete(p.ProductID)
		h.known.DeleteProduct(p.ProductID)
		return
	}
	h.learnt.Catalogue.Set(p)
	h.known.SetProduct(p)
}

// learnModel draws points of a card, now and then of another version.
func (h *history) learnModel() {
	card := rapid.SampledFrom(scorecard.Cards()).Draw(h.T, "card")
	if rapid.IntRange(0, 4).Draw(h.T, "gone") == 0 {
		h.learnt.Models.Delete(card.Name)
		h.known.DeleteModel(card.Name)
		return
	}
	number := rapid.IntRange(-30, 30)
	m := sales.Model{Name: card.Name, Version: card.Version + int32(rapid.IntRange(0, 4).Draw(h.T, "later")/4), Constant: float64(number.Draw(h.T, "constant")) / 10}
	for _, ch := range card.Characteristics {
		c := sales.Characteristic{Name: ch.Name, Cuts: ch.Cuts, Mean: float64(number.Draw(h.T, "mean")) / 10}
		for range ch.Prior {
			c.Points = append(c.Points, float64(number.Draw(h.T, "points"))/10)
		}
		m.Characteristics = append(m.Characteristics, c)
	}
	for i := range rapid.IntRange(0, 3).Draw(h.T, "knots") {
		m.Calibration = append(m.Calibration, sales.Knot{LogOdds: float64(i) - 2, Calibrated: float64(i)/2 - 1})
	}
	h.learnt.Models.Set(m)
	h.known.SetModel(m)
}

func (h *history) product() string { return fmt.Sprint("p", rapid.IntRange(0, 9).Draw(h.T, "product")) }

func (h *history) learnActivity() {
	day := sales.Day(h.at/sales.DayMillis) - sales.Day(rapid.IntRange(0, 40).Draw(h.T, "days ago"))
	n, complete := float64(rapid.IntRange(0, 50).Draw(h.T, "active")), rapid.Bool().Draw(h.T, "complete")
	h.learnt.Activity.Set(day, n, complete)
	h.known.SetActivity(day, n, complete)
}

// events draws what happens until the next batch, in the order of the inputs.
func (h *history) events() []sales.Event {
	h.at += sales.Millis(rapid.SampledFrom([]int{1, 1, 5, 5, 24, 24, 24, 24 * 3, 24 * 3, 24 * 3, 24 * 10, 24 * 10, 24 * 40, 24 * 200}).Draw(h.T, "hours")) * 3_600_000
	var events []sales.Event
	for i := range rapid.IntRange(0, 8).Draw(h.T, "events") {
		e := h.event(len(h.past) + i)
		e.Source = sales.Source{Topic: "t", Offset: int64(len(h.past) + i)}
		events = append(events, e)
	}
	if rapid.IntRange(0, 19).Draw(h.T, "many touches") == 0 {
		events = append(events, h.manyTouches(len(h.past)+len(events))...)
	}
	order := map[sales.EventKind]int{sales.CustomerEvent: 1, sales.TouchpointEvent: 2, sales.PurchaseEvent: 3, sales.OutcomeEvent: 4}
	slices.SortStableFunc(events, func(a, b sales.Event) int { return cmp.Compare(order[a.Kind], order[b.Kind]) })
	h.past = append(h.past, events...)
	return events
}

// manyTouches is about as many as a customer remembers, and then the first ones once more.
func (h *history) manyTouches(i int) []sales.Event {
	var events []sales.Event
	who := rapid.SampledFrom(people).Draw(h.T, "who")
	for n := range rapid.IntRange(63, 66).Draw(h.T, "touches") {
		events = append(events, sales.Event{Kind: sales.TouchpointEvent, Source: sales.Source{Topic: "t", Offset: int64(i + n)},
			Touchpoint: &sales.Touchpoint{EventID: fmt.Sprint("t", i+n), CustomerID: who, OccurredAt: h.at - sales.Millis(n%3)*sales.DayMillis}})
	}
	return append(events, events[:3]...)
}

func (h *history) event(i int) sales.Event {
	who := rapid.SampledFrom(people).Draw(h.T, "who")
	late := rapid.SampledFrom([]int{0, 0, 0, 0, 0, 1, 1, 3, 24, 24 * 4, 24 * 20, 24 * 176, 24 * 184, 24 * 200}).Draw(h.T, "late")
	when := h.at - sales.Millis(late)*3_600_000 - sales.Millis(rapid.IntRange(0, 23).Draw(h.T, "hour"))*3_600_000
	switch what := rapid.IntRange(0, 29).Draw(h.T, "what"); {
	case what < 2 && len(h.past) > 0:
		return h.past[rapid.IntRange(0, len(h.past)-1).Draw(h.T, "again")]
	case what < 5:
		return sales.Event{Kind: sales.TouchpointEvent, Touchpoint: &sales.Touchpoint{EventID: fmt.Sprint("t", i), CustomerID: who, OccurredAt: when,
			Kind: sales.TouchKind(rapid.IntRange(0, 3).Draw(h.T, "touch")), Category: rapid.SampledFrom([]string{"", "BREAD", "NEWS"}).Draw(h.T, "about"),
			ProductID: rapid.SampledFrom([]string{"", "p1", "p77"}).Draw(h.T, "shown")}}
	case what < 7:
		return h.profile(who)
	case what < 11 && len(h.alerts) > 0:
		return h.outcome(i, when)
	case what == 11:
		return h.handOver(i, who, when)
	case what == 12:
		when = h.at + sales.Millis(rapid.IntRange(1, 10).Draw(h.T, "ahead"))*60_000
	}
	return sales.Event{Kind: sales.PurchaseEvent, Purchase: h.purchase(i, who, when)}
}

func (h *history) profile(who string) sales.Event {
	if rapid.IntRange(0, 4).Draw(h.T, "erased") == 0 {
		return sales.Event{Kind: sales.CustomerEvent, Customer: &sales.Customer{CustomerID: who, Erased: true, UpdatedAt: h.at}}
	}
	consent := map[string]bool{}
	for _, channel := range []string{"rep", "phone", "email"} {
		if rapid.Bool().Draw(h.T, "says") {
			consent[channel] = rapid.IntRange(0, 2).Draw(h.T, channel) > 0
		}
	}
	return sales.Event{Kind: sales.CustomerEvent, Customer: &sales.Customer{CustomerID: who, UpdatedAt: h.at, Consent: consent,
		Attributes: map[string]string{"age": rapid.SampledFrom([]string{"", "young", "old", "\x01", strings.Repeat("x", 99)}).Draw(h.T, "age"), "town": "here"},
		OwnerID:    rapid.SampledFrom([]string{"", "rep-1", "rep-2"}).Draw(h.T, "owner")}}
}

func (h *history) outcome(i int, when sales.Millis) sales.Event {
	last := h.alerts[max(0, len(h.alerts)-8):]
	a := rapid.SampledFrom(last).Draw(h.T, "alert")
	id := rapid.SampledFrom([]string{a.AlertID, a.AlertID, a.AlertID, strings.ToUpper(a.AlertID), "no id"}).Draw(h.T, "id")
	o := &sales.Outcome{EventID: fmt.Sprint("o", i), AlertID: id, CustomerID: a.CustomerID, OccurredAt: when,
		Result:  rapid.SampledFrom(append(slices.Clone(results), "assigned", "survey_answered", "unknown")).Draw(h.T, "result"),
		ToRepID: rapid.SampledFrom([]string{"", "rep-1", "rep-8", "rep-9"}).Draw(h.T, "to")}
	if o.Result == "snoozed" {
		o.Until = when + sales.Millis(rapid.IntRange(1, 24*60).Draw(h.T, "until"))*3_600_000
	}
	if o.Result == "survey_answered" {
		o.Attributes = map[string]string{"answer": rapid.SampledFrom([]string{"staying", "leaving", "well"}).Draw(h.T, "answer")}
	}
	if rapid.IntRange(0, 2).Draw(h.T, "undoes") == 0 { // mostly an outcome that was one, now and then one that is still to come
		o.Undoes = fmt.Sprint("o", rapid.IntRange(max(0, i-20), i+3).Draw(h.T, "undone"))
		for n := len(h.past) - 1; n >= max(0, len(h.past)-20); n-- {
			if past := h.past[n].Outcome; past != nil && past.CustomerID == o.CustomerID && past.Undoes == "" && rapid.Bool().Draw(h.T, "that") {
				o.Undoes = past.EventID
			}
		}
	}
	return sales.Event{Kind: sales.OutcomeEvent, Outcome: o}
}

// handOver picks a customer from the list: the alert has the id of the spell that would be opened next.
func (h *history) handOver(i int, who string, when sales.Millis) sales.Event {
	id := "00000000-0000-0000-0000-000000000000"
	if c := h.model.customers[who]; c != nil {
		id = engine.NextSpellID(testPrefix, who, c.last.event).String()
	}
	return sales.Event{Kind: sales.OutcomeEvent, Outcome: &sales.Outcome{EventID: fmt.Sprint("o", i), AlertID: id, CustomerID: who, OccurredAt: when,
		Result: "assigned", ToRepID: rapid.SampledFrom([]string{"", "rep-8"}).Draw(h.T, "to"), Attributes: map[string]string{"p": "0.01", "list": "x"}}}
}

func (h *history) purchase(i int, who string, at sales.Millis) *sales.Purchase {
	p := &sales.Purchase{EventID: fmt.Sprint("e", i), CustomerID: who, OccurredAt: at, Currency: "USD",
		OrderID: fmt.Sprint("o", rapid.IntRange(max(0, i-8), i).Draw(h.T, "order"))}
	if rapid.IntRange(0, 5).Draw(h.T, "refund") == 0 {
		p.Kind = sales.Refund
	}
	if rapid.IntRange(0, 39).Draw(h.T, "abroad") == 0 {
		p.Currency = "EUR"
	}
	for range rapid.IntRange(1, 3).Draw(h.T, "lines") {
		p.Lines = append(p.Lines, sales.Line{ProductID: h.product(), Category: rapid.SampledFrom(append(categories, "")).Draw(h.T, "category"),
			Quantity: rapid.Int32Range(1, 3).Draw(h.T, "quantity"), AmountMinor: int64(rapid.IntRange(0, 3).Draw(h.T, "amount"))})
	}
	return p
}

// step plays one batch on both, the engine roughly: with attempts that are rolled back, and customers dropped from memory.
func (h *history) step(events []sales.Event) {
	for rapid.IntRange(0, 5).Draw(h.T, "fails") == 0 {
		h.attempt(events[:rapid.IntRange(0, len(events)).Draw(h.T, "until")])
		h.shard.Rollback()
	}
	plan := h.attempt(events)
	want := h.model.Play(Commit{CSN: h.csn + 1, Events: events, Now: plan.Now, Clock: h.at, Knowledge: h.learnt.Version})
	h.compare(want)
	h.csn++
	h.shard.Commit()
	for _, c := range h.said.Changes {
		h.behind = append(h.behind, c)
		h.compareState(c.CustomerID, c.Blob)
	}
	if rapid.Bool().Draw(h.T, "projects") {
		h.project()
	}
	if rapid.Bool().Draw(h.T, "evicts") {
		h.shard.Evict(0)
	}
	for _, a := range h.said.Alerts {
		h.alerts = append(h.alerts, sales.Alert{AlertID: a.AlertID, CustomerID: a.CustomerID})
	}
}

// project lets what customers are loaded from catch up with the commits.
func (h *history) project() {
	for _, c := range h.behind {
		if h.blobs[c.CustomerID] = c.Blob; c.Blob == nil {
			delete(h.blobs, c.CustomerID)
		}
	}
	h.behind = nil
	h.shard.Acknowledge(h.csn)
}

func (h *history) attempt(events []sales.Event) engine.Plan {
	plan := h.shard.Plan(events, engine.Readiness{Clock: h.at, PurchasesDrained: rapid.Bool().Draw(h.T, "drained"),
		TouchpointsDrained: rapid.Bool().Draw(h.T, "touches drained")})
	if len(events) == 0 {
		plan = h.shard.PlanAt(events, h.at, h.at)
	}
	for _, id := range plan.Missing {
		if err := h.shard.Load(id, h.blobs[id]); err != nil {
			h.Fatalf("load: %v", err)
		}
	}
	h.said = h.shard.Step(engine.Batch{CSN: h.csn + 1, Events: events, Plan: plan, Clock: h.at, Knowledge: h.learnt, RunID: sales.LiveRun})
	return plan
}

func (h *history) compare(want Decision) {
	got := h.said
	if d := diff(alertsInWords(want.Alerts), alertsInWords(got.Alerts)); d != "" {
		h.Fatalf("commit %d, alerts:\n%s", h.csn+1, d)
	}
	refused := []Refused(nil)
	for _, r := range got.Rejected {
		refused = append(refused, Refused{r.Event, r.Class})
	}
	if !slices.Equal(want.Refused, refused) || !slices.Equal(want.Late, got.Late) {
		h.Fatalf("commit %d: model refuses %v and finds late %v, the engine %v and %v", h.csn+1, want.Refused, want.Late, refused, got.Late)
	}
	var changed []string
	for _, c := range got.Changes {
		changed = append(changed, c.CustomerID)
	}
	if !slices.Equal(want.Changed, changed) {
		h.Fatalf("commit %d changes %v, with the engine %v", h.csn+1, want.Changed, changed)
	}
}

// alertsInWords is one line for each fact of each alert, sorted.
func alertsInWords(alerts []sales.Alert) []string {
	var lines []string
	for i := range alerts {
		for _, fact := range alertLines(&alerts[i]) {
			lines = append(lines, fmt.Sprintf("%s %s %s.%d %s", alerts[i].CustomerID, alerts[i].Kind, alerts[i].AlertID, alerts[i].Revision, fact))
		}
	}
	slices.Sort(lines)
	return lines
}

func (h *history) compareState(id string, blob []byte) {
	got, err := EngineState(blob, h.shard.Items())
	if err != nil {
		h.Fatalf("commit %d, %s: %v", h.csn, id, err)
	}
	if d := diff(h.model.State(id), got); d != "" {
		h.Fatalf("commit %d, state of %s:\n%s", h.csn, id, d)
	}
}

func (h *history) compareAll() {
	h.project()
	for _, id := range people {
		h.compareState(id, h.blobs[id])
	}
	for i, it := range h.model.items {
		if got := h.shard.Items().Item(window.ItemID(i)); got != it {
			h.Fatalf("item %d is %v, with the engine %v", i, it, got)
		}
	}
	if got := h.shard.Items().Len(); got != len(h.model.items) {
		h.Fatalf("%d items, with the engine %d", len(h.model.items), got)
	}
	if h.model.now != h.shard.Now() {
		h.Fatalf("the time is %d, with the engine %d", h.model.now, h.shard.Now())
	}
}
