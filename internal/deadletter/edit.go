package deadletter

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"leadline/internal/wire"
	"leadline/schemas"
)

// Edits are letters as they are to be sent: each read from a Line, with the number of its line in a file.
type Edits struct {
	lines map[Position]editedLine
}

type editedLine struct {
	number int
	Line
}

// LineError says what is wrong with one edited letter.
type LineError struct {
	Line int    `json:"line"` // from 1 on; in a list, the number of the letter
	At   string `json:"at,omitempty"`
	Why  string `json:"error"`
}

// EditErrors are all that is wrong with edited letters. None was sent.
type EditErrors []LineError

func (e EditErrors) Error() string {
	const shown = 10
	var text strings.Builder
	for i, l := range e {
		if i == shown {
			fmt.Fprintf(&text, "\n  and %d more", len(e)-shown)
			break
		}
		fmt.Fprintf(&text, "\n  line %d", l.Line)
		if l.At != "" {
			fmt.Fprintf(&text, " (letter %s)", l.At)
		}
		text.WriteString(": " + l.Why)
	}
	return "nothing was sent: of the edited letters these are wrong:" + text.String()
}

// orNil keeps no errors from being an error.
func (e EditErrors) orNil() error {
	if len(e) == 0 {
		return nil
	}
	return e
}

// maxLine bounds one line of a file of edited letters: a record of a megabyte, in base64 and as JSON with every byte escaped.
const maxLine = 16 << 20

// ReadEdits reads a file of JSON lines, as export writes it. Errors are EditErrors, or the reader's own.
func ReadEdits(from io.Reader) (*Edits, error) {
	edits := &Edits{lines: map[Position]editedLine{}}
	scanner := bufio.NewScanner(from)
	scanner.Buffer(nil, maxLine)
	var wrong EditErrors
	number := 0
	for scanner.Scan() {
		number++
		if len(bytes.TrimSpace(scanner.Bytes())) == 0 {
			continue
		}
		line, err := parseLine(scanner.Bytes())
		if err == nil {
			err = edits.add(number, line)
		}
		if err != nil {
			wrong = append(wrong, LineError{Line: number, At: cut(line.At), Why: err.Error()})
		}
	}
	if err := scanner.Err(); errors.Is(err, bufio.ErrTooLong) {
		wrong = append(wrong, LineError{Line: number + 1, Why: fmt.Sprintf("longer than %d MiB", maxLine>>20)})
	} else if err != nil {
		return nil, err
	}
	return edits, wrong.orNil()
}

// NewEdits takes the letters of a list, which are numbered from 1 on. Errors are EditErrors.
func NewEdits(lines []Line) (*Edits, error) {
	edits := &Edits{lines: map[Position]editedLine{}}
	var wrong EditErrors
	for i, line := range lines {
		if err := edits.add(i+1, line); err != nil {
			wrong = append(wrong, LineError{Line: i + 1, At: cut(line.At), Why: err.Error()})
		}
	}
	return edits, wrong.orNil()
}

func parseLine(text []byte) (line Line, err error) {
	if err = strict(text, &line); err != nil {
		err = fmt.Errorf("not a letter as export writes it: %w", err)
	}
	return line, err
}

// strict reads one JSON value: a misspelt field would be an edit that has no effect.
func strict(text []byte, into any) error {
	if !utf8.Valid(text) {
		return errors.New("not UTF-8") // Go's JSON would put replacement characters into names without a word
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON value")
	}
	return nil
}

func (e *Edits) add(number int, line Line) error {
	at, err := ParsePosition(line.At)
	if err != nil {
		return fmt.Errorf("at: %w", err)
	}
	if before, twice := e.lines[at]; twice {
		return fmt.Errorf("the same letter as line %d", before.number)
	}
	if line.Key != nil && line.KeyBase64 != nil {
		return errors.New("key and key_base64 are both there: keep one")
	}
	e.lines[at] = editedLine{number, line}
	return nil
}

// mended is what is sent in a letter's place.
type mended struct{ key, value []byte }

// SchemaIDs gives the schema ids of the topics' subjects, without a tenant's prefix.
type SchemaIDs func(context.Context) (map[string]int, error)

// mender turns edits into records, one letter at a time.
type mender struct {
	box     *Box
	encoder *wire.Encoder // nil until a value was edited as JSON
	wrong   EditErrors
	mended  map[Position]mended
}

// mend looks at every edited letter, before any is sent. Letters whose line is as it was exported are not in the result.
func (b *Box) mend(ctx context.Context, edits *Edits) (map[Position]mended, error) {
	m := mender{box: b, mended: map[Position]mended{}}
	missing := maps.Clone(edits.lines)
	err := b.Each(ctx, Filter{}, func(l *Letter) error {
		line, wanted := edits.lines[l.Position]
		if !wanted {
			return nil
		}
		delete(missing, l.Position)
		return m.letter(ctx, l, line)
	})
	if err != nil {
		return nil, err
	}
	for _, line := range missing {
		m.refuse(line, ErrNoLetter)
	}
	slices.SortFunc(m.wrong, func(a, b LineError) int { return a.Line - b.Line })
	return m.mended, m.wrong.orNil()
}

func (m *mender) refuse(line editedLine, err error) {
	m.wrong = append(m.wrong, LineError{Line: line.number, At: line.At, Why: err.Error()})
}

// letter's error is a passing one; what is wrong with the line is collected.
func (m *mender) letter(ctx context.Context, l *Letter, line editedLine) error {
	as, err := m.box.Line(ctx, l)
	if err != nil {
		return err
	}
	changed, err := line.changes(l, &as)
	if err != nil {
		m.refuse(line, err)
		return nil
	}
	if !changed.any() {
		return nil
	}
	out, err := m.apply(ctx, l, line.Line, changed)
	var bad *unusable
	if errors.As(err, &bad) {
		m.refuse(line, err)
		return nil
	}
	m.mended[l.Position] = out
	return err
}

// unusable is what is wrong with an edit, unlike errors of servers.
type unusable struct{ error }

func wrongEdit(format string, args ...any) error { return &unusable{fmt.Errorf(format, args...)} }

// changes says what of a line differs from the letter.
type changes struct {
	key, value, bytes bool
	newKey, newBytes  []byte
}

func (c changes) any() bool { return c.key || c.value || c.bytes }

func (line editedLine) changes(l *Letter, as *Line) (c changes, err error) {
	switch {
	case line.KeyBase64 != nil:
		if c.newKey, err = base64.StdEncoding.DecodeString(*line.KeyBase64); err != nil {
			return c, fmt.Errorf("key_base64: %w", err)
		}
		c.key = !bytes.Equal(c.newKey, l.Key)
	case line.Key != nil:
		c.newKey = []byte(*line.Key)
		c.key = !bytes.Equal(c.newKey, l.Key)
	}
	if line.ValueBase64 != nil {
		if c.newBytes, err = base64.StdEncoding.DecodeString(*line.ValueBase64); err != nil {
			return c, fmt.Errorf("value_base64: %w", err)
		}
		c.bytes = l.Value == nil || !bytes.Equal(c.newBytes, l.Value)
	}
	c.value = line.Value != nil && !sameJSON(line.Value, as.Value)
	if c.value && c.bytes {
		return c, errors.New("value and value_base64 were both edited: leave one as it was, or take it out")
	}
	return c, nil
}

// sameJSON is false for numbers that are only written differently, which does no harm: the value is encoded again.
func sameJSON(a, b json.RawMessage) bool {
	if b == nil {
		return false
	}
	var values [2]any
	for i, text := range []json.RawMessage{a, b} {
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if err := d.Decode(&values[i]); err != nil {
			return false
		}
	}
	return reflect.DeepEqual(values[0], values[1])
}

// apply makes the record and holds it to the contract.
func (m *mender) apply(ctx context.Context, l *Letter, line Line, c changes) (mended, error) {
	topic, ok := m.box.input(l.Source.Topic)
	if !ok {
		return mended{}, wrongEdit("it came from %q: %w", l.Source.Topic, wire.ErrNotInput)
	}
	record, _ := schemas.Record(topic)
	out := mended{key: l.Key, value: l.Value}
	switch {
	case c.bytes:
		out.value = c.newBytes
	case c.value && string(line.Value) == "null":
		out.value = nil
	case c.value:
		value, err := m.encode(ctx, record, line.Value)
		if err != nil {
			return mended{}, err
		}
		out.value = value
	}
	if c.key {
		out.key = c.newKey
	}
	return m.check(ctx, topic, out, c)
}

func (m *mender) encode(ctx context.Context, record string, value json.RawMessage) ([]byte, error) {
	if m.encoder == nil {
		ids, err := m.box.SchemaIDs(ctx)
		if err != nil {
			return nil, err
		}
		m.encoder = wire.NewEncoder(ids)
	}
	into, err := wire.FromJSON(record, value)
	if err != nil {
		return nil, wrongEdit("value: %w", err)
	}
	out, err := m.encoder.AppendInput(nil, into)
	if err != nil {
		return nil, wrongEdit("value: %w", err)
	}
	return out, nil
}

// check decodes what would be sent, and puts the key right that was not edited itself.
func (m *mender) check(ctx context.Context, topic string, out mended, c changes) (mended, error) {
	if len(out.key)+len(out.value) > maxRecord {
		return mended{}, wrongEdit("%d bytes, Kafka takes at most %d", len(out.key)+len(out.value), maxRecord)
	}
	if out.value == nil {
		if topic != "customers" && topic != "products" && topic != "campaigns" {
			return mended{}, wrongEdit("a record of %s needs a value", topic)
		}
		if len(out.key) == 0 {
			return mended{}, wrongEdit("without a value the key says what is deleted: it is empty")
		}
		return out, nil
	}
	record, err := m.box.Decoder.Input(ctx, topic, out.value)
	var bad *wire.Poison
	switch {
	case errors.As(err, &bad), errors.Is(err, wire.ErrUnknownSchema):
		return mended{}, wrongEdit("it would be refused again: %w", err)
	case err != nil:
		return mended{}, err
	}
	key := wire.Key(record)
	if c.key && string(out.key) != key {
		return mended{}, wrongEdit("the key is %q, but the value belongs to %q", KeyText(out.key), key)
	}
	out.key = []byte(key)
	return out, nil
}

// maxRecord leaves room for headers and Kafka's own bytes below what an input takes.
const maxRecord = wire.MaxInput - 16<<10
