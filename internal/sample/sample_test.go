package sample_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"io/fs"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"leadline/internal/sample"
)

// row is what the checks need of any of the records.
type row struct {
	CustomerID string    `json:"customer_id"`
	ProductID  string    `json:"product_id"`
	OccurredAt time.Time `json:"occurred_at"`
	Lines      []struct {
		ProductID string `json:"product_id"`
	} `json:"lines"`
}

func rows(t *testing.T, from fs.FS, topic string) []row {
	t.Helper()
	file, err := from.Open(sample.Path(topic))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	plain, err := zstd.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	var out []row
	lines := bufio.NewScanner(plain)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r row
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			t.Fatalf("%s line %d: %v", topic, len(out)+1, err)
		}
		out = append(out, r)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

func households(purchases []row) map[string]bool {
	ids := map[string]bool{}
	for _, p := range purchases {
		ids[p.CustomerID] = true
	}
	return ids
}

func TestSampleIsWhatItsREADMESays(t *testing.T) {
	for _, c := range []struct {
		name       string
		files      fs.FS
		households int
		rows       map[string]int
	}{
		{"full", sample.Full(), sample.Households, map[string]int{"purchases": 52_828, "touchpoints": 2_871, "customers": 259, "products": 45_698, "campaigns": 27}},
		{"small", sample.Small(), sample.SmallHouseholds, map[string]int{"purchases": 1_422, "touchpoints": 83, "customers": 8, "products": 6_124, "campaigns": 27}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got := map[string][]row{}
			for topic, want := range c.rows {
				got[topic] = rows(t, c.files, topic)
				if len(got[topic]) != want {
					t.Errorf("%s: %d rows, want %d", topic, len(got[topic]), want)
				}
			}
			ids := households(got["purchases"])
			if len(ids) != c.households {
				t.Errorf("%d households, want %d", len(ids), c.households)
			}
			known := map[string]bool{}
			for _, p := range got["products"] {
				known[p.ProductID] = true
			}
			for _, topic := range []string{"purchases", "touchpoints"} {
				checkEvents(t, topic, got[topic], ids, known)
			}
		})
	}
}

// checkEvents holds for a file of events: in time order, only the sample's households, only products that the sample knows.
func checkEvents(t *testing.T, topic string, events []row, ids, products map[string]bool) {
	t.Helper()
	unknown := map[string]bool{}
	for i, e := range events {
		if i > 0 && e.OccurredAt.Before(events[i-1].OccurredAt) {
			t.Fatalf("%s line %d is earlier than the line before", topic, i+1)
		}
		if !ids[e.CustomerID] {
			t.Fatalf("%s line %d: %s is not one of the households", topic, i+1, e.CustomerID)
		}
		for _, l := range e.Lines {
			if !products[l.ProductID] {
				unknown[l.ProductID] = true
			}
		}
	}
	// The source's own catalogue misses a handful of the products sold.
	if len(unknown) > 5 {
		t.Errorf("%s: %d products bought that the catalogue does not know", topic, len(unknown))
	}
}

func TestOldestAndNewest(t *testing.T) {
	purchases, touchpoints := rows(t, sample.Full(), "purchases"), rows(t, sample.Full(), "touchpoints")
	if first := touchpoints[0].OccurredAt; !first.Equal(sample.Oldest) || purchases[0].OccurredAt.Before(first) {
		t.Errorf("the first event is of %s", first)
	}
	if last := purchases[len(purchases)-1].OccurredAt; !last.Equal(sample.Newest) || touchpoints[len(touchpoints)-1].OccurredAt.After(last) {
		t.Errorf("the last event is of %s", last)
	}
}

func TestSmallIsTheTopOfTheRanking(t *testing.T) {
	full := households(rows(t, sample.Full(), "purchases"))
	small := households(rows(t, sample.Small(), "purchases"))
	rank := func(id string) []byte {
		h := sha256.Sum256([]byte("leadline-sample/" + id))
		return h[:]
	}
	var last []byte
	for id := range small {
		if !full[id] {
			t.Errorf("%s is in small but not in full", id)
		}
		if r := rank(id); bytes.Compare(r, last) > 0 {
			last = r
		}
	}
	for id := range full {
		if !small[id] && bytes.Compare(rank(id), last) < 0 {
			t.Errorf("%s ranks above a household of small and is not in it", id)
		}
	}
}

func TestSampleIsSmallEnoughToCommit(t *testing.T) {
	for _, c := range []struct {
		files fs.FS
		most  int64
	}{{sample.Full(), 8 << 20}, {sample.Small(), 200 << 10}} {
		var total int64
		err := fs.WalkDir(c.files, ".", func(_ string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			info, err := d.Info()
			if err == nil {
				total += info.Size()
			}
			return err
		})
		if err != nil || total == 0 || total > c.most {
			t.Errorf("%d bytes, at most %d allowed (%v)", total, c.most, err)
		}
	}
}
