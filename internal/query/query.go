// Package query reads the parameters of a question that comes over HTTP or from a command: each may be left out, none may be given twice, none
// may be there that is not known, and the answer to a bad one says which it is and what is wanted.
//
// It guarantees that the first error is kept, and that the same parameters give the same error. It is pure, and does not know what is
// asked. Packages declining, book and desk import it.
package query

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bad is a query that cannot be answered. Its text says which parameter is wrong, and what is wanted.
type Bad struct{ Parameter, Why string }

func (e *Bad) Error() string { return e.Parameter + ": " + e.Why }

// mostText bounds a parameter, in bytes.
const mostText = 1 << 10

// Reader reads parameters and keeps the first error.
type Reader struct {
	values map[string][]string
	err    error
}

// Read begins with the parameters that are given.
func Read(values map[string][]string) *Reader { return &Reader{values: values} }

// Err is nil or a *Bad.
func (r *Reader) Err() error { return r.err }

// Fail says that a parameter is wrong.
func (r *Reader) Fail(parameter, format string, args ...any) {
	if r.err == nil {
		r.err = &Bad{parameter, fmt.Sprintf(format, args...)}
	}
}

// Known refuses parameters that there are not: a filter that is spelled wrong would show everything.
func (r *Reader) Known(all []string) {
	names := make([]string, 0, len(r.values))
	for name := range r.values {
		if !slices.Contains(all, name) {
			names = append(names, name)
		}
	}
	if len(names) > 0 {
		r.Fail(fmt.Sprintf("%.40q", slices.Min(names)), "there is no such parameter; there are %s", strings.Join(all, ", "))
	}
}

// Text is a parameter as it is given, empty if it is not.
func (r *Reader) Text(name string) string {
	given := r.values[name]
	if len(given) == 0 {
		return ""
	}
	if len(given) > 1 || len(given[0]) > mostText || !utf8.ValidString(given[0]) {
		r.Fail(name, "want one value of at most %d bytes of UTF-8", mostText)
		return ""
	}
	return given[0]
}

// Whole is a whole number from low to high, the usual one if none is given.
func (r *Reader) Whole(name string, usual, low, high int64) int64 {
	text := r.Text(name)
	if text == "" {
		return usual
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < low || n > high {
		r.Fail(name, "want a whole number from %d to %d", low, high)
	}
	return n
}

// Share is a number from 0 to 1, the usual one if none is given; 0 only where it means something.
func (r *Reader) Share(name string, usual float64, zero bool) float64 {
	text := r.Text(name)
	if text == "" {
		return usual
	}
	n, err := strconv.ParseFloat(text, 64)
	switch {
	case err == nil && (n > 0 && n <= 1 || n == 0 && zero):
	case zero:
		r.Fail(name, "want a share from 0 to 1, for example 0.05")
	default:
		r.Fail(name, "want a share above 0 and up to 1, for example 0.05")
	}
	return n
}
