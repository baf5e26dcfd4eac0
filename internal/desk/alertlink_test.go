//go:build integration

package desk

import (
	"fmt"
	neturl "net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"leadline/internal/sales"
	"leadline/internal/web"
)

// alertOf is a cross-sell alert as the page of live alerts gets it.
func alertOf(id, from, to string) web.Entry {
	text := fmt.Sprintf(`{"alert_id": %q, "revision": 1, "kind": "CROSS_SELL", "status": "OPENED", "subject_type": "customer", "subject_id": "dora",
		"title": "Offer %s to customer dora, who has just bought %s.", "score": 0.05, "grade": "B", "reasons": [{"code": "bought", "text": "Bought %s.", "evidence": []}],
		"event_time": "2024-10-04T12:00:00Z", "detected_at": "2024-10-04T12:00:00Z", "from_product": %q, "to_product": %q,
		"details": {"points.constant": -4.5, "points.season": 0.35, "points.bought_before": 1.1, "points.activity": 0, "log_odds": -3.05}}`, id, to, from, from, from, to)
	text = strings.ReplaceAll(text, "\n", "") // a line of a stream
	return web.Entry{Written: time.UnixMilli(1), Kind: sales.CrossSell, Status: sales.Opened, Record: []byte(text)}
}

// What a rep does with an alert: unfold its reasons, and then when customers come to the second after the first.
func TestARepSeesTheLinkBehindAnAlert(t *testing.T) {
	town := newTown(t, 0)
	behind := town.links[slices.IndexFunc(town.links, func(l sales.Link) bool { return l.Via == "" && l.Starts > 0 })]
	town.alerts = []web.Entry{alertOf("a-1", behind.From, behind.To), alertOf("a-2", "NO SUCH", "THING")}
	url := town.serve(t, "")
	r := open(t, url+"/")
	row := func(id string) string { return `li.alert[data-id="` + id + `"]` }
	r.until("the alerts", `document.querySelectorAll("li.alert").length === 2`)

	r.click(row("a-1") + ` .title`)
	if says := see[string](r, fmt.Sprintf("document.querySelector(%q).innerText", row("a-1")+" .facts")); !strings.Contains(says, "−4.5 to begin with, bought before +1.1, season +0.35, together log odds of −3.05") {
		t.Errorf("the points are told as %s", says)
	}
	r.click(row("a-1") + ` .alert-link > summary`)
	r.until("the curve", fmt.Sprintf(`document.querySelectorAll(%q).length === 2`, row("a-1")+" svg.curves path"))
	want := askFor[LinksBetween](t, url+LinksPath+"/"+neturl.PathEscape(behind.From)+"/"+neturl.PathEscape(behind.To)+"?kind=CROSS_SELL&via=bought").Links[0]
	if says := see[string](r, fmt.Sprintf("document.querySelector(%q).textContent", row("a-1")+" .says")); says != want.Says {
		t.Errorf("the link says %s, want %s", says, want.Says)
	}
	text := see[string](r, fmt.Sprintf("document.querySelector(%q).innerText", row("a-1")+" .alert-link"))
	for _, part := range []string{"30 days", "90 days", "180 days", "Equally active", "times expected", "customers with both", "best called", "learned"} {
		if !strings.Contains(text, part) {
			t.Errorf("nothing is said of %s: %s", part, text)
		}
	}
	r.shot("alert-link.png")

	r.click(row("a-2") + ` .title`)
	r.click(row("a-2") + ` .alert-link > summary`)
	r.until("a link that is gone", fmt.Sprintf(`document.querySelector(%q).innerText.includes("not published any more")`, row("a-2")+" .alert-link"))
}
