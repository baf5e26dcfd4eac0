//go:build integration

package desk

import (
	"context"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
)

// rep is somebody at the page, in a real Chromium.
type rep struct {
	t         *testing.T
	ctx       context.Context
	downloads string
}

// open opens the page. What the browser complains about, a script or style that the policy forbids too, fails the test.
func open(t *testing.T, url string) *rep {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx, chromedp.WithAllocatorOptions(chromedp.WindowSize(1300, 1000)), chromedp.WithListener(func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			t.Errorf("the page threw %s", e.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			if e.Entry.Level == log.EntryLevelError && !strings.Contains(e.Entry.Text, "status of 40") {
				t.Errorf("the browser complains: %s", e.Entry.Text)
			}
		}
	}))
	t.Cleanup(cancel)
	r := &rep{t: t, ctx: ctx, downloads: t.TempDir()}
	if _, err := chromedp.Call(ctx, log.Enable, cdp.Empty{}); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	if _, err := chromedp.CallBrowser(ctx, browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorAllow, DownloadPath: r.downloads}); err != nil {
		t.Fatal(err)
	}
	r.do("open the page", chromedp.Navigate(url))
	return r
}

func (r *rep) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	r.t.Helper()
	if err := chromedp.Do(r.ctx, steps...); err != nil {
		r.t.Fatalf("%s: %v", what, err)
	}
}

func (r *rep) click(selector string) {
	r.t.Helper()
	r.do("click "+selector, chromedp.Click(selector))
}

// fill puts a value into a field as typing and leaving it does.
func (r *rep) fill(name, value string) {
	r.t.Helper()
	r.do("fill "+name, chromedp.SetValue(`#ask [name="`+name+`"]`, value))
}

func see[T any](r *rep, script string) T {
	r.t.Helper()
	got, err := chromedp.Run(r.ctx, chromedp.Evaluate[T](script))
	if err != nil {
		r.t.Fatalf("%s: %v", script, err)
	}
	return got
}

// until waits for what the page comes to show.
func (r *rep) until(what, condition string) {
	r.t.Helper()
	for { // between two pages there is nothing to ask
		if yes, err := chromedp.Run(r.ctx, chromedp.Evaluate[bool](condition)); err == nil && yes {
			return
		}
		select {
		case <-r.ctx.Done():
			r.t.Fatalf("never: %s; the page shows %s", what, see[string](r, "document.body.innerText"))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// shot keeps what the page shows as a picture.
func (r *rep) shot(name string) {
	r.t.Helper()
	shot, err := chromedp.Run(r.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		r.t.Error(err)
	} else if err := os.WriteFile(filepath.Join(r.t.ArtifactDir(), name), shot, 0o600); err != nil {
		r.t.Error(err)
	}
}

const shownRows = `[...document.querySelectorAll("tr.customer")].map((r) => r.dataset.customer)`

// rows waits for a list of so many customers.
func (r *rep) rows(n int) []string {
	r.t.Helper()
	r.until(fmt.Sprintf("%d rows", n), fmt.Sprintf(`document.getElementById("status")?.dataset.state === "live" && %s.length === %d`, shownRows, n))
	return see[[]string](r, shownRows)
}

// What a rep does: look, unfold the reasons, turn the page, sort, filter, choose other windows, take the table along, pass the address on.
func TestARepUsesThePage(t *testing.T) {
	url := newTown(t, 360).serve(t, "")
	var all []string
	for _, c := range ask(t, url+Path+"?limit=1000").Customers {
		all = append(all, c.CustomerID)
	}
	r := open(t, url+"/")
	r.click(`a[href="./declining"]`)
	if diff := cmp.Diff(all[:50], r.rows(50)); diff != "" {
		t.Error(diff)
	}
	if got := see[string](r, `document.getElementById("summary").textContent`); !strings.Contains(got, "120 of 360 customers buy less than expected by how everyone else went, ") || !strings.Contains(got, "€") {
		t.Errorf("summary: %s", got)
	}
	r.click(`tr.customer:first-child .unfold`)
	r.until("reasons", `document.querySelector("tr.reasons").innerText.includes("were to be expected as everyone else bought")`)
	r.shot("declining.png")
	r.click("#more")
	r.rows(100)
	r.click("#more")
	if diff := cmp.Diff(all, r.rows(120)); diff != "" {
		t.Errorf("all pages: %s", diff)
	}
	if see[bool](r, `!document.getElementById("more").hidden`) {
		t.Error("there is more behind the last page")
	}

	r.click(`[data-sort="last"]`)
	r.until("sorted", `document.querySelector('[data-sort="last"]').closest("th").ariaSort === "ascending"`)
	var silent []string
	for _, c := range ask(t, url+Path+"?sort=last&limit=50").Customers {
		silent = append(silent, c.CustomerID)
	}
	if diff := cmp.Diff(silent, r.rows(50)); diff != "" {
		t.Errorf("by last purchase: %s", diff)
	}

	r.fill("owner", "rep1")
	r.fill("category", "CATEGORY 1")
	r.fill("segment", "side=right")
	r.click(`.go`)
	r.rows(50)
	r.until("the address names the question", `location.search.includes("owner=rep1") && location.search.includes("side%3Dright")`)
	want := ask(t, url+Path+"?owner=rep1&category=CATEGORY+1&segment=side%3Dright&sort=last&limit=50")
	var ids []string
	for _, c := range want.Customers {
		ids = append(ids, c.CustomerID)
	}
	if diff := cmp.Diff(ids, see[[]string](r, shownRows)); diff != "" {
		t.Errorf("filtered: %s", diff)
	}
	r.click("#csv")
	if diff := cmp.Diff(ids, r.downloaded()[:50]); diff != "" {
		t.Errorf("the table: %s", diff)
	}
	address := see[string](r, "location.href")
	r.do("pass the address on", chromedp.Navigate("about:blank"), chromedp.Navigate(address))
	if diff := cmp.Diff(ids, r.rows(50)); diff != "" {
		t.Errorf("from the address: %s", diff)
	}

	r.click("#clear")
	r.until("all again", `document.getElementById("summary").textContent.startsWith("120 of 360")`)
	r.fill("recent_from", "2023-01-01")
	r.click(".go")
	r.until("what is kept", `document.getElementById("trouble").textContent.includes("is not within the days that are kept, 2024-04-03..2024-10-04")`)
	r.click("#presets button:nth-child(2)")
	r.until("the last fortnight", `document.getElementById("trouble").hidden && document.querySelector("[name=recent_from]").value === "2024-09-21"`)
}

// A manager picks two customers and hands them to a rep, then the whole list to each one's own.
func TestAManagerHandsOver(t *testing.T) {
	town := newTown(t, 30)
	r := open(t, town.serve(t, "")+PagePath)
	ids := r.rows(10)
	if !see[bool](r, `document.getElementById("hand-over").disabled`) {
		t.Error("nobody is picked, and the button can be clicked")
	}
	r.click(`tr.customer[data-customer="` + ids[0] + `"] .pick input`)
	r.click(`tr.customer[data-customer="` + ids[2] + `"] .pick input`)
	r.do("name the rep", chromedp.SetValue(`#hand [name="to_rep_id"]`, "rep-9"), chromedp.SetValue(`#hand [name="rep_id"]`, "kim"))
	r.until("the button says how many", `document.getElementById("hand-over").textContent === "Hand over 2"`)
	r.shot("hand-over.png")
	r.click("#hand-over")
	r.until("handed over", `document.getElementById("handed").textContent.startsWith("2 handed over")`)
	var got []string
	for _, o := range town.taken() {
		got = append(got, o.CustomerID+" to "+o.ToRepID+" by "+o.RepID)
	}
	if diff := cmp.Diff([]string{ids[0] + " to rep-9 by kim", ids[2] + " to rep-9 by kim"}, got); diff != "" {
		t.Error(diff)
	}
	see[bool](r, `(() => {
		const f = document.getElementById("hand").elements;
		[f.to_rep_id.value, f.which.value] = ["", "all"];
		return f.which.dispatchEvent(new Event("change"));
	})()`)
	r.until("the button says how many", `document.getElementById("hand-over").textContent === "Hand over 10"`)
	r.click("#hand-over")
	r.until("all handed over", `document.getElementById("handed").textContent.startsWith("10 handed over")`)
	if all := town.taken(); len(all) != 10 || all[0].ToRepID != "" {
		t.Errorf("%d outcomes", len(all))
	}
	r.click("#pick-all")
	r.until("all are picked", `document.querySelectorAll(".pick input:checked").length === 11`)
}

// downloaded waits for the table, and gives its customers.
func (r *rep) downloaded() (ids []string) {
	r.t.Helper()
	for _, row := range r.table()[1:] {
		ids = append(ids, row[0])
	}
	return ids
}

// table waits for the table that is downloaded.
func (r *rep) table() [][]string {
	r.t.Helper()
	rows, err := csv.NewReader(strings.NewReader(r.file())).ReadAll()
	if err != nil || len(rows) < 2 {
		r.t.Fatalf("%d rows: %v", len(rows), err)
	}
	return rows
}

// file waits for what is downloaded.
func (r *rep) file() string {
	r.t.Helper()
	for {
		if files, _ := filepath.Glob(filepath.Join(r.downloads, "*.csv")); len(files) > 0 {
			text, err := os.ReadFile(files[0])
			if err != nil {
				r.t.Fatal(err)
			}
			return string(text)
		}
		select {
		case <-r.ctx.Done():
			r.t.Fatal("no table arrives")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Where a token is set, the page asks for it, and shows nothing without.
func TestThePageAsksForTheToken(t *testing.T) {
	r := open(t, newTown(t, 30).serve(t, "a token of some length")+PagePath)
	signIn := `!document.getElementById("sign-in").hidden`
	r.until("the page asks for the token", signIn)
	use := func(token string) {
		r.do("type the token", chromedp.SendKeys(`#sign-in [name="token"]`, token))
		r.click(`#sign-in button`)
	}
	use("another one")
	r.until("a wrong one is told", `document.getElementById("trouble").textContent.includes("not the one")`)
	if see[int](r, shownRows+".length") != 0 {
		t.Error("rows are shown without the token")
	}
	use("a token of some length")
	if ids := r.rows(10); !slices.Contains(ids, "customer-027") {
		t.Errorf("%v", ids)
	}
	if see[bool](r, signIn) {
		t.Error("it still asks")
	}
}
