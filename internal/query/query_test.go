package query_test

import (
	"strings"
	"testing"

	"leadline/internal/query"

	"github.com/google/go-cmp/cmp"
)

func TestTheFirstErrorSaysWhatIsWanted(t *testing.T) {
	long := strings.Repeat("x", 1<<10+1)
	for name, c := range map[string]struct {
		values map[string][]string
		want   string
	}{
		"nothing":       {nil, ""},
		"all":           {map[string][]string{"name": {"tea"}, "n": {"7"}, "q": {"0.05"}}, ""},
		"two unknown":   {map[string][]string{"zoo": {"1"}, "ant": {"1"}}, `"ant": there is no such parameter; there are name, n, q`},
		"twice":         {map[string][]string{"name": {"tea", "wine"}}, "name: want one value of at most 1024 bytes of UTF-8"},
		"too long":      {map[string][]string{"name": {long}}, "name: want one value of at most 1024 bytes of UTF-8"},
		"no text":       {map[string][]string{"name": {"\xff"}}, "name: want one value of at most 1024 bytes of UTF-8"},
		"no number":     {map[string][]string{"n": {"seven"}}, "n: want a whole number from 1 to 9"},
		"out of bounds": {map[string][]string{"n": {"10"}, "q": {"2"}}, "n: want a whole number from 1 to 9"},
		"no share":      {map[string][]string{"q": {"NaN"}}, "q: want a share above 0 and up to 1, for example 0.05"},
		"a share of 0":  {map[string][]string{"q": {"0"}}, "q: want a share above 0 and up to 1, for example 0.05"},
	} {
		r := query.Read(c.values)
		r.Known([]string{"name", "n", "q"})
		r.Text("name")
		r.Whole("n", 5, 1, 9)
		r.Share("q", 1, false)
		got := ""
		if err := r.Err(); err != nil {
			got = err.Error()
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestWhatIsLeftOutIsUsual(t *testing.T) {
	r := query.Read(map[string][]string{"n": {"3"}})
	if n, other, share := r.Whole("n", 5, 1, 9), r.Whole("other", 5, 1, 9), r.Share("q", 0.5, false); n != 3 || other != 5 || share != 0.5 {
		t.Errorf("%d, %d, %g", n, other, share)
	}
}
