package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/sales"
	"leadline/internal/wire"
)

// viewer renders records, for people or for programs.
type viewer struct {
	decoder *wire.Decoder
	out     *bufio.Writer
	json    bool
}

func (v *viewer) show(ctx context.Context, r *kgo.Record) error {
	if v.json {
		return v.asJSON(ctx, r)
	}
	line := v.describe(ctx, r)
	_, err := fmt.Fprintf(v.out, "%s  %d/%d  %s\n", r.Timestamp.UTC().Format("2006-01-02 15:04:05"), r.Partition, r.Offset, line)
	return err
}

// describe says in one line what the record is about.
func (v *viewer) describe(ctx context.Context, r *kgo.Record) string {
	if class := header(r, "leadline-class"); class != "" {
		return fmt.Sprintf("%-14s  %s  (%s %s/%s, %d bytes, key %s)", class, plain(header(r, "leadline-reason")), header(r, "leadline-source-topic"),
			header(r, "leadline-source-partition"), header(r, "leadline-source-offset"), len(r.Value), plain(string(r.Key)))
	}
	var purchase sales.Purchase
	var alert sales.Alert
	switch {
	case r.Value == nil:
		return plain(string(r.Key)) + "  (tombstone)"
	case strings.Contains(r.Topic, "alerts.") && v.decoder.Alert(ctx, r.Value, &alert) == nil:
		return describeAlert(&alert)
	case strings.HasSuffix(r.Topic, "purchases") && v.decoder.Purchase(ctx, r.Value, &purchase) == nil:
		return describePurchase(&purchase)
	case strings.HasSuffix(r.Topic, "leadline.state") && string(r.Key) != sales.ShardRecordKey:
		return fmt.Sprintf("%s  (packed, %d bytes; of a customer: leadline state show)", plain(string(r.Key)), len(r.Value))
	}
	json, err := v.decoder.JSON(ctx, r.Value)
	if err != nil {
		return fmt.Sprintf("%s  (%d bytes, %v)", plain(string(r.Key)), len(r.Value), err)
	}
	return fmt.Sprintf("%s  %s", plain(string(r.Key)), plain(string(json)))
}

// describePurchase leaves out what a screen has no room for; --json shows all.
func describePurchase(p *sales.Purchase) string {
	kind, total := "order", int64(0)
	if p.Kind == sales.Refund {
		kind = "refund"
	}
	var categories []string
	for _, l := range p.Lines {
		total += l.AmountMinor
		if !slices.Contains(categories, l.Category) {
			categories = append(categories, l.Category)
		}
	}
	const shown = 4
	more := ""
	if n := len(categories) - shown; n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("%s  %s %s on %s, %d minor units of %s in %d lines: %s%s  [event %s]", plain(p.CustomerID), kind, plain(p.OrderID),
		day(int64(p.OccurredAt)), total, p.Currency, len(p.Lines), plain(strings.Join(categories[:min(shown, len(categories))], ", ")), more, plain(p.EventID))
}

func describeAlert(a *sales.Alert) string {
	said := ""
	if a.SuppressedBy != sales.NotSuppressed {
		said = ", not said: " + a.SuppressedBy.String()
	}
	return fmt.Sprintf("%-11s %-8s %s %.2f  %s  %s  [%s, event %s%s]", a.Kind, a.Status, a.Grade, a.Score, plain(a.SubjectID), plain(a.Title),
		a.AlertID, day(int64(a.EventTime)), said)
}

// asJSON keeps everything: what is no Avro stands there in base64, with the reason.
func (v *viewer) asJSON(ctx context.Context, r *kgo.Record) error {
	line := struct {
		Topic       string            `json:"topic"`
		Partition   int32             `json:"partition"`
		Offset      int64             `json:"offset"`
		Timestamp   time.Time         `json:"timestamp"`
		Key         string            `json:"key"`
		Headers     map[string]string `json:"headers"`
		Value       json.RawMessage   `json:"value"`
		ValueBase64 string            `json:"value_base64,omitempty"`
		Error       string            `json:"error,omitempty"`
	}{r.Topic, r.Partition, r.Offset, r.Timestamp.UTC(), text(r.Key), map[string]string{}, json.RawMessage("null"), "", ""}
	for _, h := range r.Headers {
		line.Headers[h.Key] = text(h.Value)
	}
	if r.Value != nil {
		if decoded, err := v.decoder.JSON(ctx, r.Value); err != nil {
			line.ValueBase64, line.Error = base64.StdEncoding.EncodeToString(r.Value), err.Error()
		} else {
			line.Value = decoded
		}
	}
	enc := json.NewEncoder(plainJSONWriter{v.out})
	enc.SetEscapeHTML(false)
	return enc.Encode(line)
}

// text is the bytes if they are text, else base64.
func text(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return "base64:" + base64.StdEncoding.EncodeToString(b)
}

// plain keeps what others wrote from steering the terminal.
func plain(s string) string { return wire.Plain(s) }

func header(r *kgo.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}
