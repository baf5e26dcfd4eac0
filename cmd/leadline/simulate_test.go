package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"

	"leadline/internal/simulate"
)

// TestSimulate writes a world, then a smaller one over it, and finds nothing of the first.
func TestSimulate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "world")
	file := filepath.Join(t.TempDir(), "null.yaml")
	if err := os.WriteFile(file, []byte("links: []\ncampaigns: []\ncustomers: 7\ndays: 20\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--customers=30", "--days=90"}, {"--world", file, "--days=40", "--seed=9"}} {
		code, out, stderr := leadline(t, nil, append([]string{"simulate", "--out", dir}, args...)...)
		if code != 0 || !strings.Contains(out, "next: leadline load "+dir) {
			t.Fatalf("exit %d: %s%s", code, out, stderr)
		}
	}
	var truth simulate.Truth
	text, err := os.ReadFile(filepath.Join(dir, "truth.json"))
	if err == nil {
		err = json.Unmarshal(text, &truth)
	}
	if w := truth.World; err != nil || w.Customers != 7 || w.Days != 40 || w.Seed != 9 || len(truth.Links) != 0 {
		t.Errorf("%v, %+v", err, truth)
	}
	for topic, want := range map[string]int{"customers": 7, "campaigns": 0, "products": len(world(t, truth.World)["products"]),
		"purchases": len(world(t, truth.World)["purchases"])} {
		if got := strings.Count(unzipped(t, filepath.Join(dir, "sim."+topic+".jsonl.gz")), "\n"); got != want {
			t.Errorf("%s: %d lines, want %d", topic, got, want)
		}
	}
}

// TestSimulatedWorldLoads: load takes every line, and leaves truth.json alone.
func TestSimulatedWorldLoads(t *testing.T) {
	s := newShop(t)
	s.must("topics", "create")
	dir := t.TempDir()
	s.must("simulate", "--out", dir, "--customers=40", "--days=90")
	out := s.must("load", dir)
	if !matches(out, `^5 files, \d+ read, \d+ sent, 0 rejected`) || !matches(out, `(?m)^  customers +40$`) {
		t.Error(out)
	}
}

// world makes the world that truth.json names, by topic.
func world(t *testing.T, w simulate.World) map[string][]simulate.Event {
	t.Helper()
	made := map[string][]simulate.Event{}
	if _, err := w.Generate(func(e simulate.Event) error { made[e.Topic] = append(made[e.Topic], e); return nil }); err != nil {
		t.Fatal(err)
	}
	return made
}

func unzipped(t *testing.T, path string) string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	zip, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(zip)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestSimulateRefusesWhatCannotBe(t *testing.T) {
	for line, want := range map[string]string{
		"simulate --out x --customers 0":        "customers 0: must be 1",
		"simulate --out x --world no/such.yaml": "no such file",
		"simulate":                              "missing flags: --out",
	} {
		t.Chdir(t.TempDir())
		code, _, stderr := leadline(t, nil, strings.Fields(line)...)
		if _, err := os.Stat("x"); code == 0 || !strings.Contains(stderr, want) || err == nil {
			t.Errorf("%s: exit %d, %q, want %q and nothing written (%v)", line, code, stderr, want, err)
		}
	}
}
