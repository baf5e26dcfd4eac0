package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kadm"

	"leadline/internal/engine"
	"leadline/internal/sales"
)

func (w *world) whatIf(tr Trial, edit ...func(*Options)) *TrialReport {
	w.t.Helper()
	o := w.options()
	for _, e := range edit {
		e(&o)
	}
	r, err := WhatIf(context.Background(), o, tr)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func rulesBut(edit func(*engine.Rules)) Trial {
	return Trial{Rules: func(r engine.Rules) (engine.Rules, error) {
		edit(&r)
		return r, r.Validate()
	}}
}

func trialText(r *TrialReport) string {
	var b strings.Builder
	if err := r.WriteText(&b); err != nil {
		panic(err)
	}
	return b.String()
}

// whys counts the changes by verdict and reason.
func whys(r *TrialReport) map[string]int {
	m := map[string]int{}
	for _, g := range r.Groups {
		m[g.Verdict+" "+g.Why] += len(g.Changes)
	}
	return m
}

// With nothing changed nothing changes, and before is what was said.
func TestWhatIfNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.past()
		r := w.whatIf(rulesBut(func(*engine.Rules) {}))
		if len(r.Groups) > 0 || !r.Whole || !r.Reconciles {
			t.Errorf("%s", trialText(r))
		}
		said := int64(len(w.all("alerts.cross-sell")))
		if f := r.Flows[0]; f.Before.Said != said || f.After.Said != said || f.Kind != "cross-sell" {
			t.Errorf("%d were said, the report has %+v", said, f)
		}
	})
}

// Whatever is changed, the sums come out, each difference has a reason that fits what was changed, and the alerts that the other side
// would say are those of an engine that had had these rules.
func TestWhatIfExplained(t *testing.T) {
	remove := &LinkEdits{Links: map[string]*sales.Link{"cross-sell|category|cat-1|cat-6": nil, "cross-sell|category|cat-2|cat-7": nil}}
	strong := link("cat-3", "cat-4")
	strong.Score = 0.9
	for name, tc := range map[string]struct {
		trial Trial
		want  []string // of the reasons, those that must be there
		only  []string // beside want, those that may
	}{
		"cooldown": {rulesBut(func(r *engine.Rules) { r.CooldownDays = 60 }), []string{"gone cooldown"}, []string{"changed weighed", "added weighed", "gone weighed", "added outranked", "gone outranked", "added cap", "changed cap", "gone cap", "added cooldown", "changed cooldown", "changed link", "gone link", "added link", "changed silenced", "gone silenced", "added silenced"}},
		"no cap":   {rulesBut(func(r *engine.Rules) { r.Caps.CrossSell = 3 }), []string{"changed cap"}, []string{"changed weighed", "added cap", "gone cooldown", "added cooldown", "added outranked", "gone outranked", "gone cap", "changed cooldown"}},
		"cap 0":    {rulesBut(func(r *engine.Rules) { r.Caps.CrossSell = 0 }), []string{"changed cap", "gone cap"}, []string{"changed weighed", "added cap", "added cooldown", "added outranked", "gone outranked", "gone cooldown"}},
		"holdout":  {rulesBut(func(r *engine.Rules) { r.HoldoutShare = 0.9 }), []string{"changed holdout"}, nil},
		"expiry":   {rulesBut(func(r *engine.Rules) { r.ExpiryDays = 3 }), []string{"changed expiry"}, []string{"changed weighed", "changed cap", "added cap", "gone cap", "gone over", "added over", "gone cooldown", "added cooldown", "added outranked", "gone outranked", "gone expiry", "added expiry", "changed cooldown", "changed over", "changed outranked"}},
		"window": {rulesBut(func(r *engine.Rules) {
			r.WindowDays, r.CooldownDays, r.ExpiryDays, r.Declining.BaselineDays, r.Declining.RecentDays = 20, 20, 7, 10, 10
		}), []string{"changed window", "added held"}, nil},
		"links":    {Trial{Links: remove}, []string{"gone link"}, []string{"changed weighed", "added outranked", "added link", "gone outranked", "gone cap", "added cap", "changed cap", "changed link", "gone cooldown", "added cooldown", "added held"}},
		"new link": {Trial{Links: &LinkEdits{Links: map[string]*sales.Link{strong.Key(): strong}}}, []string{"added outranked"}, []string{"changed weighed", "gone outranked", "gone link", "added link", "gone cap", "added cap", "changed cap", "changed link", "gone cooldown", "added cooldown", "changed outranked"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.past()
				r := w.whatIf(tc.trial)
				if !r.Reconciles || !r.Whole || len(r.Groups) == 0 {
					t.Errorf("%s", trialText(r))
				}
				have := whys(r)
				for _, why := range tc.want {
					if have[why] == 0 {
						t.Errorf("nothing is %s: %v", why, have)
					}
				}
				for why := range have {
					if strings.Contains(why, whyUnknown) || tc.only != nil && !slices.Contains(tc.want, why) && !slices.Contains(tc.only, why) {
						t.Errorf("%d are %s: %v", have[why], why, have)
					}
				}
				for _, g := range r.Groups {
					for _, c := range g.Changes {
						if (c.Before == nil) != (c.Verdict == verdictAdded) || (c.After == nil) != (c.Verdict == verdictGone) || c.First == nil || whySentences[c.Why] == "" {
							t.Errorf("%+v", c)
						}
					}
				}
			})
		})
	}
}

// The before and after of a what-if are, alert by alert, what two shadows of their own decide.
func TestWhatIfAgainstTwoRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.past()
		tr := rulesBut(func(r *engine.Rules) { r.CooldownDays, r.ExpiryDays = 12, 9 })
		r := w.whatIf(tr)
		before, after := w.decided(nil), w.decided(tr.Rules)
		if len(before) == 0 || len(after) == 0 {
			t.Fatal("nothing was decided")
		}
		for _, g := range r.Groups {
			for _, c := range g.Changes {
				if (c.Before != nil) != (before[c.ID] != "") || (c.After != nil) != (after[c.ID] != "") {
					t.Errorf("%s %s: before %q, after %q", c.Verdict, c.ID, before[c.ID], after[c.ID])
				}
				if c.Verdict == verdictChanged && before[c.ID] == after[c.ID] {
					t.Errorf("%s is the same", c.ID)
				}
				delete(before, c.ID)
				delete(after, c.ID)
			}
		}
		if fmt.Sprint(before) != fmt.Sprint(after) {
			t.Error("what the report does not name is not the same")
		}
	})
}

// decided plays all shards under the given rules and gives the alerts by name.
func (w *world) decided(alter func(engine.Rules) (engine.Rules, error)) map[string]string {
	w.t.Helper()
	h, err := openHistory(w.t.Context(), w.options(), kadm.NewClient(w.Client))
	if err != nil {
		w.t.Fatal(err)
	}
	all := map[string]string{}
	for _, p := range h.shards {
		one, err := h.beginOnly(w.t.Context(), p)
		if err != nil {
			w.t.Fatal(err)
		}
		one.shadow.views[0].alter = alter
		for {
			j, err := one.journal.read(w.t.Context(), h.ends[journalTopic][p])
			if err != nil {
				w.t.Fatal(err)
			}
			if j == nil {
				break
			}
			done, err := one.shadow.Play(w.t.Context(), j)
			if err != nil {
				w.t.Fatal(err)
			}
			for i := range done.Decision.Alerts {
				all[alertName(&done.Decision.Alerts[i])] = string(plainJSON(done.Decision.Alerts[i]))
			}
			one.shadow.Commit()
		}
		one.close()
	}
	return all
}

// A what-if that was stopped goes on and comes to the same.
func TestWhatIfResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.past()
		tr := rulesBut(func(r *engine.Rules) { r.CooldownDays, r.ExpiryDays = 12, 9 })
		whole := w.whatIf(tr)
		dir := t.TempDir()
		for stop := int64(1); ; stop += 3 {
			ctx, cancel := context.WithCancel(t.Context())
			o := w.options()
			o.StateDir, o.saveEach = dir, -1
			played := int64(0)
			o.Progress = func(p Progress) {
				if played = p.Commits; played == 3 {
					cancel()
				}
			}
			r, err := WhatIf(ctx, o, tr)
			cancel()
			if errors.Is(err, context.Canceled) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			r.Took, whole.Took = 0, 0
			if got, want := plainJSON(r), plainJSON(whole); string(got) != string(want) {
				t.Errorf("stopped again and again\n%s\nin one go\n%s", trialText(r), trialText(whole))
			}
			if stop == 1 {
				t.Error("it was never stopped")
			}
			return
		}
	})
}

// Links come as lines, and what is wrong with one is said.
func TestReadLinks(t *testing.T) {
	good := `{"kind":"CROSS_SELL","level":"category","from":"A","to":"B","customers":9,"from_holders":5,"to_holders":4,"both":3,"confidence":0.6,"confidence_low":0.5,` +
		`"confidence_high":0.7,"baseline":0.4,"lift":1.5,"lift_low":1,"lift_high":2,"g_squared":12,"score":0.3,"learned_to":"2026-01-01T00:00:00Z"}`
	edits, err := ReadLinks(strings.NewReader(good + "\n\n" + `{"remove":"upsell|type|TEA"}` + "\n"))
	if err != nil || len(edits.Links) != 2 || edits.Links["cross-sell|category|A|B"].Score != 0.3 || !edits.covers("upsell|type|TEA") || edits.covers("x") {
		t.Errorf("%v, %+v", err, edits)
	}
	for text, says := range map[string]string{
		"":                                     "no link in it",
		good + "\n" + good:                     "line 2: cross-sell|category|A|B stands there twice",
		`{"kind":"CROSS_SELL"}`:                "line 1: ",
		"nonsense":                             "line 1: not a JSON object",
		strings.Replace(good, "0.6", "1.6", 1): "confidence",
		strings.Replace(good, `"both"`, `"bothh"`, 1): "both: required field is missing",
		strings.Replace(good, "category", "shelf", 1): "level",
	} {
		if _, err := ReadLinks(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", text, err, says)
		}
	}
}
