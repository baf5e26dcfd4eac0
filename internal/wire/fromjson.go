package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
	"unsafe"

	"leadline/internal/sales"
)

// FromJSON makes an input record of one line of JSON with the contract's field names: a pointer to the sales type of
// the record that the schema is called by ("Purchase" gives *sales.Purchase). Optional values stand bare, numbers may be
// strings, times are RFC 3339 or milliseconds. The result passes the record's Check; errors name the field.
func FromJSON(record string, line []byte) (any, error) {
	if !utf8.Valid(line) {
		return nil, errors.New("not UTF-8")
	}
	values, err := parseObject(line)
	if err != nil {
		return nil, err
	}
	return FromValues(record, values)
}

// FromValues is FromJSON for what is already parsed, such as the columns of a CSV line. Values are those of
// encoding/json with UseNumber: string, json.Number, bool, nil, []any, map[string]any.
func FromValues(record string, values map[string]any) (any, error) {
	s := allShapes()
	switch record {
	case "Purchase":
		return build(s.purchase, values, CheckPurchase)
	case "Touchpoint":
		return build(s.touchpoint, values, CheckTouchpoint)
	case "Customer":
		return build(s.customer, values, CheckCustomer)
	case "Product":
		return build(s.product, values, CheckProduct)
	case "Campaign":
		return build(s.campaign, values, CheckCampaign)
	case "Identity":
		return build(s.identity, values, CheckIdentity)
	case "Signal":
		return build(s.signal, values, CheckSignal)
	case "Outcome":
		return build(s.outcome, values, CheckOutcome)
	}
	return nil, fmt.Errorf("%s is not an input record", record)
}

func build[T any](s *shape, values map[string]any, check func(*T) error) (any, error) {
	into := new(T)
	if err := (assigner{strict: true}).set(s, unsafe.Pointer(into), values); err != nil {
		return nil, err
	}
	if err := check(into); err != nil {
		return nil, err
	}
	return into, nil
}

// Key is the key under which an input record, as FromJSON gives it, stands in its topic.
func Key(record any) string {
	switch r := record.(type) {
	case *sales.Purchase:
		return r.CustomerID
	case *sales.Touchpoint:
		return r.CustomerID
	case *sales.Customer:
		return r.CustomerID
	case *sales.Product:
		return r.ProductID
	case *sales.Campaign:
		return r.CampaignID
	case *sales.Identity:
		return r.FromID
	case *sales.Signal:
		return r.Series
	case *sales.Outcome:
		return r.CustomerID
	}
	panic(fmt.Sprintf("wire: %T is not an input record", record))
}

func parseObject(text []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var values map[string]any
	if err := d.Decode(&values); err != nil {
		return nil, fmt.Errorf("not a JSON object: %w", err)
	}
	if values == nil {
		return nil, errors.New("not a JSON object: null")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON object")
	}
	return values, nil
}

// LinkFromJSON is FromJSON for a statement of product-links, which is no input record: for trying what is not published.
func LinkFromJSON(line []byte) (*sales.Link, error) {
	if !utf8.Valid(line) {
		return nil, errors.New("not UTF-8")
	}
	values, err := parseObject(line)
	if err != nil {
		return nil, err
	}
	l := new(sales.Link)
	if err := (assigner{strict: true}).set(allShapes().link, unsafe.Pointer(l), values); err != nil {
		return nil, err
	}
	return l, CheckLink(l)
}
