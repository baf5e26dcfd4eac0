package deadletter

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"leadline/internal/sales"
	"leadline/internal/wire"
)

// ask sends one request to the handler, and reads its JSON.
func ask(t *testing.T, h http.Handler, method, target, body string) (int, map[string]any) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if method == "POST" {
		r.Header.Set("Content-Type", "application/json; charset=utf-8")
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	var out map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
		t.Fatalf("%s %s: %d %v: %.300s", method, target, w.Code, err, w.Body)
	}
	kind := "application/json"
	if w.Code >= 400 {
		kind = "application/problem+json"
		if out["status"] != float64(w.Code) || out["title"] != http.StatusText(w.Code) || out["detail"] == "" {
			t.Errorf("%s %s: the problem is %v", method, target, out)
		}
	}
	if w.Header().Get("Content-Type") != kind || w.Header().Get("Cache-Control") != "no-store" {
		t.Errorf("%s %s: headers %v", method, target, w.Header())
	}
	return w.Code, out
}

func TestListedShownAndRetriedOverHTTP(t *testing.T) {
	w := setup(t)
	core, logged := observer.New(zap.InfoLevel)
	h := w.box.Handler(zap.New(core))
	for i := range 5 {
		w.refuse(int32(i%2), sales.DeadInvalid, w.prefix+"purchases", fmt.Sprint("c", i), w.broken(fmt.Sprint("c", i)))
	}
	w.refuse(0, sales.DeadTime, w.prefix+"customers", "d", nil)
	seen := map[string]bool{}
	for target := "/v1/dead-letters?source=purchases&reason=BECAUSE&limit=2"; ; {
		code, page := ask(t, h, "GET", target, "")
		if counts := page["counts"].(map[string]any); code != 200 || counts["letters"] != 5. || counts["by_class"].(map[string]any)["invalid"] != 5. {
			t.Fatalf("%s: %d %v", target, code, page)
		}
		for _, l := range page["letters"].([]any) {
			seen[l.(map[string]any)["key"].(string)] = true
		}
		next, more := page["next"]
		if !more {
			break
		}
		target = "/v1/dead-letters?source=purchases&reason=BECAUSE&limit=2&cursor=" + url.QueryEscape(next.(string))
	}
	if len(seen) != 5 {
		t.Errorf("pages show %v", seen)
	}

	code, shown := ask(t, h, "GET", "/v1/dead-letters/0/0", "")
	letter := shown["letter"].(map[string]any)
	if code != 200 || letter["key"] != "c0" || letter["value"].(map[string]any)["customer_id"] != "c0" || len(shown["history"].([]any)) != 1 {
		t.Errorf("%d %v", code, shown)
	}
	letter["value"].(map[string]any)["lines"].([]any)[0].(map[string]any)["quantity"] = 3
	edited, err := json.Marshal(map[string]any{"letters": []any{letter}, "dry_run": true})
	if err != nil {
		t.Fatal(err)
	}
	if code, report := ask(t, h, "POST", "/v1/dead-letters/retry", string(edited)); code != 200 || report["sent"] != 1. || report["edited"] != 1. || report["dry_run"] != true {
		t.Errorf("dry: %d %v", code, report)
	}
	if len(w.arrived(w.prefix+"purchases")) != 0 || logged.Len() != 0 {
		t.Error("a dry run sent something, or said so")
	}
	if code, report := ask(t, h, "POST", "/v1/dead-letters/retry", strings.Replace(string(edited), `"dry_run":true`, `"dry_run":false`, 1)); code != 200 || report["sent"] != 1. {
		t.Errorf("%d %v", code, report)
	}
	if code, report := ask(t, h, "POST", "/v1/dead-letters/retry", `{"filter":{"class":"invalid"}}`); code != 200 || report["sent"] != 4. || report["sent_before"] != 1. {
		t.Errorf("%d %v", code, report)
	}
	if n := len(w.arrived(w.prefix + "purchases")); n != 5 {
		t.Errorf("%d records arrived", n)
	}
	if n := logged.FilterMessage("dead letters sent again").Len(); n != 2 {
		t.Errorf("%d retries are in the log", n)
	}
}

func TestRequestsThatAreRefused(t *testing.T) {
	w := setup(t)
	w.refuse(0, sales.DeadInvalid, w.prefix+"purchases", "c", w.broken("c"))
	h := w.box.Handler(zap.NewNop())
	for request, c := range map[string]struct {
		code   int
		detail string
	}{
		"GET /v1/dead-letters?class=odd":                                  {400, "class: \"odd\": want one of [not_avro"},
		"GET /v1/dead-letters?clas=time":                                  {400, `"clas": there is no such parameter`},
		"GET /v1/dead-letters?limit=0":                                    {400, "from 1 to 1000"},
		"GET /v1/dead-letters?limit=1001":                                 {400, "from 1 to 1000"},
		"GET /v1/dead-letters?since=yesterday":                            {400, "since: \"yesterday\": want a time like"},
		"GET /v1/dead-letters?at=0":                                       {400, "at: \"0\": want PARTITION/OFFSET"},
		"GET /v1/dead-letters?cursor=x":                                   {400, "cursor: \"x\" is none"},
		"GET /v1/dead-letters?cursor=%zz":                                 {400, "invalid URL escape"},
		"GET /v1/dead-letters/0/99":                                       {404, "no dead letter stands there"},
		"GET /v1/dead-letters/0/x":                                        {400, "want PARTITION/OFFSET"},
		"GET /v1/dead-letters/elsewhere":                                  {404, "there are /v1/dead-letters,"},
		"GET /v1/dead-letters/retry":                                      {405, "allowed here: POST"},
		"DELETE /v1/dead-letters":                                         {405, "allowed here: GET"},
		"POST /v1/dead-letters/0/0":                                       {405, "allowed here: GET"},
		"POST /v1/dead-letters/retry ":                                    {400, "the body is no request"},
		"POST /v1/dead-letters/retry {}":                                  {400, `want either "filter"`},
		`POST /v1/dead-letters/retry {"filter":{},"letters":[]}`:          {400, `want either "filter"`},
		`POST /v1/dead-letters/retry {"filtre":{}}`:                       {400, `unknown field "filtre"`},
		`POST /v1/dead-letters/retry {"filter":{"class":"odd"}}`:          {400, "class: \"odd\""},
		`POST /v1/dead-letters/retry {"filter":{}} {}`:                    {400, "more than one JSON value"},
		`POST /v1/dead-letters/retry {"letters":[{"at":"0/9"}]}`:          {422, "nothing was sent: see errors"},
		`POST /v1/dead-letters/retry {"letters":[{"at":"0/0","key":""}]}`: {422, "nothing was sent: see errors"},
	} {
		method, rest, _ := strings.Cut(request, " ")
		target, body, _ := strings.Cut(rest, " ")
		code, problem := ask(t, h, method, target, body)
		if code != c.code || !strings.Contains(problem["detail"].(string), c.detail) {
			t.Errorf("%s: %d %v", request, code, problem)
		}
		if listed, _ := problem["errors"].([]any); (code == 422) != (len(listed) == 1) {
			t.Errorf("%s: errors %v", request, listed)
		}
	}
	for name, set := range map[string]func(*http.Request){
		"415 no type": func(*http.Request) {}, "415 a form": func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") },
		"413 a large body": func(r *http.Request) { r.Header.Set("Content-Type", "application/json") },
	} {
		r := httptest.NewRequestWithContext(t.Context(), "POST", "/v1/dead-letters/retry", strings.NewReader(`{"filter":{}`+strings.Repeat(" ", maxBody)+`}`))
		set(r)
		a := httptest.NewRecorder()
		h.ServeHTTP(a, r)
		if want, _, _ := strings.Cut(name, " "); fmt.Sprint(a.Code) != want {
			t.Errorf("%s: %d %s", name, a.Code, a.Body)
		}
	}
	if n := len(w.arrived(w.prefix + "purchases")); n != 0 {
		t.Errorf("%d records were sent", n)
	}
}

// While one retry runs another one is told so; so are readers beyond a few. What fails in between is a problem that says what was sent.
func TestOneRetryAtATimeOverHTTP(t *testing.T) {
	w := setup(t)
	w.refuse(0, sales.DeadMisrouted, w.prefix+"purchases", "wrong", w.purchase("ann"))
	h := w.box.Handler(zap.NewNop())
	w.asked = func() error {
		if code, problem := ask(t, h, "POST", "/v1/dead-letters/retry", `{"filter":{}}`); code != 409 {
			t.Errorf("%d %v", code, problem)
		}
		return errors.New("registry is down")
	}
	code, problem := ask(t, h, "POST", "/v1/dead-letters/retry", `{"filter":{}}`)
	if code != 503 || !strings.Contains(problem["detail"].(string), "registry is down") || problem["report"].(map[string]any)["sent"] != 0. {
		t.Errorf("%d %v", code, problem)
	}
	depth := 0
	w.box.Decoder = wire.NewDecoder(w)
	w.asked = func() error {
		depth++
		others := depth
		if others > readsAtOnce {
			t.Error("more readers than there may be")
			return nil
		}
		code, _ := ask(t, h, "GET", "/v1/dead-letters/0/0", "")
		if want := map[bool]int{true: 503, false: 200}[others == readsAtOnce]; code != want {
			t.Errorf("a reader beside %d others: %d", others, code)
		}
		return nil
	}
	if code, _ := ask(t, h, "GET", "/v1/dead-letters/0/0", ""); code != 200 || depth != readsAtOnce {
		t.Errorf("%d, depth %d", code, depth)
	}
}
