package intake

import (
	"testing"

	"leadline/internal/sales"
)

// What ParseVersion takes, Version writes again, and nothing makes it panic.
func FuzzVersion(f *testing.F) {
	f.Add("forecasts:0,leadline.models:3,product-links:12,products:9")
	f.Add("forecasts:0,product-links:12,products:9")
	f.Add("forecasts:0,product-links:12")
	f.Add("products:1,product-links:12,forecasts:9")
	f.Add("forecasts:-1,product-links:12,products:9")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParseVersion(sales.KnowledgeVersion(text))
		if err != nil {
			return
		}
		if again, err := ParseVersion(p.Version()); err != nil || again != p {
			t.Errorf("%q is %v, written and read again %v, %v", text, p, again, err)
		}
	})
}

func TestVersionRefused(t *testing.T) {
	for _, text := range []string{"", "forecasts:0,product-links:12", "products:1,product-links:12,forecasts:9",
		"forecasts:-1,product-links:12,products:9", "forecasts:x,product-links:12,products:9", "forecasts:0,product-links:12,products:9,",
		"forecasts:0,product-links:12,products:9,gossip:1", "forecasts:0,leadline.models:,product-links:12,products:9"} {
		if p, err := ParseVersion(sales.KnowledgeVersion(text)); err == nil {
			t.Errorf("%q was read as %v", text, p)
		}
	}
	want := Positions{0, 3, 12, 9}
	if p, err := ParseVersion("forecasts:0,leadline.models:3,product-links:12,products:9"); err != nil || p != want {
		t.Errorf("%v, %v, want %v", p, err, want)
	}
}

// A journal of a release that knew no models knew nothing of them.
func TestVersionOfAnEarlierRelease(t *testing.T) {
	want := Positions{0, 0, 12, 9}
	if p, err := ParseVersion("forecasts:0,product-links:12,products:9"); err != nil || p != want {
		t.Errorf("%v, %v, want %v", p, err, want)
	}
}
