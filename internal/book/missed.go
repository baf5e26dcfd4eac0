package book

import (
	"context"
	"errors"

	"leadline/internal/declining"
	"leadline/internal/query"
)

// Missed asks for the customers of a category, or of an attribute's value, whose purchases (of the category) fell, those first with whom most money is
// missing.
type Missed struct {
	Category, Attribute, Value string
	Recent, Baseline           declining.Window
	Most                       int // customers
}

// Member is one of them.
type Member struct {
	CustomerID, Name string
	Recent, Before   int32 // purchase days
}

// Missed answers as package declining's list does. While customers are being read it waits, until the context ends.
func (b *Book) Missed(ctx context.Context, of Missed) ([]Member, error) {
	for {
		members, err := b.missed(of)
		if !errors.Is(err, ErrReading) {
			return members, err
		}
		if ended := settle(ctx); ended != nil {
			return nil, errors.Join(err, ended)
		}
	}
}

func (b *Book) missed(of Missed) (members []Member, err error) {
	filter := declining.Filter{MaxQ: 1}
	if of.Attribute != "" {
		var bad *query.Bad
		if filter.Segment, err = b.Segment(of.Attribute, of.Value); errors.As(err, &bad) {
			return nil, nil // nobody is known by it
		} else if err != nil {
			return nil, err
		}
	}
	q := declining.Question{Recent: of.Recent, Baseline: of.Baseline, Category: of.Category, HorizonDays: of.Recent.Days(), Margin: 1}
	all, _, err := b.Count(&q)
	if err != nil {
		return nil, err
	}
	l := all.List(q, filter, declining.ByRisk)
	n := min(of.Most, l.Len())
	l.Reach(n)
	for i := range n {
		r, _ := l.At(i)
		members = append(members, Member{r.Customer.ID, r.Customer.Name, r.Recent.Days, r.Baseline.Days})
	}
	return members, nil
}
