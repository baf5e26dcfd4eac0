package reference

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/cespare/xxhash/v2"
	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/sales"
	"leadline/internal/wire"
)

// wantedLetter is a record that must be on dead-letters or late-events.
type wantedLetter struct {
	topic   string
	class   sales.DeadLetterClass
	content uint64 // of key and value
}

func (l wantedLetter) lines() []string {
	return []string{"class " + string(l.class), fmt.Sprintf("content %x", l.content), "on " + l.topic}
}

func contentOf(rec *kgo.Record) uint64 {
	return xxhash.Sum64(fmt.Appendf(nil, "%q %q %t", rec.Key, rec.Value, rec.Value == nil))
}

// letters are the refused records that the topics have, by where they stood.
type letters map[sales.Source][]letter

type letter struct {
	wantedLetter
	reason string
	at     string
}

func (v *verification) readLetters(ctx context.Context) (letters, error) {
	live := letters{}
	return live, v.read(ctx, func(topic string, rec *kgo.Record) error {
		var why wire.Refusal
		for _, h := range rec.Headers {
			why.Take(h.Key, h.Value)
		}
		live[why.Source] = append(live[why.Source], letter{wantedLetter{topic, why.Class, contentOf(rec)}, why.Reason,
			fmt.Sprintf("%s-%d at %d", topic, rec.Partition, rec.Offset)})
		return nil
	}, deadLettersTopic, lateEventsTopic)
}

func (v *verification) compareLetters(live letters) {
	for _, from := range slices.SortedFunc(maps.Keys(live), compareSources) {
		if v.unfollowed[from.Partition] {
			continue
		}
		v.report.Letters.Live += len(live[from])
		want, ok := v.refused[from]
		for i, l := range live[from] {
			switch d := diff(want.lines(), l.lines()); {
			case !ok:
				v.report.Letters.foreign("%v, %s (%s), %s", from, l.class, l.reason, l.at)
			case i > 0:
				v.report.Letters.duplicated("%v, %s, %s", from, l.class, l.at)
			case d != "":
				v.report.Letters.different("%v, %s (%s):\n%s", from, l.at, l.reason, d)
			}
		}
	}
	for _, from := range slices.SortedFunc(maps.Keys(v.refused), compareSources) {
		if v.report.Letters.Wanted++; len(live[from]) == 0 && !v.unfollowed[from.Partition] {
			v.report.Letters.lost("%v, %s", from, v.refused[from].class)
		}
	}
}

func compareSources(a, b sales.Source) int {
	return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
}
