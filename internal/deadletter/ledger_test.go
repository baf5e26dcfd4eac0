package deadletter

import (
	"errors"
	"testing"

	"pgregory.net/rapid"
)

// TestLedgerIsASetOfOffsets compares it with a plain set, through encoding and back.
func TestLedgerIsASetOfOffsets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l ledger
		set := map[int64]bool{}
		for range rapid.IntRange(0, 30).Draw(t, "runs") {
			from := rapid.Int64Range(0, 120).Draw(t, "from")
			to := from + rapid.Int64Range(1, 20).Draw(t, "length")
			l = l.add(run{from, to})
			for at := from; at < to; at++ {
				set[at] = true
			}
		}
		offset, metadata, err := l.encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeLedger(offset, metadata)
		if err != nil {
			t.Fatal(err)
		}
		for at := range int64(150) {
			if l.has(at) != set[at] || again.has(at) != set[at] {
				t.Fatalf("offset %d: set %v, ledger %v, after decoding %v", at, set[at], l.has(at), again.has(at))
			}
		}
		if set[offset] {
			t.Fatalf("offset %d is committed as the first not sent, but was sent", offset)
		}
	})
}

func TestTooScatteredIsRefused(t *testing.T) {
	var l ledger
	for at := int64(0); at < 2500; at += 2 {
		l = l.add(run{at, at + 1})
	}
	if _, metadata, err := l.encode(); !errors.Is(err, errScattered) {
		t.Errorf("%d bytes of metadata, %v", len(metadata), err)
	}
}

func FuzzDecodeLedger(f *testing.F) {
	f.Add(int64(7), "1+2 a+z")
	f.Add(int64(-1), "")
	f.Add(int64(1), "0+1")
	f.Add(int64(1), "1y2p0ij32e8e7+1y2p0ij32e8e7")
	f.Fuzz(func(t *testing.T, offset int64, metadata string) {
		l, err := decodeLedger(offset, metadata)
		if err != nil {
			return
		}
		for i, r := range l {
			if r.from >= r.to || r.from < 0 || i > 0 && r.from <= l[i-1].to {
				t.Fatalf("%d %q gives runs %v", offset, metadata, l)
			}
		}
		at, text, err := l.encode()
		if err != nil {
			return
		}
		again, err := decodeLedger(at, text)
		if err != nil || len(again) != len(l) {
			t.Fatalf("%v was written as %d %q and read as %v, %v", l, at, text, again, err)
		}
	})
}
