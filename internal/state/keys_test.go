package state

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadline/internal/engine"
	"leadline/internal/sales"
)

func FuzzDecodeMeta(f *testing.F) {
	f.Add(Meta{Cluster: "a|b", TopicID: "t", Generation: 1, CSN: 2, StateOffset: 3}.String())
	f.Add(layout + "c|t|1|2")
	f.Add(layout + "c|t|1|2|99999999999999999999")
	f.Add("c|t|1|2|3")
	f.Fuzz(func(t *testing.T, s string) {
		m, err := decodeMeta(s)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("%q gives %v", s, err)
			}
			return
		}
		again, err := decodeMeta(m.encode())
		if err != nil || again != m {
			t.Fatalf("%q was read as %v and then as %v, %v", s, m, again, err)
		}
	})
}

func TestMetaOfAnyClusterIsReadBack(t *testing.T) {
	for _, m := range []Meta{{}, {Cluster: "a|b|", TopicID: "t", CSN: -1}, {Cluster: "ü {x}", TopicID: "", Generation: 1 << 62, StateOffset: 7}} {
		if got, err := decodeMeta(m.encode()); got != m || err != nil {
			t.Errorf("%v is read back as %v, %v", m, got, err)
		}
	}
}

func TestMetaOfAnEarlierReleaseIsKnownForWhatItIs(t *testing.T) {
	for _, s := range []string{"MkU3OEVBNTcwNTJENDM2Qk|dGhlLXRvcGljLWlkLTIyLS|1|2|3", "a|b|t|1|0|0"} {
		if _, err := decodeMeta(s); !errors.Is(err, ErrEarlier) || !errors.Is(err, ErrCorrupt) {
			t.Errorf("%q: %v", s, err)
		}
	}
	for _, s := range []string{"t|1|2|3", "layout3|c|t|1|2|x", layout + "t|1|2|3", layout} {
		if _, err := decodeMeta(s); !errors.Is(err, ErrCorrupt) || errors.Is(err, ErrEarlier) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func FuzzDue(f *testing.F) {
	f.Add(int32(20_454), int32(20_468))
	f.Add(int32(0), int32(-1))
	f.Add(int32(1<<23-1), int32(-1<<23))
	f.Fuzz(func(t *testing.T, look, expiry int32) {
		due := engine.Due{Look: sales.Day(look << 8 >> 8), Expiry: sales.Day(expiry << 8 >> 8)}
		if got, err := decodeDue(strconv.FormatInt(encodeDue(due), 10)); got != due || err != nil {
			t.Fatalf("%v is read back as %v, %v", due, got, err)
		}
	})
}

func FuzzDecodeDue(f *testing.F) {
	f.Add("343182831321")
	f.Add("-1")
	f.Add("281474976710656")
	f.Fuzz(func(t *testing.T, s string) {
		due, err := decodeDue(s)
		if err == nil && strings.TrimLeft(s, "0") != strings.TrimLeft(strconv.FormatInt(encodeDue(due), 10), "0") || err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatalf("%q is read as %v, %v", s, due, err)
		}
	})
}

func FuzzDecodeRun(f *testing.F) {
	f.Add(encodeRun(engine.ItemsRun{First: 1 << 30, Run: []byte("x")}))
	f.Add("8000000")
	f.Add("ffffffff")
	f.Fuzz(func(t *testing.T, s string) {
		run, err := decodeRun(s)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("%q gives %v", s, err)
			}
			return
		}
		if again := encodeRun(run); !strings.EqualFold(again[:runHead], s[:runHead]) || again[runHead:] != s[runHead:] {
			t.Fatalf("%q was read and written as %q", s, again)
		}
	})
}

func TestAKeyTellsItsGeneration(t *testing.T) {
	k := shardKeys("acme.", 3)
	got := map[string]int64{}
	for _, name := range []string{k.meta(), k.claim(), k.timers(7), k.items(12), k.customers(5) + "9:c:ann", shardKeys("acme.", 33).items(1), "{acme.3}x:y"} {
		if gen, ok := k.belongs(name); ok {
			got[name] = gen
		}
	}
	want := map[string]int64{"{acme.3}7:timers": 7, "{acme.3}12:items": 12, "{acme.3}5:c:9:c:ann": 5}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
