package desk

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"leadline/internal/engine"
	"leadline/internal/sales"
	"leadline/internal/wire"
)

// post sends a body, and gives status and answer.
func post(t *testing.T, url, kind, body string, headers ...string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", kind)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

func handOver(t *testing.T, url, body string) HandedOver {
	t.Helper()
	status, text := post(t, url, "application/json", body)
	return told[HandedOver](t, url, status, text)
}

// Who was picked is assigned under the id that the engine would give the alert, with what the list says as evidence; the same once more is the same.
func TestPickedCustomersAreHandedOver(t *testing.T) {
	t.Parallel()
	town := newTown(t, 90)
	url := town.serve(t, "") + HandOverPath
	body := `{"customers": ["customer-006", "customer-003", "nobody"], "to_rep_id": "rep-9", "rep_id": "kim"}`
	if diff := cmp.Diff(HandedOver{Customers: 2, NotListed: []string{"nobody"}}, handOver(t, url+"?owner=", body)); diff != "" {
		t.Error(diff)
	}
	outcomes := town.taken()
	if len(outcomes) != 2 {
		t.Fatalf("%d outcomes", len(outcomes))
	}
	slices.SortFunc(outcomes, func(a, b *sales.Outcome) int { return strings.Compare(a.CustomerID, b.CustomerID) })
	o := outcomes[1]
	if o.CustomerID != "customer-006" || o.Result != "assigned" || o.ToRepID != "rep-9" || o.RepID != "kim" || o.OccurredAt != handedAt ||
		o.AlertID != engine.NextSpellID("acme.", "customer-006", 1006).String() || wire.CheckOutcome(o) != nil {
		t.Errorf("%+v: %v", o, wire.CheckOutcome(o))
	}
	if o.Attributes["recent"] != "2024-09-05..2024-10-04" || o.Attributes["recent_days"] != "0" || o.Attributes["p_value"] == "" || o.Attributes["at_risk_minor"] == "0" ||
		!strings.Contains(o.Note, "were to be expected as everyone else bought") {
		t.Errorf("evidence: %q %v", o.Note, o.Attributes)
	}
	handOver(t, url, body)
	for i, again := range town.taken() {
		same := outcomes[slices.IndexFunc(outcomes, func(o *sales.Outcome) bool { return o.CustomerID == again.CustomerID })]
		if diff := cmp.Diff(same, again); diff != "" {
			t.Errorf("the same list again, outcome %d: %s", i, diff)
		}
	}
	handOver(t, url, strings.Replace(body, "rep-9", "rep-8", 1))
	if others := town.taken(); others[0].EventID == outcomes[0].EventID || others[0].EventID == outcomes[1].EventID {
		t.Error("to another rep it is another outcome")
	}
}

// A whole list goes to each one's own rep, as far as its filters and the limit show.
func TestAWholeListIsHandedOver(t *testing.T) {
	t.Parallel()
	town := newTown(t, 90)
	url := town.serve(t, "")
	want := ask(t, url+Path+"?owner=rep1&sort=ratio&limit=1000")
	if n := handOver(t, url+HandOverPath+"?owner=rep1&sort=ratio", `{}`).Customers; n != len(want.Customers) || n == 0 {
		t.Errorf("%d customers, the list has %d", n, len(want.Customers))
	}
	for i, o := range town.taken() {
		if o.CustomerID != want.Customers[i].CustomerID || o.ToRepID != "" {
			t.Errorf("outcome %d: %+v, want %s", i, o, want.Customers[i].CustomerID)
		}
	}
	if n := handOver(t, url+HandOverPath+"?limit=2", `{}`).Customers; n != 2 {
		t.Errorf("%d customers with a limit of 2", n)
	}
	if n := handOver(t, url+HandOverPath+"?q=0", `{}`).Customers; n != 0 {
		t.Errorf("%d customers of an empty list", n)
	}
}

func TestHandOversThatAreRefused(t *testing.T) {
	t.Parallel()
	town, down := newTown(t, 30), newTown(t, 30)
	down.refuses = errors.New("kafka is away")
	at, away := town.serve(t, "")+HandOverPath, down.serve(t, "")+HandOverPath
	guarded := newTown(t, 3).serve(t, "a token of some length") + HandOverPath
	many := `{"customers": [` + strings.Repeat(`"x",`, mostHandedOver) + `"x"]}`
	for name, c := range map[string]struct {
		url, kind, body string
		headers         []string
		status          int
		holds           string
	}{
		"a form of another site": {at, "text/plain", `{}`, nil, 400, "application/json"},
		"another site's page":    {at, "application/json", `{}`, []string{"Sec-Fetch-Site", "cross-site"}, 403, "another site"},
		"without the token":      {guarded, "application/json", `{}`, nil, 401, "Bearer"},
		"an unknown field":       {at, "application/json", `{"customer": "x"}`, nil, 400, "customer"},
		"no JSON":                {at, "application/json", `{"customers": `, nil, 400, "the body"},
		"two objects":            {at, "application/json", `{} {}`, nil, 400, "one object"},
		"too many":               {at, "application/json", many, nil, 400, "10001 customers, and 10000"},
		"a table":                {at + "?format=csv", "application/json", `{}`, nil, 400, "neither format nor cursor"},
		"no such window":         {at + "?recent=2023-01-01..2023-02-01", "application/json", `{}`, nil, 400, "is not within the days that are kept"},
		"kafka away":             {away, "application/json", `{}`, nil, 503, "kafka is away"},
	} {
		if status, text := post(t, c.url, c.kind, c.body, c.headers...); status != c.status || !strings.Contains(text, c.holds) {
			t.Errorf("%s: %d %s", name, status, text)
		}
	}
	if reported := town.taken(); len(reported) > 0 {
		t.Errorf("%d outcomes were reported all the same", len(reported))
	}
}
