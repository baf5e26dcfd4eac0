//go:build integration

package integration

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The measurement goes through and takes its tenant away again. Its figures are nobody's concern here.
func TestBenchMeasuresAndLeavesNothing(t *testing.T) {
	in := install(t)
	file := filepath.Join(t.TempDir(), "figures.json")
	out := in.must("bench", "recovery", "kill", "--customers=300", "--rate=200", "--rounds=1", "--json="+file, "--logs="+t.TempDir())
	if !strings.Contains(out, "kill -9, same instance at once") {
		t.Errorf("printed:\n%s", out)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var figures struct {
		Kills []struct {
			FirstCommit float64 `json:"first_commit_s"`
		}
	}
	if err := json.Unmarshal(text, &figures); err != nil || len(figures.Kills) != 1 || figures.Kills[0].FirstCommit <= 0 {
		t.Errorf("%v in %s", err, text)
	}
	if out := in.must("bench", "declining", "--customers=3000", "--rounds=1"); !strings.Contains(out, "3000 customers with") || !strings.Contains(out, "usual windows, first page") {
		t.Errorf("printed:\n%s", out)
	}
	if out := in.must("bench", "drain", "--job=b1", "--orders=20000", "--customers=1000", "--rounds=1"); !strings.Contains(out, "0 lost, 0 twice, 0 foreign") {
		t.Errorf("printed:\n%s", out)
	}
	topics, err := in.admin.ListTopics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range topics.Names() {
		if strings.HasPrefix(name, "bench-") {
			t.Errorf("topic %s is left", name)
		}
	}
}
