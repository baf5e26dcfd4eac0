package analyst

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"leadline/internal/channel"
	"leadline/internal/declining"
	"leadline/internal/engine"
	"leadline/internal/feedback"
	"leadline/internal/sales"
)

// Channel asks who of a channel is missed.
type Channel struct {
	Category         string
	Attribute, Value string // if it is no category
	Recent, Baseline declining.Window
}

// Member is a customer of a channel that is missed.
type Member struct {
	CustomerID, Name string
	Recent, Before   int32 // purchase days
}

// ShownMembers is how many an alert names.
const ShownMembers = 10

// named are the channel's customers who are missed most, as reasons, and by how many purchase days each. If nobody can tell in half of the time that is left, the
// alert is said without.
func (s *session) named(ctx context.Context, said *channel.Saying, week int32, r channel.Rules) (reasons []sales.Reason, missing map[string]float64) {
	if s.deps.Members == nil {
		return nil, nil
	}
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(deadline)/2)
		defer cancel()
	}
	split, end := weekStart(week+1-int32(r.RecentWeeks)), weekStart(week+1)
	of := Channel{Recent: declining.Window{From: split, To: end - 1}, Baseline: declining.Window{From: split - sales.Day(7*r.BaselineWeeks), To: split - 1}}
	if category, ok := strings.CutPrefix(said.Channel, engine.CategoryRow); ok {
		of.Category = category
	} else {
		of.Attribute, of.Value, _ = strings.Cut(strings.TrimPrefix(said.Channel, engine.AttributeRow), "=")
	}
	members, err := s.deps.Members(ctx, of)
	if err != nil {
		s.log.Warn("an alert about a channel does not name its customers", zap.String("channel", said.Channel), zap.Error(err))
		return nil, nil
	}
	missing = map[string]float64{}
	for _, m := range members {
		called := m.CustomerID
		if m.Name != "" {
			called = fmt.Sprintf("%s (%s)", m.Name, m.CustomerID)
		}
		expected := float64(m.Before) * said.Expected / float64(said.Before) // as of the channel as a whole
		reasons = append(reasons, sales.Reason{Code: "member", Value: float64(m.Recent), Baseline: expected,
			Text: fmt.Sprintf("%s: on %d days recently, where %.1f were to be expected after %d before.", called, m.Recent, expected, m.Before)})
		missing["missing_days:"+m.CustomerID] = expected - float64(m.Recent)
	}
	return reasons, missing
}

// membersOf says how many customers the channel has, and what is known of how it has responded.
func (s *session) membersOf(row string) []sales.Reason {
	sums := s.memory.sums
	category, isCategory := strings.CutPrefix(row, engine.CategoryRow)
	members := sums.rows[rowKey{kind: sales.TallyActivity, row: row}][column{engine.AttributeMembers, 0}]
	if isCategory && s.deps.Rules().Level == sales.LevelCategory {
		members = sums.counts.Holders(category)
	}
	var reasons []sales.Reason
	if members > 0 {
		reasons = append(reasons, sales.Reason{Code: "members", Text: fmt.Sprintf("%d customers belong to it.", members), Value: float64(members)})
	}
	rows, what := []string{row}, "alerts about its customers"
	if isCategory {
		rows, what = []string{feedback.Row(sales.CrossSell, category), feedback.Row(sales.Upsell, category)}, "offers of it"
	}
	if won, judged := sums.responses(rows); judged > 0 {
		reasons = append(reasons, sales.Reason{Code: "response", Value: float64(won) / float64(judged),
			Text: fmt.Sprintf("Of %d %s that reps have reported on, %d led to a sale.", judged, what, won)})
	}
	return reasons
}

// responses counts the alerts of rows that reps have reported on, and how many of them led to a sale.
func (s *sums) responses(rows []string) (won, judged int64) {
	for _, row := range rows {
		for at, n := range s.rows[rowKey{kind: sales.TallyActivity, row: row}] {
			switch at.col {
			case engine.Won.String():
				won += n
			case feedback.OfUse, feedback.NotUseful:
				judged += n
			}
		}
	}
	return max(0, won), max(0, judged)
}
