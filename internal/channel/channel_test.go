package channel_test

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"leadline/internal/activity"
	"leadline/internal/channel"
)

// A channel goes quiet in week 40, everyone else goes on; in week 60 it is back. Another falls only as everyone does in week 50, which is none.
func TestAChannelGoesQuietAndComesBack(t *testing.T) {
	r := channel.DefaultRules()
	everyone, bread, milk := channel.Weeks{}, channel.Weeks{}, channel.Weeks{}
	for week := range int32(80) {
		bread[week], milk[week] = 30, 40
		if week >= 40 && week < 60 {
			bread[week] = 3
		}
		if week >= 50 {
			milk[week] /= 2
			bread[week] /= 2
		}
		everyone[week] = 500
		if week >= 50 {
			everyone[week] = 250
		}
	}
	episodes := map[string]channel.Episode{}
	var said []string
	for week := int32(24); week < 80; week++ {
		for _, s := range channel.Decide(episodes, channel.Test(everyone, map[string]channel.Weeks{"bread": bread, "milk": milk}, episodes, week, r), week, r) {
			said = append(said, fmt.Sprintf("%d %s %s %d", week, s.Channel, s.Status, s.Revision))
		}
	}
	if got := fmt.Sprint(said); got != "[42 bread OPENED 1 62 bread RESOLVED 2]" {
		t.Errorf("%s", got)
	}
	if ep := episodes["bread"]; ep.Times != 1 || ep.Returned != 1 || ep.Open {
		t.Errorf("%+v", ep)
	}
}

// What stays quiet, here at a tenth of what it was, does not count as back because one has got used to it. After half a year it has gone for good.
func TestAChannelIsGone(t *testing.T) {
	r := channel.DefaultRules()
	everyone, bread := channel.Weeks{}, channel.Weeks{}
	for week := range int32(80) {
		everyone[week], bread[week] = 500, 30
		if week >= 40 {
			bread[week] = 3
		}
	}
	episodes := map[string]channel.Episode{}
	var said []string
	for week := int32(24); week < 80; week++ {
		for _, s := range channel.Decide(episodes, channel.Test(everyone, map[string]channel.Weeks{"bread": bread}, episodes, week, r), week, r) {
			said = append(said, fmt.Sprint(week, s.Status))
		}
	}
	if got := fmt.Sprint(said); got != "[42 OPENED 66 EXPIRED]" {
		t.Errorf("%s", got)
	}
}

// The test is activity's, against all others, and q is Benjamini and Hochberg's: written down once more as their paper has it.
func TestFindings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := channel.Rules{RecentWeeks: 2, BaselineWeeks: 3, MaxQ: 0.05, MinDrop: 0.3, MinDays: 5}
		everyone, channels := channel.Weeks{}, map[string]channel.Weeks{}
		for week := range int32(6) {
			everyone[week] = int64(rapid.IntRange(0, 300).Draw(t, "everyone"))
		}
		for i := range rapid.IntRange(0, 8).Draw(t, "channels") {
			days := channel.Weeks{}
			for week := range int32(6) {
				days[week] = int64(rapid.IntRange(0, int(everyone[week])).Draw(t, "days"))
			}
			channels[fmt.Sprint("c", i)] = days
		}
		found := channel.Test(everyone, channels, nil, 5, r)
		last := ""
		for _, f := range found {
			c := channels[f.Channel]
			recent, before := c[4]+c[5], c[1]+c[2]+c[3]
			others, othersBefore := float64(everyone[4]+everyone[5]-recent), float64(everyone[1]+everyone[2]+everyone[3]-before)
			if f.Recent != recent || f.Before != before || f.P != activity.Decline(int(recent), int(before), others, othersBefore) || f.Channel <= last {
				t.Fatalf("%+v", f)
			}
			last = f.Channel
			q := 1.0
			for _, other := range found { // the least rate over all thresholds that would take it
				if other.P >= f.P {
					rank := 0
					for _, third := range found {
						if third.P <= other.P {
							rank++
						}
					}
					q = min(q, other.P*float64(len(found))/float64(rank))
				}
			}
			if math.Abs(q-f.Q) > 1e-12 {
				t.Fatalf("q of %s is %g, want %g", f.Channel, f.Q, q)
			}
		}
	})
}

func TestWhatIsNotTested(t *testing.T) {
	r := channel.DefaultRules()
	alone := channel.Weeks{}
	for week := range int32(30) {
		alone[week] = 10
	}
	if found := channel.Test(alone, map[string]channel.Weeks{"all there is": alone, "small": {5: 3}}, nil, 29, r); len(found) > 0 {
		t.Errorf("%+v", found)
	}
}
