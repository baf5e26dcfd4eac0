package load

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"leadline/internal/sales"
	"leadline/internal/wire"
)

// item is one record of a file, or the reason why it is none.
type item struct {
	source *source
	line   int
	text   string
	record any // a pointer to one of the sales types, nil if refused
	at     sales.Millis
	err    error // why it was refused
}

// chunk is how many items a reader hands over at once.
const chunk = 128

// items parses a source to its end, on a goroutine of its own, and hands the items over in the file's order. What ends
// the file early is an error; what is wrong with a line stands in the item.
func (s *source) items(ctx context.Context, weeks int, to chan<- []item) error {
	text, closeText, err := s.text()
	if err != nil {
		return err
	}
	defer closeText()
	next, err := s.records(text)
	if err != nil {
		return fmt.Errorf("read %s: %w", s.name, err)
	}
	batch := make([]item, 0, chunk)
	for {
		it, err := next()
		if err == nil {
			batch = append(batch, s.parse(it, weeks))
		}
		// Text that is still to come may be long in coming: what is here goes on.
		if len(batch) == chunk || len(batch) > 0 && (err != nil || text.Buffered() == 0) {
			select {
			case to <- batch:
				batch = make([]item, 0, chunk)
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", s.name, err)
		}
	}
}

// raw is one record in the contract's names, with the place it came from. Without values its text is the record's JSON.
type raw struct {
	values map[string]any
	line   int
	text   string
	err    error // why it can be refused unread
}

// records gives the function that reads the next record of the text.
func (s *source) records(text *bufio.Reader) (func() (raw, error), error) {
	l := &lines{from: text}
	if !s.csv {
		return func() (raw, error) { return s.nextJSON(l) }, nil
	}
	o, err := newOrders(l, s.fields)
	if err != nil {
		return nil, err
	}
	return o.next, nil
}

func (s *source) nextJSON(l *lines) (raw, error) {
	for {
		text, err := l.next()
		out := raw{line: l.number, text: text}
		switch {
		case errors.Is(err, errLongLine):
			out.err = err
		case err != nil:
			return raw{}, err
		case strings.TrimSpace(text) == "":
			continue
		case len(s.fields.rename) > 0:
			out.values, out.err = s.fields.object(text)
		}
		return out, nil
	}
}

var errNotUTF8 = errors.New("not UTF-8: save the file with that encoding")

func (s *source) parse(r raw, weeks int) item {
	it := item{source: s, line: r.line, text: r.text, err: r.err}
	if !utf8.ValidString(r.text) {
		// Go's JSON would put replacement characters into names without a word.
		it.err, it.text = errNotUTF8, strings.ToValidUTF8(r.text, "\uFFFD")
	}
	if it.err != nil {
		return it
	}
	if r.values != nil {
		it.record, it.err = wire.FromValues(s.fields.record, r.values)
	} else {
		it.record, it.err = wire.FromJSON(s.fields.record, []byte(r.text))
	}
	if it.err == nil {
		it.at = shift(it.record, sales.Millis(weeks)*weekMillis)
	}
	return it
}
