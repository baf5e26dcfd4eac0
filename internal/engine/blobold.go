package engine

import (
	"leadline/internal/sales"
	"leadline/internal/window"
)

// Versions of blobs that are no longer written. Whoever makes a new version leaves a reader of the one before here, and a blob that the
// release before has written in testdata.
//
//	1: contact | open episodes | said, each with its own count; the window's last purchase before its days
const blobV1 = 1

func (r *blobReader) listsV1(c *Customer) {
	c.Contact = Consent(r.byte(byte(ConsentDenied)))
	for range r.byte(byte(sales.Outlook)) {
		c.Open = append(c.Open, r.episode(c.Day))
	}
	for range r.uvarint(uint64(len(r.b)) / saidBytes) {
		c.Said = append(c.Said, r.said(c.Day))
	}
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
