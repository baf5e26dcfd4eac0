package wire

import (
	"errors"
	"fmt"

	"leadline/internal/sales"
)

// Poison is the error of a value that can never be used: it goes to the dead letters under its class. Match it with
// errors.As and a variable of type *Poison.
type Poison struct {
	Class  sales.DeadLetterClass
	Reason string
	// Byte is how far the value was read when it turned out not to be usable, its header counted; 0 where that is not known.
	Byte int
}

// Error gives class and reason.
func (p *Poison) Error() string { return string(p.Class) + ": " + p.Reason }

// ErrUnknownSchema is what a SchemaSource answers, wrapped or not, when the registry itself says that it has no schema
// of that id. It may only be behind, so the caller tries again, with a bound, before it makes a dead letter of class
// unknown_schema.
var ErrUnknownSchema = errors.New("the registry does not know the schema")

// ErrTombstone is returned for a null value where that means that the key is deleted: products, campaigns, product-links,
// forecasts. The caller, who has the key, deletes.
var ErrTombstone = errors.New("no value: the key is deleted")

// ErrNotInput says that a topic is none of the inputs.
var ErrNotInput = errors.New("not an input topic")

func poison(class sales.DeadLetterClass, format string, args ...any) *Poison {
	return &Poison{Class: class, Reason: fmt.Sprintf(format, args...)}
}

func notAvro(format string, args ...any) *Poison {
	return poison(sales.DeadNotAvro, format, args...)
}
