package wire

import (
	"encoding/json"
	"strconv"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestPlainKeepsWhatPrints(t *testing.T) {
	for text, want := range map[string]string{
		"Jalapeño & 客戶":  "Jalapeño & 客戶",
		"a\x1b[2J":       `a\x1b[2J`,
		"a\u009b31m":     `a\u009b31m`,
		"a\x9b31m":       `a\x9b31m`, // one byte, no UTF-8: an eight-bit terminal obeys it
		"\u202egnp.exe":  `\u202egnp.exe`,
		"two\nlines\x7f": `two\nlines\x7f`,
	} {
		if got := Plain(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}

// FuzzPlain holds both to what they are for: nothing that steers a terminal, and of JSON the same value.
func FuzzPlain(f *testing.F) {
	f.Add("a\x1b[2J\u009b\x9b\x7f\u202e\U000e0041 客戶")
	f.Fuzz(func(t *testing.T, text string) {
		value, err := json.Marshal(map[string]string{text: text})
		if err != nil {
			t.Fatal(err)
		}
		escaped := PlainJSON(value)
		for _, out := range []string{Plain(text), string(escaped)} {
			for _, r := range out {
				if r == utf8.RuneError || !strconv.IsPrint(r) {
					t.Errorf("%q holds %q", out, r)
				}
			}
		}
		var before, after map[string]string
		if err := json.Unmarshal(value, &before); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(escaped, &after); err != nil || !cmp.Equal(before, after) {
			t.Errorf("%q became %q: %v", before, after, err)
		}
	})
}
