package reference

import (
	"fmt"
	"slices"
	"strings"

	"leadline/internal/engine"
	"leadline/internal/sales"
	"leadline/internal/window"
)

// A customer's state in words, one fact a line, sorted: the model's and the engine's are compared line by line.

// State is what the model holds of a customer; nil when that is nothing.
func (m *Model) State(customerID string) []string {
	c := m.customers[customerID]
	if c == nil || c.empty() {
		return nil
	}
	lines := headLines(c.csn, c.day, c.look, c.owner, c.rep, c.contact, c.currency)
	lines = append(lines, fmt.Sprintf("segments %q", c.segments))
	lines = append(lines, lastLine(c.last.event, c.last.at, c.last.source.Partition, c.last.source.Offset))
	for _, p := range c.purchases {
		lines = append(lines, purchaseLine(p.day, p.refund, p.event, p.order))
	}
	for day, items := range c.bought {
		for it, s := range items {
			lines = append(lines, boughtLine(day, it, s.count, s.amount))
		}
	}
	for it, p := range c.past {
		lines = append(lines, pastLine(it, p))
	}
	lines = append(lines, lifetimeLine(c.before))
	for t, n := range c.touches {
		lines = append(lines, touchLine(t.day, t.kind, t.about, n))
	}
	for _, e := range c.open {
		lines = append(lines, episodeLine(e))
	}
	for _, s := range c.said {
		lines = append(lines, saidLine(&s))
	}
	for i := range c.reports {
		lines = append(lines, reportLine(&c.reports[i]))
	}
	for i := range c.watched {
		lines = append(lines, watchedLine(&c.watched[i]))
	}
	slices.Sort(lines)
	return lines
}

// EngineState is what the engine's blob says of a customer; nil for no blob.
func EngineState(blob []byte, items *window.Items) ([]string, error) {
	if blob == nil {
		return nil, nil
	}
	c, err := engine.DecodeCustomer(blob, items)
	if err != nil {
		return nil, err
	}
	w := &c.Window
	lines := headLines(c.CSN, c.Day, c.LookDay, c.OwnerID, c.Rep, c.Contact, w.Currency())
	lines = append(lines, fmt.Sprintf("segments %q", c.Segments))
	lines = append(lines, lastLine(w.Last().Event, w.Last().At, w.Last().Partition, w.Last().Offset))
	for _, o := range w.Orders() {
		lines = append(lines, purchaseLine(o.Day, o.Refund, o.Event, o.Number))
	}
	for _, l := range w.Lines() {
		lines = append(lines, boughtLine(l.Day, items.Item(l.Item), l.Count, l.AmountMinor))
	}
	for _, p := range w.Past() {
		lines = append(lines, pastLine(items.Item(p.Item), past{p.Days, p.Last}))
	}
	lines = append(lines, lifetimeLine(lifetime{c.FirstDay, c.DaysEver, c.Offered, c.TakenUp}))
	for _, t := range w.Touches() {
		about := ""
		if t.About != window.NoItem {
			about = items.Item(t.About).Category
		}
		lines = append(lines, touchLine(t.Day, t.Kind, about, t.Count))
	}
	for _, e := range c.Open {
		lines = append(lines, episodeLine(episodeOf(&e, items)))
	}
	for i := range c.Reports {
		lines = append(lines, reportLine(reportOf(&c.Reports[i], items)))
	}
	for _, w := range c.Watched {
		lines = append(lines, watchedLine(&watched{to: offered(sales.CrossSell, w.Item, items), day: w.Day, expiry: w.ExpiryDay, code: w.Code}))
	}
	for _, s := range c.Said {
		lines = append(lines, saidLine(&said{kind: s.Kind, capped: s.Capped, to: offered(s.Kind, s.Item, items), day: s.Day, event: s.Event}))
	}
	slices.Sort(lines)
	return lines, nil
}

func episodeOf(e *engine.Episode, items *window.Items) *episode {
	return &episode{kind: e.Kind, event: e.Event, from: offered(e.Kind, e.From, items), to: offered(e.Kind, e.To, items),
		day: e.Day, expiry: e.ExpiryDay, score: float64(e.Score) / 50_000, suppressed: e.Suppressed, updates: int(e.Updates), code: e.Code}
}

func reportOf(r *engine.Report, items *window.Items) *report {
	own := &report{event: r.Event, result: r.Result.String(), undone: r.Undone, day: r.Day, kind: r.Kind, to: offered(r.Kind, r.Item, items), opened: r.Opened,
		until: r.Until, rep: r.Rep}
	if r.Result == engine.NoResult {
		own.result = ""
	}
	if r.Ended != nil {
		own.ended = episodeOf(r.Ended, items)
	}
	return own
}

// offered is what an id in an episode names: of a cross-sell only the product, type, category or department, of an upsell type and tier.
func offered(kind sales.AlertKind, id window.ItemID, items *window.Items) name {
	if id == window.NoItem {
		return name{}
	}
	it := items.Item(id)
	for _, level := range sales.LinkLevels() {
		if text := called(level, it); kind == sales.CrossSell && text != "" && it == standing(level, text) {
			return name{level: level, text: text}
		}
	}
	return name{level: sales.LevelType, text: it.Type, tier: it.Tier}
}

func headLines(csn int64, day, look sales.Day, owner, rep string, contact engine.Consent, currency string) []string {
	return []string{fmt.Sprintf("changed last in commit %d", csn), "time " + day.String(), "look " + look.String(),
		fmt.Sprintf("owner %q", owner), fmt.Sprintf("assigned to %q", rep), fmt.Sprintf("contact %d", contact), "currency " + currency}
}

func lastLine(event uint64, at sales.Millis, partition int32, offset int64) string {
	return fmt.Sprintf("last order %x of %d, in partition %d at %d", event, at, partition, offset)
}

func purchaseLine(day sales.Day, refund bool, event uint64, order uint32) string {
	if refund {
		return fmt.Sprintf("refund %x on %s", event, day)
	}
	return fmt.Sprintf("order %x on %s, number %x", event, day, order)
}

func boughtLine(day sales.Day, it window.Item, count, amount int64) string {
	return fmt.Sprintf("bought on %s %s: %d for %d", day, words(it), count, amount)
}

func pastLine(it window.Item, p past) string {
	return fmt.Sprintf("bought before %s: on %d days, last on %s", words(it), p.days, p.last)
}

func words(it window.Item) string {
	return fmt.Sprintf("%q of type %q, tier %d, product %q, department %q", it.Category, it.Type, it.Tier, it.Product, it.Department)
}

func lifetimeLine(h lifetime) string {
	return fmt.Sprintf("orders on %d days, first on %s; %d offers, %d taken up", h.days, h.first, h.offered, h.taken)
}

func touchLine(day sales.Day, kind sales.TouchKind, about string, n uint32) string {
	return fmt.Sprintf("touch on %s %s about %q: %d", day, kind, about, n)
}

func episodeLine(e *episode) string {
	until := "for good"
	if e.expiry != 0 {
		until = "until " + e.expiry.String()
	}
	return fmt.Sprintf("open %s from %s to %s, by %x, on %s %s, score %g of code %d %s, %d updates", e.kind, e.from, e.to, e.event, e.day, until, e.score,
		e.code, e.suppressed, e.updates)
}

func saidLine(s *said) string {
	capped := ""
	if s.capped {
		capped = ", held back"
	}
	return fmt.Sprintf("said %s of %s, by %x, on %s%s", s.kind, s.to, s.event, s.day, capped)
}

func (n name) String() string {
	if n == (name{}) {
		return "nothing"
	}
	return fmt.Sprintf("%s %q tier %d", n.level, n.text, n.tier)
}

// diff gives the lines that only one of two sorted lists has, and whose they are; empty when the lists are equal.
func diff(want, got []string) string {
	var b strings.Builder
	for len(want) > 0 || len(got) > 0 {
		switch {
		case len(got) == 0 || len(want) > 0 && want[0] < got[0]:
			fmt.Fprintf(&b, "    model: %s\n", want[0])
			want = want[1:]
		case len(want) == 0 || got[0] < want[0]:
			fmt.Fprintf(&b, "    live:  %s\n", got[0])
			got = got[1:]
		default:
			want, got = want[1:], got[1:]
		}
	}
	return b.String()
}

// alertLines are an alert's facts: all but its words.
func alertLines(a *sales.Alert) []string {
	value := "unknown"
	if a.ExpectedValueMinor != nil {
		value = fmt.Sprintf("%d %s", *a.ExpectedValueMinor, a.Currency)
	}
	lines := []string{fmt.Sprintf("id %s revision %d", a.AlertID, a.Revision), "kind " + a.Kind.String(), "status " + a.Status.String(),
		fmt.Sprintf("subject %s %q, customer %q, owner %q", a.SubjectType, a.SubjectID, a.CustomerID, a.OwnerID),
		fmt.Sprintf("score %g, grade %s", a.Score, a.Grade), "expected value " + value,
		fmt.Sprintf("window from %d to %d", a.WindowStart, a.WindowEnd), fmt.Sprintf("event time %d", a.EventTime),
		fmt.Sprintf("detected at %d", a.DetectedAt), fmt.Sprintf("expires at %d", a.ExpiresAt),
		fmt.Sprintf("products %q to %q", a.FromProduct, a.ToProduct), fmt.Sprintf("campaign %q, series %q", a.CampaignID, a.Series),
		fmt.Sprintf("arm %s of %g", a.Arm, a.Propensity), "knowledge " + a.KnowledgeVersion, "run " + a.RunID,
		fmt.Sprintf("suppressed by %q", a.SuppressedBy)}
	for i, r := range a.Reasons {
		lines = append(lines, fmt.Sprintf("reason %d %s %v", i, r.Code, r.Evidence))
	}
	slices.Sort(lines)
	return lines
}
