// Package figures makes tables and pictures of what package bench measured, and of the rows of a comparison of engines, and keeps them in
// a page of Markdown, so that nobody types a figure; and it draws what leadline evaluate links found.
//
// It guarantees that the same results give the same page to the byte, and that of a page it changes nothing but its own sections. It
// measures nothing and judges nothing. The commands import it.
package figures

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"leadline/internal/bench"
)

// Results are what was measured, in the order of the files.
type Results struct {
	Speeds     []bench.Speed
	Growths    []bench.Growth
	Recoveries []bench.Recovery
	Rows       []Row
}

// Row is one run of an engine in a comparison: one line of a file *.jsonl. What does not belong to the row's kind is zero.
type Row struct {
	Kind string `json:"kind"` // drain, latency or recovery; others are passed over
	Run  string `json:"run"`  // the engine and how it was set: rounds have the same

	Events    int64   `json:"events"`
	PerSecond float64 `json:"events_per_s"`
	EngineCPU float64 `json:"engine_cpu_s_per_M"` // seconds a million events, which is µs an event
	RedisCPU  float64 `json:"redis_cpu_s_per_M"`
	KafkaCPU  float64 `json:"broker_cpu_s_per_M"`
	PeakMB    float64 `json:"rss_MB"` // of the engine

	Rate        float64 `json:"rate"`
	Seconds     float64 `json:"seconds"`
	Samples     int64   `json:"samples"`
	P50         float64 `json:"p50_ms"`
	P90         float64 `json:"p90_ms"`
	P99         float64 `json:"p99_ms"`
	P999        float64 `json:"p999_ms"`
	Max         float64 `json:"max_ms"`
	EngineCores float64 `json:"engine_cpu_cores"`
	KafkaCores  float64 `json:"broker_cpu_cores"`

	ToCommit float64 `json:"kill_to_new_commit_s"`
	ToEnd    float64 `json:"kill_to_end_s"`

	Alerts   int64  `json:"alerts"`
	Checksum string `json:"checksum"`
	Lost     int64  `json:"lost"`
	Doubled  int64  `json:"dup"`
	Foreign  int64  `json:"foreign"` // alerts that an undisturbed run does not have
}

// Read takes in the files: what leadline bench wrote with --json, and *.jsonl with the rows of a comparison.
func Read(files []string) (*Results, error) {
	all := new(Results)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read results: %w", err)
		}
		if filepath.Ext(file) == ".jsonl" {
			err = all.addRows(text)
		} else {
			err = all.add(text)
		}
		if err != nil {
			return nil, fmt.Errorf("read results of %s: %w", file, err)
		}
	}
	return all, nil
}

func (r *Results) addRows(text []byte) error {
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		var row Row
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if row.Kind == "" || row.Run == "" {
			return fmt.Errorf("line %d has no kind or no run", n)
		}
		r.Rows = append(r.Rows, row)
	}
	return lines.Err()
}

// add tells the measurements apart by what they have.
func (r *Results) add(text []byte) error {
	var has struct {
		Points, Drains, Latencies, Kills, Takeovers, Removals, Rebuilds json.RawMessage
	}
	if err := json.Unmarshal(text, &has); err != nil {
		return err
	}
	switch {
	case has.Points != nil:
		return into(&r.Growths, text)
	case has.Drains != nil || has.Latencies != nil:
		return into(&r.Speeds, text)
	case has.Kills != nil || has.Takeovers != nil || has.Removals != nil || has.Rebuilds != nil:
		return into(&r.Recoveries, text)
	}
	return errors.New("no measurement of leadline bench is in it")
}

func into[T any](all *[]T, text []byte) error {
	var one T
	if err := json.Unmarshal(text, &one); err != nil {
		return err
	}
	*all = append(*all, one)
	return nil
}
