package analyst

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"

	"leadline/internal/channel"
	"leadline/internal/declining"
	"leadline/internal/engine"
	"leadline/internal/sales"
)

// An alert about a channel names who is missed, in the windows that were tested; if nobody can tell in time, it names nobody.
func TestAChannelsMembersAreNamed(t *testing.T) {
	t.Parallel()
	r := channel.DefaultRules()
	week := sales.Day(20_000).Week()
	recent := declining.Window{From: weekStart(week - 3), To: weekStart(week+1) - 1}
	baseline := declining.Window{From: recent.From - 140, To: recent.From - 1}
	var asked Channel
	answer := func(context.Context, Channel) ([]Member, error) {
		return []Member{{"c-1", "Anna Bauer", 1, 10}, {"c-2", "", 0, 4}}, nil
	}
	s := &session{Analyst: &Analyst{log: zap.NewNop()}}
	s.deps.Members = func(ctx context.Context, of Channel) ([]Member, error) {
		asked = of
		return answer(ctx, of)
	}
	reasons, missing := s.named(t.Context(), &channel.Saying{Finding: channel.Finding{Channel: engine.AttributeRow + "age=25=34", Before: 400, Expected: 100}}, week, r)
	want := []sales.Reason{
		{Code: "member", Value: 1, Baseline: 2.5, Text: "Anna Bauer (c-1): on 1 days recently, where 2.5 were to be expected after 10 before."},
		{Code: "member", Value: 0, Baseline: 1, Text: "c-2: on 0 days recently, where 1.0 were to be expected after 4 before."},
	}
	if diff := cmp.Diff(want, reasons); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]float64{"missing_days:c-1": 1.5, "missing_days:c-2": 1}, missing); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(Channel{Attribute: "age", Value: "25=34", Recent: recent, Baseline: baseline}, asked); diff != "" {
		t.Error(diff)
	}
	answer = func(ctx context.Context, _ Channel) ([]Member, error) {
		if _, bounded := ctx.Deadline(); !bounded {
			t.Error("whoever is asked may take for ever")
		}
		return nil, errors.New("still reading")
	}
	ctx, cancel := context.WithTimeout(t.Context(), requestTimeout)
	defer cancel()
	if reasons, missing = s.named(ctx, &channel.Saying{Finding: channel.Finding{Channel: engine.CategoryRow + "BREAD"}}, week, r); len(reasons)+len(missing) > 0 || asked.Category != "BREAD" || asked.Attribute != "" {
		t.Errorf("%v %v of %+v", reasons, missing, asked)
	}
}
