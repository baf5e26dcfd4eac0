package engine

import (
	"bytes"
	"fmt"

	"leadline/internal/window"
)

// Rehome makes the blob of a customer who moves to another shard, as of that shard's commit csn. The items of the old blob are ids of the
// dictionary from, those of the new one of the dictionary to, which gets the items that it lacks. It proves that nothing was lost or changed: the
// new blob, read and moved back, is the old one again. ErrCorrupt for a blob that cannot be read, window.ErrFull when the
// dictionary has no room.
func Rehome(blob []byte, from, to *window.Items, csn int64) ([]byte, error) {
	old, err := Upgrade(blob, from)
	if err != nil {
		return nil, err
	}
	c, err := DecodeCustomer(old, from)
	if err != nil {
		return nil, err
	}
	moved, err := translated(c, from, to, csn)
	if err != nil {
		return nil, err
	}
	there, err := DecodeCustomer(moved, to)
	if err != nil {
		return nil, fmt.Errorf("read back: %w", err)
	}
	back, err := translated(there, to, from, c.CSN)
	if err != nil {
		return nil, fmt.Errorf("move back: %w", err)
	}
	if !bytes.Equal(back, old) {
		return nil, fmt.Errorf("moved and moved back, the customer is not the same: %w", ErrCorrupt)
	}
	return moved, nil
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
	there.CSN = csn
	return EncodeCustomer(nil, &there), nil
}
