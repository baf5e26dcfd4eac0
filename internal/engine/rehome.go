package engine

import (
	"bytes"
	"fmt"

	"leadline/internal/sales"
	"leadline/internal/window"
)

// Home is what a customer's blob is read by in a shard: the dictionary, and how far time has come there.
type Home struct {
	Items *window.Items
	Today sales.Day
}

// Rehome makes the blob of a customer who moves to another shard, as of that shard's commit csn. The items of the old blob are ids of one
// dictionary, those of the new one of the other's, which gets the items that it lacks. Looks that one shard has taken are not taken again in the
// other; one that was to come and that the other's time has gone past already is taken there when the day is over. Beyond that it proves
// that nothing was lost or changed: the new blob, read and moved back, is the old one again. ErrCorrupt for a blob that cannot be
// read, window.ErrFull when the dictionary has no room.
func Rehome(blob []byte, from, to Home, csn int64) ([]byte, error) {
	c, err := DecodeCustomer(blob, from.Items)
	if err != nil {
		return nil, err
	}
	c.leave(from.Today, to.Today)
	old := EncodeCustomer(nil, c)
	moved, err := translated(c, from.Items, to.Items, csn)
	if err != nil {
		return nil, err
	}
	there, err := DecodeCustomer(moved, to.Items)
	if err != nil {
		return nil, fmt.Errorf("read back: %w", err)
	}
	back, err := translated(there, to.Items, from.Items, c.CSN)
	if err != nil {
		return nil, fmt.Errorf("move back: %w", err)
	}
	if !bytes.Equal(back, old) {
		return nil, fmt.Errorf("moved and moved back, the customer is not the same: %w", ErrCorrupt)
	}
	return moved, nil
}

// leave makes the state say which looks were taken, as the new shard's time does not. What is to be forgotten by then is forgotten with the next
// look: the rules that say how much are not known here.
func (c *Customer) leave(from, to sales.Day) {
	if next := c.Due().After(from).Look; next != c.LookDay {
		c.Day, c.LookDay = max(c.Day, next-LookEvery), next
	}
	if c.LookDay != 0 {
		c.LookDay = max(c.LookDay, to)
	}
}

// translated encodes the customer under another dictionary. The customer keeps its csn, and is of no use afterwards.
func translated(c *Customer, from, to *window.Items, csn int64) ([]byte, error) {
	id := func(old window.ItemID) (window.ItemID, error) { return to.ID(from.Item(old)) }
	mayBeNone := func(item *window.ItemID) (err error) {
		if *item != window.NoItem {
			*item, err = id(*item)
		}
		return err
	}
	there := *c
	if err := there.Window.Translate(id); err != nil {
		return nil, err
	}
	for i := range there.Open {
		if err := mayBeNone(&there.Open[i].From); err != nil {
			return nil, err
		}
		if err := mayBeNone(&there.Open[i].To); err != nil {
			return nil, err
		}
	}
	for i := range there.Said {
		if err := mayBeNone(&there.Said[i].Item); err != nil {
			return nil, err
		}
	}
	for i := range there.Watched {
		if err := mayBeNone(&there.Watched[i].Item); err != nil {
			return nil, err
		}
	}
	for i := range there.Reports {
		r := &there.Reports[i]
		items := []*window.ItemID{&r.Item}
		if r.Ended != nil {
			items = append(items, &r.Ended.From, &r.Ended.To)
		}
		for _, item := range items {
			if err := mayBeNone(item); err != nil {
				return nil, err
			}
		}
	}
	there.CSN = csn
	return EncodeCustomer(nil, &there), nil
}
