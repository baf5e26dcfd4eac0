package analyst

import (
	"context"
	"fmt"
	"maps"
	"math"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/channel"
	"leadline/internal/engine"
	"leadline/internal/sales"
	"leadline/internal/wire"
)

// quiet is what the analyst remembers of channels: rows of kind channelsKind in leadline.knowledge-state, so that an alert is said in the transaction that
// remembers it.
type quiet struct {
	tested   int32 // the last week that was put to the test; 0 = none
	episodes map[string]channel.Episode
}

const channelsKind sales.TallyKind = "channels"

// Columns of a channel's row; the row without a name has testedCol.
const (
	testedCol   = "tested"
	openCol     = "open"
	openedCol   = "opened"
	endedCol    = "ended"
	revisionCol = "revision"
	timesCol    = "times"
	returnedCol = "returned"
)

func (q *quiet) restore(row *wire.KnowledgeRow) {
	cells := map[string]int64{}
	for _, c := range row.Cells {
		cells[c.Col] = c.N
	}
	if row.Row == "" {
		q.tested = int32(cells[testedCol])
		return
	}
	q.episodes[strings.Clone(row.Row)] = channel.Episode{Open: cells[openCol] == 1, Opened: int32(cells[openedCol]), Ended: int32(cells[endedCol]),
		Revision: int32(cells[revisionCol]), Times: cells[timesCol], Returned: cells[returnedCol]}
}

// quietRow is what restore reads.
func quietRow(name string, ep channel.Episode) wire.KnowledgeRow {
	open := int64(0)
	if ep.Open {
		open = 1
	}
	return wire.KnowledgeRow{Kind: channelsKind, Row: name, Cells: []sales.Cell{{Col: endedCol, N: int64(ep.Ended)}, {Col: openCol, N: open}, {Col: openedCol, N: int64(ep.Opened)},
		{Col: returnedCol, N: ep.Returned}, {Col: revisionCol, N: int64(ep.Revision)}, {Col: timesCol, N: ep.Times}}}
}

// addChannels puts every channel to the test for each week that is over since the last one, and says which have gone quiet and which are back.
func (s *session) addChannels(ctx context.Context, e *edition) error {
	e.quiet = s.memory.quiet
	last := s.completeBefore().Week() - 1
	if last <= e.quiet.tested {
		return nil
	}
	everyone, channels := s.memory.sums.channels()
	if len(channels) == 0 {
		return nil
	}
	e.quiet.episodes = maps.Clone(e.quiet.episodes)
	rules := s.deps.Channels()
	for week := max(e.quiet.tested+1, firstWeek(channels)+int32(rules.RecentWeeks+rules.BaselineWeeks)); week <= last; week++ {
		found := channel.Test(everyone, channels, e.quiet.episodes, week, rules)
		for _, said := range channel.Decide(e.quiet.episodes, found, week, rules) {
			a := s.quietAlert(&said, week, rules)
			if week == last && said.Status == sales.Opened { // of weeks long ago nobody knows any more who was missed
				named, missing := s.named(ctx, &said, week, rules)
				a.Reasons = append(a.Reasons, named...)
				a.Details = a.Details.With(missing)
			}
			if err := s.addQuiet(e, &said, a); err != nil {
				return err
			}
		}
	}
	e.quiet.tested = last
	return s.addQuietRow(e, wire.KnowledgeRow{Kind: channelsKind, Cells: []sales.Cell{{Col: testedCol, N: int64(last)}}})
}

func (s *session) addQuietRow(e *edition, row wire.KnowledgeRow) error {
	value, err := s.deps.Encoder.AppendKnowledgeRow(nil, &row)
	if err == nil {
		e.add(s.topics.state, string(channelsKind)+"|"+row.Row, value)
	}
	return err
}

// firstWeek is the first of which anything is known, and that perhaps in part: it counts for nothing.
func firstWeek(channels map[string]channel.Weeks) int32 {
	first := int32(math.MaxInt32)
	for _, weeks := range channels {
		first = min(first, weeks.First())
	}
	return first
}

// channels gives the purchase days of everyone, and of each channel, by week.
func (s *sums) channels() (everyone channel.Weeks, channels map[string]channel.Weeks) {
	everyone, channels = channel.Weeks{}, map[string]channel.Weeks{}
	for day, n := range s.days() {
		everyone[day.Week()] += n
	}
	for name, row := range s.activity() {
		if !strings.HasPrefix(name, engine.CategoryRow) && !strings.HasPrefix(name, engine.AttributeRow) {
			continue
		}
		weeks := channel.Weeks{}
		for at, n := range row {
			if at.col == "" {
				weeks[at.bucket] += n
			}
		}
		channels[name] = weeks
	}
	return everyone, channels
}

// addQuiet says one alert, and remembers that it was said.
func (s *session) addQuiet(e *edition, said *channel.Saying, a *sales.Alert) error {
	value, err := s.deps.Encoder.AppendAlert(nil, a)
	if err != nil {
		return err
	}
	rec := &kgo.Record{Topic: s.topics.channelAlerts, Key: []byte(a.SubjectID), Value: value}
	for _, h := range wire.CloudEvent(a, s.topics.source) {
		rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	e.records = append(e.records, rec)
	return s.addQuietRow(e, quietRow(said.Channel, said.Episode))
}

// quietAlert puts a saying into words. The episode is named by the week in which the channel went quiet.
func (s *session) quietAlert(said *channel.Saying, week int32, r channel.Rules) *sales.Alert {
	name, what := channelName(said.Channel)
	calendar := s.cfg.Calendar
	over := calendar.Start(weekStart(week + 1))
	a := &sales.Alert{AlertID: engine.EpisodeID(s.cfg.Prefix, sales.Channel, name, uint64(said.Opened)).String(), Revision: said.Revision, Kind: sales.Channel, Status: said.Status,
		SubjectType: "channel", SubjectID: name, WindowStart: calendar.Start(weekStart(week + 1 - int32(r.RecentWeeks+r.BaselineWeeks))), WindowEnd: over,
		EventTime: over, DetectedAt: max(over, s.memory.sums.reached(sales.TallyActivity)), Arm: sales.Treatment, Propensity: 1,
		KnowledgeVersion: fmt.Sprintf("%s:%d", s.topics.of(sales.TallyActivity), s.memory.sums.progress[sales.TallyActivity].next), RunID: sales.LiveRun}
	details := map[string]float64{"weeks_quiet": float64(week - said.Opened), "times_quiet": float64(said.Times), "times_back": float64(said.Returned)}
	if said.Status == sales.Expired {
		a.Title = fmt.Sprintf("%s has been quiet for %d weeks: it is not compared any more.", what, week-said.Opened)
		a.Reasons = []sales.Reason{{Code: "gone", Text: a.Title, Value: float64(week - said.Opened)}}
		a.Grade, a.Details = engine.Grade(a.Kind, a.Score), sales.NumbersOf(details)
		return a
	}
	a.Score = math.Max(0, math.Min(0.99, said.Missing()))
	a.Grade = engine.Grade(a.Kind, a.Score)
	verb := "has gone quiet"
	if said.Status == sales.Resolved {
		verb = "is back"
	}
	a.Title = fmt.Sprintf("%s %s: %d purchase days in the last %d weeks, where %.0f were to be expected.", what, verb, said.Recent, r.RecentWeeks, said.Expected)
	code := map[sales.AlertStatus]string{sales.Opened: "fewer_purchase_days", sales.Resolved: "came_back"}[said.Status]
	a.Reasons = []sales.Reason{{Code: code, Value: float64(said.Recent), Baseline: said.Expected, Weight: 1 - said.P,
		Text: fmt.Sprintf("%d days with a purchase in %d weeks, after %d in the %d before.", said.Recent, r.RecentWeeks, said.Before, r.BaselineWeeks)}}
	if said.Status == sales.Opened {
		a.Reasons = append(a.Reasons, seasonOf(said))
	}
	a.Reasons = append(a.Reasons, s.membersOf(said.Channel)...)
	if said.Times > 1 {
		a.Reasons = append(a.Reasons, sales.Reason{Code: "before", Value: float64(said.Returned), Baseline: float64(said.Times - 1),
			Text: fmt.Sprintf("It was quiet %d times before, and has come back %d times.", said.Times-1, said.Returned)})
	}
	maps.Copy(details, map[string]float64{"recent_days": float64(said.Recent), "baseline_days": float64(said.Before), "expected_days": said.Expected,
		"p_value": said.P, "q_value": said.Q, "moves": said.Moves})
	a.Details = sales.NumbersOf(details)
	return a
}

// seasonOf says what is known of the channel's season.
func seasonOf(said *channel.Saying) sales.Reason {
	if said.LastYear >= 0 {
		return sales.Reason{Code: "last_year", Value: float64(said.Recent), Baseline: float64(said.LastYear),
			Text: fmt.Sprintf("In the same weeks of last year, give or take a few, there were at least %d days with a purchase.", said.LastYear)}
	}
	return sales.Reason{Code: "no_year", Value: said.Moves,
		Text: "There is no year of history to tell a season by: it may be that one has come to its end, though the channel has never been as low before."}
}

// weekStart is the Monday with which a week begins.
func weekStart(week int32) sales.Day { return sales.Day(7*week - 3) }

// channelName gives the subject of a channel's row, and what a rep would call it.
func channelName(row string) (subject, words string) {
	if category, ok := strings.CutPrefix(row, engine.CategoryRow); ok {
		return "category=" + category, "Category " + category
	}
	segment := strings.TrimPrefix(row, engine.AttributeRow)
	return segment, "The customers with " + segment
}
