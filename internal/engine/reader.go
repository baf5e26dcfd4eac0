package engine

import "leadline/internal/window"

// Reader reads customers' blobs one after the other with little garbage, for whoever looks at a million of them. The zero Reader is ready;
// it belongs to one goroutine.
type Reader struct {
	customer Customer
	windows  window.Decoder
}

// Read is DecodeCustomer. What it gives is good until the next Read.
func (r *Reader) Read(blob []byte, items *window.Items) (*Customer, error) {
	if err := decodeCustomer(&r.customer, blob, items, &r.windows); err != nil {
		return nil, err
	}
	return &r.customer, nil
}
