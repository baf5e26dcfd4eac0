//go:build integration

package desk

import (
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"
)

const shownLinks = `[...document.querySelectorAll("tr.link")].map((r) => r.querySelector(".choose").textContent + " > " + r.querySelector(".to").textContent)`

// links waits for a list of so many.
func (r *rep) links(n int) []string {
	r.t.Helper()
	r.until(fmt.Sprintf("%d links", n), fmt.Sprintf(`document.getElementById("status")?.dataset.state === "live" && %s.length === %d`, shownLinks, n))
	return see[[]string](r, shownLinks)
}

// What an analyst does: look, choose a link in the picture and in the list, filter, sort, turn the page, take the table along, pass the address on.
func TestAnAnalystUsesTheLinks(t *testing.T) {
	url := newTown(t, 0).serve(t, "")
	r := open(t, url+"/")
	r.click(`a[href="./links"]`)
	want := askFor[LinksAnswer](t, url+LinksPath+"?kind=CROSS_SELL&limit=1000")
	if diff := cmp.Diff(ids(want.Links)[:50], r.links(50)); diff != "" {
		t.Error(diff)
	}
	if got := see[int](r, `document.querySelectorAll("#network .arrow").length`); got != 30 {
		t.Errorf("%d arrows", got)
	}
	if text := see[string](r, `document.body.innerText.toLowerCase()`); strings.Contains(text, "causes") || !strings.Contains(text, "associations") {
		t.Error("the page claims a cause, or does not say that these are associations")
	}

	r.do("choose an arrow", chromedp.Evaluate[chromedp.Void](`document.querySelector("#network .arrow:nth-of-type(3) .hit").dispatchEvent(new MouseEvent("click", { bubbles: true }))`))
	r.until("the arrow's curve", `!document.getElementById("chosen").hidden && document.querySelectorAll("#curve path").length === 2 && document.querySelector("#network .arrow[aria-pressed=true]") !== null`)
	if says := see[string](r, `document.getElementById("says").textContent`); says != want.Links[2].Says {
		t.Errorf("the third arrow says %s, want %s", says, want.Links[2].Says)
	}
	if spans := see[int](r, `document.querySelectorAll("#curve .call-span").length`); spans != 1 {
		t.Errorf("%d call spans", spans)
	}
	r.shot("links.png")

	r.click(`tr.link:nth-child(5) .choose`)
	r.until("the fifth link", fmt.Sprintf(`document.getElementById("chosen-name").textContent === %q`, want.Links[4].From+" → "+want.Links[4].To))
	r.until("the address names it", `location.search.includes("link=")`)
	address := see[string](r, "location.href")
	r.click("#more")
	if diff := cmp.Diff(ids(want.Links), r.links(len(want.Links))); diff != "" {
		t.Errorf("all pages: %s", diff)
	}

	r.click(`[data-sort="lift"]`)
	r.until("by lift", `document.querySelector('[data-sort="lift"]').closest("th").ariaSort === "descending"`)
	r.links(50)
	r.click(`[data-sort="lift"]`)
	r.until("by lift, lowest first", `document.querySelector('[data-sort="lift"]').closest("th").ariaSort === "ascending"`)
	if diff := cmp.Diff(ids(askFor[LinksAnswer](t, url+LinksPath+"?kind=CROSS_SELL&sort=lift&order=asc&limit=50").Links), r.links(50)); diff != "" {
		t.Errorf("by lift, lowest first: %s", diff)
	}

	r.fill("from", "tea")
	r.fill("min_support", "100")
	r.click(".go")
	tea := askFor[LinksAnswer](t, url+LinksPath+"?kind=CROSS_SELL&from=tea&min_support=100&sort=lift&order=asc&limit=1000")
	if diff := cmp.Diff(ids(tea.Links), r.links(len(tea.Links))); diff != "" {
		t.Errorf("filtered: %s", diff)
	}
	r.click("#csv")
	if rows := r.table(); len(rows) != len(tea.Links)+1 || rows[1][0] != tea.Links[0].Key {
		t.Errorf("the table has %d rows: %v", len(rows), rows[1])
	}

	r.click("#clear")
	r.links(50)
	r.fill("kind", "UPSELL")
	r.click(".go")
	r.links(1)
	r.click(`tr.link .choose`)
	r.until("the step up", `document.getElementById("says").textContent.includes("went up to tier 2") && document.getElementById("curve").hasAttribute("hidden")`)
	r.fill("q", "0.001")
	r.fill("from", "nothing like it")
	r.click(".go")
	r.until("nothing", `!document.getElementById("empty").hidden`)

	r.do("pass the address on", chromedp.Navigate("about:blank"), chromedp.Navigate(address))
	r.links(50)
	r.until("the link of the address", fmt.Sprintf(`document.getElementById("chosen-name").textContent === %q`, want.Links[4].From+" → "+want.Links[4].To))
}

// By keys alone: to an arrow, on to the next, choose it; to an item, and only its links.
func TestLinksByKeys(t *testing.T) {
	r := open(t, newTown(t, 0).serve(t, "")+LinksPagePath)
	r.links(50)
	key := func(on, name string) {
		r.do(name, chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`{ const e = %s; e.focus(); e.dispatchEvent(new KeyboardEvent("keydown", { key: %q, bubbles: true })); }`, on, name)))
	}
	if n := see[int](r, `document.querySelectorAll('#network .arrow[tabindex="0"]').length`); n != 1 {
		t.Errorf("the tab key stops at %d arrows", n)
	}
	key(`document.querySelector('#network .arrow[tabindex="0"]')`, "ArrowRight")
	r.until("the second arrow has the focus", `document.activeElement === document.querySelectorAll("#network .arrow")[1]`)
	key("document.activeElement", "Enter")
	r.until("it is chosen", `!document.getElementById("chosen").hidden && document.activeElement.getAttribute("aria-pressed") === "true"`)
	key(`document.querySelector('#network .node[data-item="WINE / RED"]')`, "Enter")
	r.until("only the item's links", shownLinks+`.every((l) => l.startsWith("WINE / RED > ")) && document.querySelector("[name=from]").value === "WINE / RED"`)
	r.shot("links-of-one.png")
}

// Where a token is set, the page asks for it, and shows nothing without.
func TestTheLinksPageAsksForTheToken(t *testing.T) {
	r := open(t, newTown(t, 0).serve(t, "a token of some length")+LinksPagePath)
	r.until("the page asks for the token", `!document.getElementById("sign-in").hidden`)
	if see[int](r, shownLinks+".length") != 0 {
		t.Error("links are shown without the token")
	}
	r.do("type the token", chromedp.SendKeys(`#sign-in [name="token"]`, "a token of some length"))
	r.click(`#sign-in button`)
	r.links(50)
}
