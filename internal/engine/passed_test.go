package engine

import (
	"fmt"
	"strings"
	"testing"

	"leadline/internal/sales"
)

// Rules as they were before caps could be set have the hash that they had, and are read as what they meant.
func TestRulesBeforeCaps(t *testing.T) {
	r := DefaultRules()
	if text := string(r.JSON()); strings.Contains(text, "caps") {
		t.Errorf("the rules with the caps that always were are written as %s", text)
	}
	for _, caps := range []CapRules{defaultCaps, {}, {CrossSell: 3, Upsell: 2}} {
		r.Caps = caps
		again, err := ParseRules(string(r.JSON()))
		if err != nil || again.Hash() != r.Hash() || again.Caps != caps {
			t.Errorf("%v, read again %v, %v", caps, again.Caps, err)
		}
	}
	r.Caps = CapRules{CrossSell: 4}
	if err := r.Validate(); err == nil || !strings.Contains(err.Error(), "caps: cross_sell 4") {
		t.Errorf("four at a time: %v", err)
	}
	if _, err := ParseRules("{"); err == nil {
		t.Error("half a text is no rules")
	}
}

// The days between two looks are no rule any more. Rules that name those that they are now have the hash they had; others are refused by name.
func TestRulesWhenLooksWereARule(t *testing.T) {
	then := DefaultRules()
	then.Links.MinG2, then.Links.MinSupport, then.Links.HalfLifeDays = 10.83, 20, 365 // were the defaults
	text := string(then.JSON())
	if !strings.Contains(text, `"look_every_days":7`) || then.Hash() != "84b6ece78ab80094" {
		t.Errorf("hash %s of %s", then.Hash(), text)
	}
	if r, err := ParseRules(text); err != nil || r.Hash() != then.Hash() || r.Links.HalfLifeDays != 365 || r.Links.MaxCandidates != 512 {
		t.Errorf("read again %s, %v, %+v", r.Hash(), err, r.Links)
	}
	_, err := ParseRules(strings.Replace(text, `"look_every_days":7`, `"look_every_days":1`, 1))
	if err == nil || !strings.Contains(err.Error(), "declining.look_every_days 1: this release looks every 7 days") {
		t.Errorf("daily looks: %v", err)
	}
}

// A shard that is asked says what it thought of, and under which rule it did not say it; one that is not asked decides the same.
func TestPassed(t *testing.T) {
	k := emptyKnowledge()
	for _, l := range []sales.Link{{From: "PASTA", To: "SAUCE", Score: 3}, {From: "PASTA", To: "CHEESE", Score: 2}, {From: "TEA", To: "MILK", Score: 1}} {
		l.Kind, l.Level, l.Confidence = sales.CrossSellLink, sales.LevelCategory, 0.5
		k.Links.Set(l)
	}
	var told []string
	story := func(explain bool) (said string) {
		r := newRig(t, k)
		rules := testRules()
		rules.HoldoutShare, rules.ExpiryDays, rules.CooldownDays = 0, 3, 20
		r.shard.SetRules(rules)
		for i, item := range []string{"CHEESE", "PASTA", "TEA", "TEA", "PASTA", "PASTA"} {
			day := firstDay + sales.Day(i)
			if i == 4 {
				day += 10
			}
			at := sales.Calendar{}.Start(day)
			events := []sales.Event{{Kind: sales.PurchaseEvent, Purchase: &sales.Purchase{EventID: fmt.Sprint(i), CustomerID: "anna", OccurredAt: at,
				OrderID: fmt.Sprint(i), Currency: "EUR", Lines: []sales.Line{{ProductID: item, Category: item, Quantity: 1, AmountMinor: 100}}}}}
			p := r.shard.PlanAt(events, at, at)
			r.load(p)
			d := r.shard.Step(Batch{CSN: r.csn + 1, Events: events, Plan: p, Clock: farClock, Knowledge: k, RunID: "live", Explain: explain})
			r.shard.Commit()
			r.csn++
			for _, a := range d.Alerts {
				said += fmt.Sprintln(a.AlertID, a.Revision, a.ToProduct, a.SuppressedBy)
			}
			for _, p := range d.Passed {
				told = append(told, fmt.Sprintf("%d %s %s %s", i, p.Kind, p.Item, p.Why))
			}
		}
		return said
	}
	plain := story(false)
	if len(told) != 0 {
		t.Errorf("told without being asked: %q", told)
	}
	if asked := story(true); asked != plain || plain == "" {
		t.Errorf("asked it decides\n%s, else\n%s", asked, plain)
	}
	want := []string{"1 cross-sell CHEESE held", "2 cross-sell SAUCE cooldown", "2 cross-sell CHEESE held", "3 cross-sell SAUCE cooldown",
		"3 cross-sell CHEESE held", "3 cross-sell MILK cap", "4 cross-sell SAUCE cooldown", "4 cross-sell CHEESE held", "5 cross-sell  over", "5 upsell  over"}
	var got []string
	for _, line := range told {
		if !strings.Contains(line, "declining") {
			got = append(got, line)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("told %q\nwant %q", got, want)
	}
}
