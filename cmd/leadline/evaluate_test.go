package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"leadline/internal/desk"
	"leadline/internal/evaluate"
	"leadline/internal/rehearsal"
)

// A simulated year is measured from its files alone, as text and as JSON; what cannot be asked is said with the reason.
func TestEvaluateLinks(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "world")
	if code, _, stderr := leadline(t, nil, "simulate", "--out", dir, "--customers=400", "--days=300"); code != 0 {
		t.Fatal(stderr)
	}
	ask := []string{"evaluate", "links", dir, "--cut=2025-07-20/60", "--min-buyers=10"}
	code, out, stderr := leadline(t, nil, ask...)
	if code != 0 || !matches(out, `learned before 2025-07-20, judged by the 60 days`) || !matches(out, `(?m)^popularity .* 1\.000 \(1\.000 to 1\.000\)`) {
		t.Errorf("exit %d: %s%s", code, out, stderr)
	}
	code, out, stderr = leadline(t, nil, append(ask, "--json")...)
	var report evaluate.LinksReport
	if err := json.Unmarshal([]byte(out), &report); code != 0 || err != nil || len(report.Cuts) != 1 || len(report.Cuts[0].Cases) != report.Cuts[0].Customers {
		t.Errorf("exit %d, %v: %.300s%s", code, err, out, stderr)
	}
	peers, plot := filepath.Join(t.TempDir(), "peers.csv.gz"), filepath.Join(t.TempDir(), "links.svg")
	zip(t, peers, fmt.Sprintf("cut,H,customer_id,relevant,other_ndcg5\n200,60,%s,1,0.5\n", report.Cuts[0].Cases[0].CustomerID))
	code, out, stderr = leadline(t, nil, append(ask, "--live", "--peers="+peers, "--plot="+plot)...)
	drawn, err := os.ReadFile(plot)
	if code != 0 || err != nil || !bytes.Contains(drawn, []byte("leadline over peer other")) || !matches(out, `ranker .* as live`) ||
		!matches(out, `(?m)^other  +0\.500 `) || !matches(out, `leadline's chances, learned from 60 days of 2025-05-21 on: ECE 0\.`) {
		t.Errorf("exit %d, %v: %s%s", code, err, out, stderr)
	}
	for arg, want := range map[string]string{
		"--cut=2025-07-20":    "want a day and how many days",
		"--cut=2031-01-01/60": "the history goes from",
		"--level=colour":      "--level",
		"--peers=none.csv":    "none.csv",
		"--offers=0":          "--min-buyers and --offers",
	} {
		_, _, stderr := leadline(t, nil, "evaluate", "links", dir, "--cut=2025-07-20/60", arg)
		if !strings.Contains(stderr, want) {
			t.Errorf("%s: said %q, want %q", arg, stderr, want)
		}
	}
}

// Links are learned from files alone, by the rules of the configuration.
func TestLinksFromFiles(t *testing.T) {
	dir := t.TempDir()
	var orders strings.Builder
	for c := range 400 { // those of one half buy tea and honey, the others anything but
		for day := range 20 {
			items := []string{"TEA", "HONEY", "BREAD", "MILK", "SOAP", "WINE"}
			item := items[(c*7+day*5)%6]
			if c%2 == 0 && day%3 == 0 {
				item = items[day%2]
			}
			fmt.Fprintf(&orders, `{"event_id":"e%d-%d","customer_id":"c%d","occurred_at":"2025-0%d-%02dT12:00:00Z","order_id":"o","currency":"EUR","lines":[{"product_id":"p","category":"%s","quantity":1,"amount_minor":100}]}`+"\n",
				c, day, c, 1+day/5, 1+(c+day*6)%28, item)
		}
	}
	file := filepath.Join(dir, "shop.purchases.jsonl")
	if err := os.WriteFile(file, []byte(orders.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	ask := []string{"links", "--from-files", file, "--cut=2025-04-20"}
	code, out, stderr := leadline(t, nil, append(ask, "--json", "--limit=0")...)
	var answer desk.LinksAnswer
	if err := json.Unmarshal([]byte(out), &answer); code != 0 || err != nil {
		t.Fatalf("exit %d, %v: %s%s", code, err, out, stderr)
	}
	code, out, stderr = leadline(t, nil, append(ask, "--counts")...)
	first, _, _ := strings.Cut(out, "\n")
	if code != 0 || !matches(first, `^{"tally":"pairs","row":"","col":"","bucket":\d+,"n":\d+}$`) || !strings.Contains(out, `"row":"HONEY","col":"TEA"`) {
		t.Errorf("exit %d: %s%s", code, first, stderr)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no day":           {[]string{"links", "--from-files", file}, "want the day before which is learned"},
		"a day of nothing": {[]string{"links", "--cut=2025-04-20"}, "--cut belongs to --from-files"},
		"no file":          {[]string{"links", "--from-files", filepath.Join(dir, "none.purchases.jsonl"), "--cut=2025-04-20"}, "none.purchases.jsonl"},
	} {
		if code, _, stderr := leadline(t, nil, c.args...); code == 0 || !strings.Contains(stderr, c.want) {
			t.Errorf("%s: exit %d, said %s", name, code, stderr)
		}
	}
}

func zip(t *testing.T, file, text string) {
	t.Helper()
	var to bytes.Buffer
	w := gzip.NewWriter(&to)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(), os.WriteFile(file, to.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// The same year is asked who was about to slip away.
func TestEvaluateDeclining(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "world")
	if code, _, stderr := leadline(t, nil, "simulate", "--out", dir, "--customers=400", "--days=300"); code != 0 {
		t.Fatal(stderr)
	}
	ask := []string{"evaluate", "declining", dir, "--cut=2025-07-20/60", "--cut=2025-08-20/60"}
	plot := filepath.Join(dir, "plot.svg")
	code, out, stderr := leadline(t, nil, append(ask, "--plot="+plot)...)
	if drawn, err := os.ReadFile(plot); err != nil || !strings.Contains(string(drawn), "who warns sooner") || !strings.Contains(string(drawn), ">RFM quintiles<") {
		t.Errorf("%v: the picture shows %.300s", err, drawn)
	}
	if code != 0 || !matches(out, `(?m)^It looks ahead`) || !matches(out, `(?m)^leadline  +0\.`) || !matches(out, `all 2 cuts together`) {
		t.Errorf("exit %d: %s%s", code, out, stderr)
	}
	code, out, stderr = leadline(t, nil, append(ask, "--label=none", "--json")...)
	var report evaluate.DecliningReport
	if err := json.Unmarshal([]byte(out), &report); code != 0 || err != nil || report.Label != evaluate.None || len(report.Cuts) != 2 ||
		len(report.Cuts[0].Each) != report.Cuts[0].Cases || report.Pooled == nil {
		t.Errorf("exit %d, %v: %.300s%s", code, err, out, stderr)
	}
	for arg, want := range map[string]string{
		"--cut=2025-07-20":    "want a day and how many days",
		"--cut=2031-01-01/60": "the history goes from",
		"--cut=2025-07-20/30": "cuts with 60 and 30 days",
		"--label=gone":        "--label",
		"--min-days=0":        "--min-days 1 or more",
		"--peers=nowhere.csv": "nowhere.csv",
	} {
		code, _, stderr := leadline(t, nil, "evaluate", "declining", dir, "--cut=2025-07-20/60", arg)
		if code == 0 || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit %d, said %q, want %q", arg, code, stderr, want)
		}
	}
}

// A history of customers of three tastes is played through the engine, week by week.
func TestEvaluateOffers(t *testing.T) {
	var orders strings.Builder
	for c := range 150 {
		for n := range 26 {
			day := time.Date(2025, 1, 1+(c*5)%10+n*10, 12, 0, 0, 0, time.UTC)
			fmt.Fprintf(&orders, `{"event_id":"e%d-%d","customer_id":"c%d","occurred_at":"%s","order_id":"o","currency":"EUR","lines":[`, c, n, c, day.Format(time.RFC3339))
			for l := range 2 {
				item := (c*17+n*29+l*11+n*n*c)%40*3 + c%3
				fmt.Fprintf(&orders, `%.*s{"product_id":"p","category":"I%d","quantity":1,"amount_minor":100}`, l, ",", item)
			}
			fmt.Fprintln(&orders, "]}")
		}
	}
	file := filepath.Join(t.TempDir(), "shop.purchases.jsonl")
	if err := os.WriteFile(file, []byte(orders.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	ask := []string{"evaluate", "offers", file, "--from=2025-06-01"}
	code, out, stderr := leadline(t, nil, ask...)
	if code != 0 || !matches(out, `orders of \d+ customers from 2025-06-01`) || !matches(out, `(?m)^learned from blank  +0\.`) || !matches(out, `(?m)^2025-07 .*learned `) {
		t.Errorf("exit %d: %s%s", code, out, stderr)
	}
	code, out, stderr = leadline(t, nil, append(ask, "--json")...)
	var report rehearsal.Report
	if err := json.Unmarshal([]byte(out), &report); code != 0 || err != nil || report.Orders == 0 || report.Rows[0].Name != rehearsal.Random {
		t.Errorf("exit %d, %v: %.300s%s", code, err, out, stderr)
	}
	for arg, want := range map[string]string{
		"--from=2031-01-01": "no order from 2031-01-01 on",
		"--from=summer":     "want a day",
		"--level=colour":    "--level",
	} {
		if code, _, stderr := leadline(t, nil, "evaluate", "offers", file, arg); code == 0 || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit %d, said %q, want %q", arg, code, stderr, want)
		}
	}
}
