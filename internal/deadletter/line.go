package deadletter

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"leadline/internal/sales"
	"leadline/internal/wire"
)

// Line is a letter as JSON: a line of an exported file, and an answer over HTTP. Of a line that comes back edited, only At, Key (or
// KeyBase64) and Value or ValueBase64 count; the others are for the reader.
type Line struct {
	At          string                `json:"at"` // partition/offset
	RefusedAt   *time.Time            `json:"refused_at,omitempty"`
	Class       sales.DeadLetterClass `json:"class,omitempty"`
	Reason      string                `json:"reason,omitempty"`
	Source      *LineSource           `json:"source,omitempty"`
	Retried     int                   `json:"retried,omitempty"`      // how often it had been sent again before
	From        string                `json:"sent_from,omitempty"`    // the letter that it was sent again from
	Edited      string                `json:"edited_from,omitempty"`  // SHA-256 of the value that was refused first
	Sent        bool                  `json:"sent,omitempty"`         // it was sent again, and will not be a second time
	Bytes       int                   `json:"bytes,omitempty"`        // of the value
	Key         *string               `json:"key,omitempty"`          // if it is text
	KeyBase64   *string               `json:"key_base64,omitempty"`   // if it is not
	Value       json.RawMessage       `json:"value,omitempty"`        // decoded by its own schema; null: there is none
	ValueBase64 *string               `json:"value_base64,omitempty"` // its bytes
	Unreadable  string                `json:"unreadable,omitempty"`   // why there is no decoded value
	UnreadByte  int                   `json:"unreadable_at_byte,omitempty"`
	Headers     []LineHeader          `json:"headers,omitempty"`
}

// LineSource is where the record stood.
type LineSource struct {
	Topic     string     `json:"topic"`
	Partition int32      `json:"partition"`
	Offset    int64      `json:"offset"`
	WrittenAt *time.Time `json:"written_at,omitempty"`
}

// LineHeader is one header of the original.
type LineHeader struct {
	Name        string  `json:"name"`
	Value       *string `json:"value,omitempty"`
	ValueBase64 *string `json:"value_base64,omitempty"`
}

// MarshalJSON writes JSON that prints.
func (l Line) MarshalJSON() ([]byte, error) {
	type bare Line
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // people edit this: BEEF & PORK
	err := enc.Encode(bare(l))
	return wire.PlainJSON(text.Bytes()), err
}

// BriefLine is the letter without value and headers.
func BriefLine(l *Letter) Line {
	line := Line{At: l.Position.String(), Class: l.Class, Reason: l.Reason, Retried: l.Retried, Edited: l.Edited, Sent: l.Sent, Bytes: l.Bytes}
	if !l.RefusedAt.IsZero() {
		at := l.RefusedAt.UTC()
		line.RefusedAt = &at
	}
	if l.From != nil {
		line.From = l.From.String()
	}
	if l.Source.Topic != "" {
		line.Source = &LineSource{Topic: l.Source.Topic, Partition: l.Source.Partition, Offset: l.Source.Offset}
		if !l.SourceTime.IsZero() {
			line.Source.WrittenAt = &l.SourceTime
		}
	}
	line.Key, line.KeyBase64 = textOrBase64(l.Key)
	return line
}

// Line is the whole letter. Errors are passing: the registry does not answer.
func (b *Box) Line(ctx context.Context, l *Letter) (Line, error) {
	line := BriefLine(l)
	for _, h := range l.Headers {
		value, base64 := textOrBase64(h.Value)
		line.Headers = append(line.Headers, LineHeader{h.Key, value, base64})
	}
	if l.Value == nil {
		line.Value = json.RawMessage("null")
		return line, nil
	}
	text := base64.StdEncoding.EncodeToString(l.Value)
	line.ValueBase64 = &text
	decoded, err := b.Decoder.JSON(ctx, l.Value)
	var bad *wire.Poison
	switch {
	case errors.As(err, &bad):
		line.Unreadable, line.UnreadByte = err.Error(), bad.Byte
	case errors.Is(err, wire.ErrUnknownSchema):
		line.Unreadable = err.Error()
	case err != nil:
		return Line{}, fmt.Errorf("decode dead letter %s: %w", l.Position, err)
	default:
		line.Value = decoded
	}
	return line, nil
}

// textOrBase64 gives one of the two, or none for what is not there at all.
func textOrBase64(b []byte) (text, encoded *string) {
	if b == nil {
		return nil, nil
	}
	if utf8.Valid(b) {
		s := string(b)
		return &s, nil
	}
	s := base64.StdEncoding.EncodeToString(b)
	return nil, &s
}
