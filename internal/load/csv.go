package load

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// maxSpan is how many lines one quoted CSV field may run over. A quote that is not closed by then is a broken line, not
// a field that swallows the rest of the file.
const maxSpan = 20

// row is one CSV record and the lines it stood on.
type row struct {
	first, last int
	text        string
	cells       []string // as far as they could be told apart when err is set
	err         error
}

// csvReader reads rows one at a time, so that a broken line costs that line only.
type csvReader struct {
	lines *lines
	comma rune
	width int // cells in a row
}

// header reads the column names and settles the separator: the most frequent of comma, semicolon and tab.
func (r *csvReader) header() ([]string, error) {
	text, err := r.lines.next()
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r.comma = ','
	for _, c := range ";\t" {
		if strings.Count(text, string(c)) > strings.Count(text, string(r.comma)) {
			r.comma = c
		}
	}
	names, err := r.split(text)
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
	}
	r.width = len(names)
	return names, err
}

func (r *csvReader) split(text string) ([]string, error) {
	c := csv.NewReader(strings.NewReader(text))
	c.Comma = r.comma
	cells, err := c.Read()
	var broken *csv.ParseError
	if errors.As(err, &broken) {
		// The line inside the text is not the line of the file: leave it out.
		return nil, broken.Err
	}
	return cells, err
}

// next gives the next row, broken ones with err set; the error beside it ends the file.
func (r *csvReader) next() (row, error) {
	for {
		text, err := r.lines.next()
		at := r.lines.number
		switch {
		case errors.Is(err, errLongLine):
			return r.broken(at, text, err), nil
		case err != nil:
			return row{}, err
		case strings.TrimSpace(text) == "":
			continue
		}
		cells, err := r.split(text)
		if errors.Is(err, csv.ErrQuote) && strings.Count(text, `"`)%2 != 0 {
			return r.spanning(at, text), nil
		}
		if err != nil {
			return r.broken(at, text, err), nil
		}
		return r.whole(row{first: at, last: at, text: text, cells: cells}), nil
	}
}

// broken guesses the cells: which order a broken line belongs to is still worth knowing.
func (r *csvReader) broken(at int, text string, err error) row {
	return row{first: at, last: at, text: text, cells: strings.Split(text, string(r.comma)), err: err}
}

func (r *csvReader) whole(w row) row {
	if len(w.cells) != r.width {
		w.err = fmt.Errorf("%d columns, the header has %d", len(w.cells), r.width)
	}
	return w
}

// spanning adds lines to one whose quoted field is still open. When none closes it, all but the first go back.
func (r *csvReader) spanning(at int, first string) row {
	text := first
	var added []pushed
	for len(added) < maxSpan {
		more, err := r.lines.next()
		if err != nil && !errors.Is(err, errLongLine) {
			break
		}
		added = append(added, pushed{more, err})
		if err != nil {
			break
		}
		text += "\n" + more
		if strings.Count(text, `"`)%2 != 0 {
			continue
		}
		if cells, err := r.split(text); err == nil && len(cells) == r.width {
			return row{first: at, last: r.lines.number, text: text, cells: cells}
		}
	}
	for _, p := range slices.Backward(added) {
		r.lines.unread(p)
	}
	return r.broken(at, first, errors.New("a quoted field is not closed"))
}
