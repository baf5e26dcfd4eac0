package engine

import (
	"leadline/internal/sales"
	"leadline/internal/window"
)

// Versions of blobs that are no longer written. Whoever makes a new version leaves a reader of the one before here, and a blob that the
// release before has written in testdata.
//
//	1: contact | open episodes | said, each with its own count; the window's last purchase before its days
//	2: episodes without a code, spells that were said without their event, no lifetime, no reports, a window without a past
//	3: nothing is watched; else as today
const (
	blobV1 = 1
	blobV2 = 2
)

func (r *blobReader) listsV1(c *Customer) {
	c.Contact = Consent(r.byte(byte(ConsentDenied)))
	for range r.byte(byte(sales.Outlook)) {
		c.Open = append(c.Open, r.episodeV2(c.Day))
	}
	for range r.uvarint(uint64(len(r.b)) / saidBytes) {
		c.Said = append(c.Said, r.saidV2(c.Day))
	}
}

// lifetimeOf is as much of the lifetime as the window says.
func lifetimeOf(w *window.Window) Lifetime {
	var l Lifetime
	for i, o := range w.Orders() {
		if o.Refund {
			continue
		}
		l.order(o.Day, i == 0 || w.Orders()[i-1].Day != o.Day)
	}
	return l
}

// Alike makes two blobs comparable of which the first may be of an earlier version: it as today's release writes it, and the other
// without what its version did not say yet.
func Alike(old []byte, oldItems *window.Items, blob []byte, items *window.Items) (was, is []byte, err error) {
	if was, err = Upgrade(old, oldItems); err != nil || old[0] == blobVersion {
		return was, blob, err
	}
	c, err := DecodeCustomer(blob, items)
	if err != nil {
		return nil, nil, err
	}
	c.Watched = nil
	if old[0] > blobV2 {
		return was, EncodeCustomer(nil, c), nil
	}
	c.Window.ForgetPast()
	c.Lifetime, c.Pairs = lifetimeOf(&c.Window), false
	c.Rep, c.Reports, c.Segments = "", nil, nil
	for i := range c.Open {
		c.Open[i].Code, c.Open[i].Updates = 0, 0
	}
	for i := range c.Said {
		c.Said[i].Event = 0
	}
	return was, EncodeCustomer(nil, c), nil
}

// Upgrade gives the blob as today's release writes it: the same bytes, unless it is of an earlier version.
func Upgrade(blob []byte, items *window.Items) ([]byte, error) {
	if len(blob) > 0 && blob[0] == blobVersion {
		return blob, nil
	}
	c, err := DecodeCustomer(blob, items)
	if err != nil {
		return nil, err
	}
	return EncodeCustomer(nil, c), nil
}
