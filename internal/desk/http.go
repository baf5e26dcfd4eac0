package desk

import (
	"context"
	"errors"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.uber.org/zap"

	"leadline/internal/book"
	"leadline/internal/declining"
	"leadline/internal/query"
	"leadline/internal/web"
)

// Path is what Handler serves, with all that is under it.
const Path = "/v1/declining"

// Bounds of the HTTP interface; API.md tells them.
const (
	usualLimit   = 100
	answerWithin = 30 * time.Second
	writeWithin  = 5 * time.Minute // a table of a million customers, to a slow reader
)

// Handler serves the list as API.md says. It asks nobody who they are: it belongs among web's private paths.
func (d *Declining) Handler() http.Handler {
	return serving(d.log, "whose purchases decreased", "there are "+Path+" and "+Path+"/about",
		map[string]answerer{Path: d.list, Path + "/about": d.about})
}

// answerer answers a request; its error becomes a problem.
type answerer func(ctx context.Context, w http.ResponseWriter, r *http.Request) error

// serving serves each path to GET and HEAD. There says what there is to whoever asks for something else.
func serving(log *zap.Logger, what, there string, paths map[string]answerer) http.Handler {
	mux := http.NewServeMux()
	for path, do := range paths {
		mux.HandleFunc("GET "+path, answering(log, what, do))
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Allow", "GET, HEAD")
			web.Problem{Status: http.StatusMethodNotAllowed, Detail: "allowed here: GET, HEAD"}.Answer(w)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		web.Problem{Status: http.StatusNotFound, Detail: there}.Answer(w)
	})
	return mux
}

// notFound says that what was asked for is not there.
type notFound struct{ why string }

func (e *notFound) Error() string { return e.why }

// answering says what became of errors.
func answering(log *zap.Logger, what string, do answerer) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeWithin)) // a server that cannot has its own bounds
		ctx, cancel := context.WithTimeout(r.Context(), answerWithin)
		defer cancel()
		err := do(ctx, w, r)
		var bad *query.Bad
		var missing *notFound
		switch {
		case err == nil || r.Context().Err() != nil:
		case errors.As(err, &bad):
			web.Problem{Status: http.StatusBadRequest, Detail: err.Error()}.Answer(w)
		case errors.As(err, &missing):
			web.Problem{Status: http.StatusNotFound, Detail: err.Error()}.Answer(w)
		case errors.Is(err, book.ErrReading), errors.Is(err, book.ErrReadingLinks):
			w.Header().Set("Retry-After", "1")
			web.Problem{Status: http.StatusServiceUnavailable, Detail: err.Error()}.Answer(w)
		default:
			log.Warn(what, zap.Error(err))
			web.Problem{Status: http.StatusServiceUnavailable, Detail: err.Error()}.Answer(w)
		}
	}
}

// asked reads the query's parameters, and whether a table is wanted.
func asked(r *http.Request) (values url.Values, table bool, err error) {
	values, err = url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, false, &query.Bad{Parameter: "the query", Why: err.Error()}
	}
	table, err = wantsCSV(values["format"], r.Header.Get("Accept"))
	delete(values, "format")
	return values, table, err
}

// tableHead announces a table.
func tableHead(w http.ResponseWriter, file string) {
	h := w.Header()
	h.Set("Content-Type", "text/csv; charset=utf-8; header=present")
	h.Set("Content-Disposition", `attachment; filename="`+file+`"`)
	h.Set("Cache-Control", "no-store")
}

func (d *Declining) list(ctx context.Context, w http.ResponseWriter, r *http.Request) error {
	values, table, err := asked(r)
	if err != nil {
		return err
	}
	limit := usualLimit
	if table {
		limit = math.MaxInt32
	}
	q, err := d.Query(values, limit)
	if err != nil {
		return err
	}
	page, err := d.Page(ctx, q)
	if err != nil {
		return err
	}
	if !table {
		web.Answer(w, "application/json", http.StatusOK, page.Answer())
		return nil
	}
	tableHead(w, "declining-"+q.Recent.String()+".csv")
	_ = page.WriteCSV(w) // only a client that left can make it fail
	return nil
}

func wantsCSV(format []string, accept string) (bool, error) {
	switch {
	case len(format) == 0:
		return strings.HasPrefix(accept, "text/csv"), nil
	case len(format) == 1 && (format[0] == "csv" || format[0] == "json"):
		return format[0] == "csv", nil
	}
	return false, &query.Bad{Parameter: "format", Why: "want json or csv"}
}

// About is what can be asked.
type About struct {
	Kept       Span             `json:"kept"`
	Recent     Span             `json:"recent"` // the usual windows
	Baseline   Span             `json:"baseline"`
	Customers  int              `json:"customers"`
	Categories []string         `json:"categories"`
	Attributes []string         `json:"attributes"` // whose values are segments
	Sorts      []declining.Sort `json:"sorts"`
}

func (d *Declining) about(_ context.Context, w http.ResponseWriter, _ *http.Request) error {
	kept, err := d.kept()
	if err != nil {
		return err
	}
	q, err := d.Query(nil, usualLimit)
	if err != nil {
		return err
	}
	a := About{Kept: span(kept), Recent: span(q.Recent), Baseline: span(q.Baseline), Sorts: declining.Sorts()}
	if _, a.Customers, err = d.customers.Newest(); err != nil {
		return err
	}
	categories, attributes, err := d.customers.Categories()
	if err != nil {
		return err
	}
	a.Categories, a.Attributes = append([]string{}, categories...), append([]string{}, attributes...)
	web.Answer(w, "application/json", http.StatusOK, a)
	return nil
}
