package wire

import (
	"testing"

	"leadline/internal/sales"
)

// A refusal is read from its headers, behind others that a producer had given the same names.
func TestRefusalHeaders(t *testing.T) {
	want := Refusal{Class: sales.DeadTime, Reason: "too early", Timestamp: 1_700_000_000_000,
		Source: sales.Source{Topic: "acme.purchases", Partition: 3, Offset: 1 << 40}}
	headers := append([]Header{{HeaderReason, []byte("a producer's own")}, {HeaderSourceOffset, []byte("none")}, {"other", nil}}, want.Headers()...)
	var got Refusal
	others := 0
	for _, h := range headers {
		if !got.Take(h.Key, h.Value) {
			others++
		}
	}
	if got != want || others != 1 {
		t.Errorf("read %+v and %d others, want %+v and 1", got, others, want)
	}
}
