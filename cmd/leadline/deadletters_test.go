package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"leadline/internal/sales"
	"leadline/internal/topics"
	"leadline/internal/wire"
)

// steers tells of output that holds anything but printing characters and line breaks.
func steers(text string) bool {
	for _, r := range text {
		if r != '\n' && (r == utf8.RuneError || !strconv.IsPrint(r)) {
			return true
		}
	}
	return false
}

// refusals puts records on purchases that the engine must refuse: bytes that are no Avro, under a key that steers a terminal, and
// purchases without a quantity.
func (s *shop) refusals(customers ...string) {
	s.t.Helper()
	p := &process{environ: s.env}
	tool, err := p.connect()
	if err != nil {
		s.t.Fatal(err)
	}
	defer tool.Close()
	ids, err := topics.IDs(s.t.Context(), tool.Registry, tool.config.TopicPrefix)
	if err != nil {
		s.t.Fatal(err)
	}
	records := []*kgo.Record{{Topic: "shop.purchases", Key: []byte("\x1b[2J\u009b\xff"), Value: []byte("\x1b]0;owned\x07 no Avro"),
		Headers: []kgo.RecordHeader{{Key: "from\x1b[1m", Value: []byte("\u202eevil")}}}}
	for _, c := range customers {
		value, err := wire.NewEncoder(ids).AppendPurchase(nil, &sales.Purchase{EventID: "e-" + c, CustomerID: c, OccurredAt: 1_750_000_000_000,
			Currency: "USD", Lines: []sales.Line{{ProductID: "p", Category: "BEEF & PORK", AmountMinor: 5}}})
		if err != nil {
			s.t.Fatal(err)
		}
		records = append(records, &kgo.Record{Topic: "shop.purchases", Key: []byte(c), Value: value})
	}
	if err := tool.Kafka.ProduceSync(s.t.Context(), records...).FirstErr(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) letters() deadLetters {
	s.t.Helper()
	var out deadLetters
	text := s.must("dead-letters", "list", "--json")
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		s.t.Fatalf("%v: %s", err, text)
	}
	if steers(text) {
		s.t.Errorf("list --json steers the terminal: %q", text)
	}
	return out
}

type deadLetters struct {
	Counts struct {
		Letters int            `json:"letters"`
		Unsent  int            `json:"unsent"`
		ByClass map[string]int `json:"by_class"`
	} `json:"counts"`
	Letters []struct {
		At  string `json:"at"`
		Key string `json:"key"`
	} `json:"letters"`
}

func (d deadLetters) at(key string) string {
	for _, l := range d.Letters {
		if l.Key == key {
			return l.At
		}
	}
	return "nowhere"
}

// TestDeadLettersAreMended is the way of a data engineer: what was refused is counted, looked at, exported, edited and sent again, from
// the command line, in an editor and over HTTP.
func TestDeadLettersAreMended(t *testing.T) {
	s := newShop(t)
	s.must("topics", "create")
	stop := s.start("run")
	defer stop()
	s.refusals("ann", "bob", "cyd", "dan")
	s.eventually("all are refused", func() bool { return s.letters().Counts.Letters == 5 })
	all := s.letters()
	if all.Counts.ByClass["not_avro"] != 1 || all.Counts.ByClass["invalid"] != 4 || all.Counts.Unsent != 5 {
		t.Errorf("counts %+v", all.Counts)
	}
	list := s.must("dead-letters", "list", "--last", "2")
	if !matches(list, `^5 dead letters, 5 not sent again yet\n  by class  invalid 4, not_avro 1\n  by from   shop.purchases 5\n  by day `) || strings.Count(list, "\n") != 8 {
		t.Errorf("list:\n%s", list)
	}
	s.shows(all)
	s.editsAFile(all)
	s.editsInAnEditor(all)
	s.editsOverHTTP(all)
	for _, mended := range []string{"ann", "cyd", "dan"} {
		s.eventually(mended+"'s purchase counts", func() bool {
			code, _, _ := leadline(t, s.env, "state", "show", mended, "--changelog")
			return code == 0
		})
	}
	if left := s.letters().Counts; left.Letters != 6 || left.Unsent != 2 { // one was sent as it was, and refused again
		t.Errorf("left: %+v", left)
	}
}

func (s *shop) shows(all deadLetters) {
	s.t.Helper()
	ann := s.must("dead-letters", "show", all.at("ann"))
	if !matches(ann, `class +invalid\n +reason +lines\[0\]\.quantity is 0`) || !strings.Contains(ann, `"category": "BEEF & PORK"`) ||
		!strings.Contains(ann, "history\n    "+all.at("ann")) {
		s.t.Errorf("show:\n%s", ann)
	}
	for _, l := range all.Letters {
		for _, form := range [][]string{{"show", l.At}, {"show", l.At, "--json"}, {"export", "--at", l.At}, {"list", "--at", l.At}} {
			if out := s.must(append([]string{"dead-letters"}, form...)...); steers(out) {
				s.t.Errorf("%v steers the terminal: %q", form, out)
			}
		}
	}
	odd := s.must("dead-letters", "list", "--class", "not_avro", "--json")
	at := regexp.MustCompile(`"at": "([^"]+)"`).FindStringSubmatch(odd)[1]
	if out := s.must("dead-letters", "show", at); !matches(out, `cannot be decoded: not_avro: no wire-format header`) || !matches(out, `00000000  1b 5d 30 3b .*\.\]0;owned\. no Av\n`) {
		s.t.Errorf("show:\n%s", out)
	}
	if raw := s.must("dead-letters", "show", at, "--raw"); raw != "\x1b]0;owned\x07 no Avro" {
		s.t.Errorf("raw: %q", raw)
	}
	if said := s.fails(exitFailed, "dead-letters", "show", "0/9999"); !strings.Contains(said, "no dead letter stands there") {
		s.t.Errorf("show nothing: %s", said)
	}
}

// editsAFile mends one letter, leaves another as it is, and is told about a mistake before anything is sent.
func (s *shop) editsAFile(all deadLetters) {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), "letters.jsonl")
	if out := s.must("dead-letters", "export", "--at", all.at("ann"), "--at", all.at("bob"), "--out", file); !strings.HasPrefix(out, "2 dead letters in ") {
		s.t.Errorf("export: %s", out)
	}
	if said := s.fails(exitFailed, "dead-letters", "export", "--out", file); !strings.Contains(said, "exists") {
		s.t.Errorf("export over a file: %s", said)
	}
	change := func(old, text string) {
		s.t.Helper()
		content, err := os.ReadFile(file)
		if err != nil {
			s.t.Fatal(err)
		}
		lines := bytes.SplitAfter(content, []byte("\n"))
		for i := range lines {
			if bytes.Contains(lines[i], []byte(`"key":"ann"`)) {
				lines[i] = bytes.Replace(lines[i], []byte(old), []byte(text), 1)
			}
		}
		if err := os.WriteFile(file, bytes.Join(lines, nil), 0o600); err != nil {
			s.t.Fatal(err)
		}
	}
	change(`"quantity":0`, `"quantity":"\u001b[2J"`)
	if said := s.fails(exitFailed, "dead-letters", "retry", "--edit", file); !matches(said, `nothing was sent: of the edited letters these are wrong:\n  line \d \(letter \d/\d+\): value: lines\[0\]\.quantity: want a whole number`) || steers(said) {
		s.t.Errorf("a wrong edit: %q", said)
	}
	change(`"quantity":"\u001b[2J"`, `"quantity":2`)
	if out := s.must("dead-letters", "retry", "--edit", file, "--dry-run"); !strings.HasPrefix(out, "2 chosen: 2 would be sent (1 edited, ") {
		s.t.Errorf("dry run: %s", out)
	}
	if out := s.must("dead-letters", "retry", "--edit", file); !strings.HasPrefix(out, "2 chosen: 2 sent (1 edited, ") {
		s.t.Errorf("retry: %s", out)
	}
	s.eventually("bob is refused again", func() bool { return s.letters().Counts.Letters == 6 })
	if out := s.must("dead-letters", "show", all.at("bob")); strings.Count(out, "refused 20") != 2 || !strings.Contains(out, "              sent again 20") {
		s.t.Errorf("history:\n%s", out)
	}
	if out := s.must("dead-letters", "show", all.at("ann")); !strings.Contains(out, "sent again, and not refused since") {
		s.t.Errorf("history:\n%s", out)
	}
	if said := s.fails(exitUsage, "dead-letters", "retry", "--edit", file, "--class", "time"); !strings.Contains(said, "cannot be used together") {
		s.t.Errorf("both: %s", said)
	}
}

func (s *shop) editsInAnEditor(all deadLetters) {
	s.t.Helper()
	editor := func(script string) string {
		path := filepath.Join(s.t.TempDir(), "editor")
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o700); err != nil { //nolint:gosec // it is run
			s.t.Fatal(err)
		}
		return path
	}
	env := s.env
	defer func() { s.env = env }()
	if said := s.fails(exitUsage, "dead-letters", "retry", "--at", all.at("cyd"), "--editor"); !strings.Contains(said, "set VISUAL or EDITOR") {
		s.t.Errorf("no editor: %s", said)
	}
	s.env = slices.Concat(env, []string{"PATH=" + os.Getenv("PATH"), "EDITOR=" + editor(`sed -i 's/"quantity": 0/"quantity":/' "$1"`)})
	said := s.fails(exitFailed, "dead-letters", "retry", "--at", all.at("cyd"), "--editor")
	kept := regexp.MustCompile(`your edit is kept in (\S+)`).FindStringSubmatch(said)
	if !strings.Contains(said, "what was edited is no JSON") || kept == nil {
		s.t.Fatalf("spoilt: %s", said)
	}
	if err := os.RemoveAll(filepath.Dir(kept[1])); err != nil {
		s.t.Error(err)
	}
	s.env = slices.Concat(env, []string{"PATH=" + os.Getenv("PATH"), "EDITOR=false", "VISUAL=" + editor(`sed -i 's/"quantity": 0/"quantity": 1/' "$1"`)})
	if out := s.must("dead-letters", "retry", "--at", all.at("cyd"), "--editor"); !strings.HasPrefix(out, "1 chosen: 1 sent (1 edited, ") {
		s.t.Errorf("edited: %s", out)
	}
}

func (s *shop) editsOverHTTP(all deadLetters) {
	s.t.Helper()
	at := regexp.MustCompile(`"msg":"serving","address":"([^"]+)"`).FindStringSubmatch(s.log.String())
	if at == nil {
		s.t.Fatalf("no address in %s", s.log)
	}
	base := "http://" + at[1] + "/v1/dead-letters"
	ask := func(method, url, body string) string {
		s.t.Helper()
		r, err := http.NewRequestWithContext(s.t.Context(), method, url, strings.NewReader(body))
		if err != nil {
			s.t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			s.t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK || steers(string(text)) {
			s.t.Errorf("%s %s: %s %q %v", method, url, answer.Status, text, err)
		}
		return string(text)
	}
	defer http.DefaultClient.CloseIdleConnections()
	if out := ask("GET", base+"?unsent=true&key=dan", ""); !strings.Contains(out, `"letters":1`) {
		s.t.Errorf("list: %s", out)
	}
	var shown struct {
		Letter json.RawMessage `json:"letter"`
	}
	if err := json.Unmarshal([]byte(ask("GET", base+"/"+all.at("dan"), "")), &shown); err != nil {
		s.t.Fatal(err)
	}
	edited := `{"letters":[` + strings.Replace(string(shown.Letter), `"quantity":0`, `"quantity":4`, 1) + `]}`
	if out := ask("POST", base+"/retry", edited); !strings.Contains(out, `"sent":1`) || !strings.Contains(out, `"edited":1`) {
		s.t.Errorf("retry: %s", out)
	}
}
