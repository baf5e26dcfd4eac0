// Package promise has the third fate of an error. A poisoned record becomes a dead letter and a passing trouble is tried again; where
// going on would break what Leadline promises, a role stops and tells a person what to do.
//
// The roles decide where that is so. They and the wiring import it.
package promise

import (
	"errors"
	"fmt"
)

// Broken is an error that trying again cannot mend.
type Broken struct {
	Err error
	Do  string // what a person can do
}

// Error gives the error and the advice.
func (b *Broken) Error() string { return b.Err.Error() + ": " + b.Do }

// Unwrap gives the error without the advice.
func (b *Broken) Unwrap() error { return b.Err }

// Break makes a Broken of the advice, and of the error as fmt.Errorf makes it.
func Break(do, format string, args ...any) error {
	return &Broken{Err: fmt.Errorf(format, args...), Do: do}
}

// IsBroken tells whether there is a Broken in the error.
func IsBroken(err error) bool {
	var b *Broken
	return errors.As(err, &b)
}
