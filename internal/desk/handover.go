package desk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"leadline/internal/declining"
	"leadline/internal/engine"
	"leadline/internal/query"
	"leadline/internal/sales"
	"leadline/internal/web"
)

// HandOverPath is where customers of the list are handed to reps.
const HandOverPath = Path + "/hand-over"

// Bounds of a hand-over; API.md tells them.
const (
	mostHandedOver = 10_000
	mostBody       = 4 << 20
)

// Outcomes is where outcomes are reported: a report.Reporter. All are reported or none.
type Outcomes interface {
	Report(ctx context.Context, outcomes []*sales.Outcome) error
}

// HandOver hands customers from the list to reps: it reports an outcome about each, which assigns the declining alert that the engine would open
// next. The engine opens it, unless one is open, or the customer was alerted about or reached within the cool-down.
type HandOver struct {
	list     *Declining
	prefix   string // of the tenant's topics: a part of alerts' ids
	outcomes Outcomes
	now      func() sales.Millis
	log      *zap.Logger
}

// NewHandOver hands over from the list.
func NewHandOver(list *Declining, prefix string, outcomes Outcomes, now func() sales.Millis, log *zap.Logger) *HandOver {
	return &HandOver{list: list, prefix: prefix, outcomes: outcomes, now: now, log: log.Named("desk")}
}

// HandOverRequest is what is to be handed over.
type HandOverRequest struct {
	Customers []string `json:"customers"` // of the list; none: all that it has
	ToRepID   string   `json:"to_rep_id"` // to whom; empty: each customer's own rep
	RepID     string   `json:"rep_id"`    // who hands over
}

// HandedOver is what was reported.
type HandedOver struct {
	Customers int      `json:"customers"`
	NotListed []string `json:"not_listed"` // asked for, and not on the list: those were not handed over
}

// Do hands over. The same list handed to the same rep twice on one day is the same outcomes, of which the engine takes up one.
func (h *HandOver) Do(ctx context.Context, q *declining.Query, what HandOverRequest) (*HandedOver, error) {
	page, err := h.list.Page(ctx, q)
	if err != nil {
		return nil, err
	}
	if n := page.list.Len(); len(what.Customers) == 0 && q.Limit >= mostHandedOver && n > mostHandedOver {
		return nil, &query.Bad{Parameter: "limit", Why: fmt.Sprintf("the list has %d customers, and %d can be handed over at once: narrow it, or give a limit",
			n, mostHandedOver)}
	}
	wanted := map[string]bool{}
	for _, id := range what.Customers {
		wanted[id] = true
	}
	if len(wanted) > 0 {
		page.From, page.To = 0, page.list.Len() // wherever they stand
	}
	var outcomes []*sales.Outcome
	at, intervals := h.now(), intervals{}
	for i := page.From; i < page.To; i++ {
		r, v := page.list.At(i)
		if len(wanted) > 0 && !wanted[r.Customer.ID] {
			continue
		}
		delete(wanted, r.Customer.ID)
		low, high := intervals.of(v)
		outcomes = append(outcomes, h.outcome(page, r, v, [2]float64{low, high}, what, at))
		if len(what.Customers) > 0 && len(wanted) == 0 {
			break
		}
	}
	if err := h.outcomes.Report(ctx, outcomes); err != nil {
		return nil, err
	}
	h.log.Info("handed over from the list of declining customers", zap.String("by", what.RepID), zap.String("to", what.ToRepID),
		zap.Int("customers", len(outcomes)), zap.Stringer("recent", q.Recent), zap.Stringer("baseline", q.Baseline), zap.String("category", q.Category),
		zap.Bool("picked", len(what.Customers) > 0))
	out := &HandedOver{Customers: len(outcomes), NotListed: []string{}}
	for id := range wanted {
		out.NotListed = append(out.NotListed, id)
	}
	slices.Sort(out.NotListed)
	return out, nil
}

// handedOver is the namespace of the outcomes' ids.
var handedOver = uuid.MustParse("0b5a1c9e-6f0e-5b55-9d2f-5a4b8a5f9c11")

// outcome assigns the alert, with what the list says as evidence.
func (h *HandOver) outcome(p *Page, r *declining.Row, v *declining.Verdict, interval [2]float64, what HandOverRequest, at sales.Millis) *sales.Outcome {
	q := &p.list.Question
	id := strings.Join([]string{h.prefix, "hand-over", q.Recent.To.String(), r.Customer.ID, what.ToRepID}, "\x00")
	note := fmt.Sprintf("%s against %s.", q.Recent, q.Baseline)
	for _, reason := range p.list.Reasons(r, v) {
		note += " " + reason.Text
	}
	attributes := map[string]string{"list": "declining", "recent": q.Recent.String(), "baseline": q.Baseline.String(), "currency": r.Customer.Currency,
		"recent_days": strconv.Itoa(int(r.Recent.Days)), "baseline_days": strconv.Itoa(int(r.Baseline.Days)), "horizon_days": strconv.Itoa(q.HorizonDays),
		"at_risk_minor": strconv.FormatInt(r.AtRiskMinor, 10)}
	if q.Category != "" {
		attributes["category"] = q.Category
	}
	for name, n := range map[string]float64{"expected_days": v.Expected, "ratio": v.Ratio, "ratio_low": interval[0], "ratio_high": interval[1], "p_value": v.P, "q_value": v.Q} {
		if !math.IsInf(n, 0) {
			attributes[name] = strconv.FormatFloat(n, 'g', 6, 64)
		}
	}
	return &sales.Outcome{EventID: uuid.NewSHA1(handedOver, []byte(id)).String(), AlertID: engine.NextSpellID(h.prefix, r.Customer.ID, r.Customer.Last).String(),
		CustomerID: r.Customer.ID, RepID: what.RepID, Action: "none", Result: engine.Assigned.String(), Note: note, ToRepID: what.ToRepID, OccurredAt: at,
		Attributes: attributes}
}

// Handler serves HandOverPath. It belongs among web's private paths, where another site's page cannot send anything.
func (h *HandOver) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+HandOverPath, answering(h.log, "hand over", h.serve))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Allow", http.MethodPost)
		web.Problem{Status: http.StatusMethodNotAllowed, Detail: "allowed here: POST"}.Answer(w)
	})
	return mux
}

func (h *HandOver) serve(ctx context.Context, w http.ResponseWriter, r *http.Request) error {
	what, err := readHandOver(w, r)
	if err != nil {
		return err
	}
	values, table, err := asked(r)
	if err == nil && (table || values.Has("cursor")) {
		err = &query.Bad{Parameter: "the query", Why: "neither format nor cursor can be said here"}
	}
	if err != nil {
		return err
	}
	q, err := h.list.Query(values, mostHandedOver)
	if err != nil {
		return err
	}
	done, err := h.Do(ctx, q, what)
	if err != nil {
		return err
	}
	web.Answer(w, "application/json", http.StatusOK, done)
	return nil
}

// readHandOver reads the body: JSON and nothing else, so that no form of another site can be one.
func readHandOver(w http.ResponseWriter, r *http.Request) (what HandOverRequest, err error) {
	bad := func(why string) error { return &query.Bad{Parameter: "the body", Why: why} }
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return what, bad("want application/json")
	}
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, mostBody))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&what); err != nil {
		return what, bad(err.Error())
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return what, bad("want one object")
	}
	if len(what.Customers) > mostHandedOver {
		return what, bad(fmt.Sprintf("%d customers, and %d can be handed over at once", len(what.Customers), mostHandedOver))
	}
	return what, nil
}
