package deadletter

import (
	"context"
	"errors"
	"slices"
)

// maxSteps bounds a history: a letter that was sent again so often has other troubles.
const maxSteps = 100

// Step is one refusal in a record's history. Its Source says where the record stood when it was refused: for all but the first, where and
// when (SourceTime) it had been sent again.
type Step struct {
	Letter      // brief
	Gone   bool // the letter is no longer kept; only its Position is known
}

// history follows the headers back to the first refusal, and what was sent from the letter forward to the last. Producers can write
// any header, so a chain that leads in a circle ends where it would begin again.
func (b *Box) history(ctx context.Context, l *Letter) ([]Step, error) {
	steps := []Step{{Letter: l.brief()}}
	known := map[Position]bool{l.Position: true}
	for from := l.From; from != nil && !known[*from] && len(steps) < maxSteps; {
		known[*from] = true
		before, err := b.at(ctx, *from)
		if errors.Is(err, ErrNoLetter) {
			steps = append(steps, Step{Letter: Letter{Position: *from}, Gone: true})
			break
		}
		if err != nil {
			return nil, err
		}
		steps = append(steps, Step{Letter: before.brief()})
		from = before.From
	}
	slices.Reverse(steps)
	if !l.Sent {
		return steps, nil
	}
	became := map[Position]Letter{}
	err := b.Each(ctx, Filter{}, func(l *Letter) error {
		if l.From != nil {
			became[*l.From] = l.brief()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for at := l.Position; len(steps) < maxSteps; {
		next, again := became[at]
		if !again || known[next.Position] {
			break
		}
		at = next.Position
		known[at] = true
		steps = append(steps, Step{Letter: next})
	}
	return steps, nil
}
