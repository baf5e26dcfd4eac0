package figures

import (
	"path/filepath"
	"strings"
	"testing"

	"leadline/internal/evaluate"
)

// The picture names each ranker and peer, and is the same each time.
func TestPictureOfLinks(t *testing.T) {
	e := evaluate.Estimate{Mean: 0.2, Low: 0.1, High: 0.3}
	r := &evaluate.LinksReport{Offers: 5, Cuts: []evaluate.CutLinks{
		{Day: "2026-01-01", HorizonDays: 60, Rankers: []evaluate.RankerLine{
			{Name: evaluate.Leadline, NDCG: e, OverPopularity: e, Live: &e}, {Name: evaluate.Popularity, NDCG: e, Live: &e}},
			Peers:       []evaluate.PeerLine{{Name: "ease", LeadlineOver: e}},
			Calibration: &evaluate.Calibration{Judged: evaluate.Judged{ECE: e, Bins: []evaluate.OfferBin{{Said: 0.2, Taken: e}, {Said: 0.4, Taken: e}}}}},
		{Day: "2026-03-01", HorizonDays: 60, Rankers: []evaluate.RankerLine{{Name: evaluate.Leadline, NDCG: e, OverPopularity: e}}},
	}}
	dir := t.TempDir()
	var drawn []string
	for _, name := range []string{"a.svg", "b.svg"} {
		if err := DrawLinks(filepath.Join(dir, name), r); err != nil {
			t.Fatal(err)
		}
		drawn = append(drawn, read(t, filepath.Join(dir, name)))
	}
	for _, want := range []string{"nDCG@5, 2026-01-01 and 60 days", "as live", "leadline over popularity", "leadline over peer ease", "ECE 0.200", "2026-03-01"} {
		if !strings.Contains(drawn[0], want) {
			t.Errorf("it does not show %s", want)
		}
	}
	if drawn[0] != drawn[1] {
		t.Error("drawn again it differs")
	}
	if err := DrawLinks(filepath.Join(dir, "nowhere", "a.svg"), r); err == nil {
		t.Error("a picture that cannot be written is no error")
	}
}
