package deadletter

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ledger is which letters of one partition were sent again, as runs of offsets in order that neither touch nor overlap.
// In Kafka it is a committed offset, the end of the run that begins at 0, and in that offset's metadata the others.
type ledger []run

// run is the offsets in [from, to).
type run struct{ from, to int64 }

func (l ledger) has(offset int64) bool {
	i, found := slices.BinarySearchFunc(l, offset, func(r run, at int64) int {
		switch {
		case r.to <= at:
			return -1
		case r.from > at:
			return 1
		}
		return 0
	})
	return found && l[i].from <= offset
}

// add takes in a run, melting what it touches into one.
func (l ledger) add(r run) ledger {
	first := slices.IndexFunc(l, func(have run) bool { return have.to >= r.from })
	if first < 0 {
		return append(l, r)
	}
	after := first
	for after < len(l) && l[after].from <= r.to {
		r.from, r.to = min(r.from, l[after].from), max(r.to, l[after].to)
		after++
	}
	return slices.Replace(l, first, after, r)
}

// maxMetadata is what brokers take by default (offset.metadata.max.bytes).
const maxMetadata = 4096

// errScattered says that the letters sent and not sent alternate too often to be remembered.
var errScattered = errors.New("the letters sent and not sent alternate too often to be remembered: retry them with a wider filter")

// encode gives the committed offset and its metadata: pairs "gap+length" in base 36, counted from the offset on.
func (l ledger) encode() (offset int64, metadata string, err error) {
	rest := l
	if len(l) > 0 && l[0].from == 0 {
		offset, rest = l[0].to, l[1:]
	}
	var text strings.Builder
	at := offset
	for _, r := range rest {
		fmt.Fprintf(&text, "%s+%s ", strconv.FormatInt(r.from-at, 36), strconv.FormatInt(r.to-r.from, 36))
		at = r.to
	}
	if text.Len() > maxMetadata {
		return 0, "", errScattered
	}
	return offset, strings.TrimSuffix(text.String(), " "), nil
}

// decodeLedger reads what encode gave.
func decodeLedger(offset int64, metadata string) (ledger, error) {
	var l ledger
	if offset > 0 {
		l = append(l, run{0, offset})
	}
	at := max(offset, 0)
	for _, pair := range strings.Fields(metadata) {
		gap, length, ok := strings.Cut(pair, "+")
		g, err1 := strconv.ParseInt(gap, 36, 64)
		n, err2 := strconv.ParseInt(length, 36, 64)
		from := at + g
		if !ok || err1 != nil || err2 != nil || g < 0 || n <= 0 || from < at || from+n < from {
			return nil, fmt.Errorf("the committed offset %d carries metadata %q, which Leadline did not write", offset, metadata)
		}
		l = l.add(run{from, from + n})
		at = from + n
	}
	return l, nil
}
