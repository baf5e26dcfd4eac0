package deadletter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"go.uber.org/zap"

	"leadline/internal/web"
)

// Path is what Handler serves, with all that is under it.
const Path = "/v1/dead-letters"

// Bounds of the HTTP interface; API.md tells them.
const (
	defaultLimit = 100
	mostLimit    = 1000
	maxBody      = 16 << 20
	readsAtOnce  = 4 // each reads the topic from its beginning
	readWithin   = time.Minute
	retryWithin  = 10 * time.Minute
)

// Handler serves the dead letters as API.md says. It asks nobody who they are: it belongs among web's private paths.
func (b *Box) Handler(log *zap.Logger) http.Handler {
	s := &server{box: b, log: log.Named("dead-letters"), reads: make(chan struct{}, readsAtOnce)}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Path, s.reading(s.list))
	mux.HandleFunc("GET "+Path+"/{partition}/{offset}", s.reading(s.show))
	mux.HandleFunc("POST "+Path+"/retry", s.retry)
	for path, allowed := range map[string]string{Path: "GET, HEAD", Path + "/{partition}/{offset}": "GET, HEAD", Path + "/retry": "POST"} {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Allow", allowed)
			refuse(w, http.StatusMethodNotAllowed, "allowed here: "+allowed)
		})
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusNotFound, fmt.Sprintf("there are %s, %s/PARTITION/OFFSET and %s/retry", Path, Path, Path))
	})
	return mux
}

type server struct {
	box      *Box
	log      *zap.Logger
	reads    chan struct{}
	retrying sync.Mutex
}

func refuse(w http.ResponseWriter, status int, detail string) {
	web.Problem{Status: status, Detail: detail}.Answer(w)
}

// reading bounds what readers may cost, and says what became of their errors.
func (s *server) reading(do func(w http.ResponseWriter, r *http.Request) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case s.reads <- struct{}{}:
			defer func() { <-s.reads }()
		default:
			w.Header().Set("Retry-After", "1")
			refuse(w, http.StatusServiceUnavailable, fmt.Sprintf("%d requests are reading dead letters already", readsAtOnce))
			return
		}
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(2 * readWithin)) // who takes no answer must not hold a place
		ctx, cancel := context.WithTimeout(r.Context(), readWithin)
		defer cancel()
		err := do(w, r.WithContext(ctx))
		var bad *badRequest
		switch {
		case err == nil || r.Context().Err() != nil:
		case errors.As(err, &bad):
			refuse(w, http.StatusBadRequest, err.Error())
		case errors.Is(err, ErrNoLetter):
			refuse(w, http.StatusNotFound, err.Error())
		default:
			s.log.Warn("reading dead letters", zap.Error(err))
			refuse(w, http.StatusServiceUnavailable, err.Error())
		}
	}
}

// badRequest is an error of whoever asked.
type badRequest struct{ error }

func bad(format string, args ...any) error { return &badRequest{fmt.Errorf(format, args...)} }

func (s *server) list(w http.ResponseWriter, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return bad("%w", err)
	}
	for name := range r.Form {
		if !listParameters[name] {
			return bad("%.40q: there is no such parameter", name)
		}
	}
	filter, err := filterRequest{Class: r.FormValue("class"), Reason: r.FormValue("reason"), Source: r.FormValue("source"), Since: r.FormValue("since"),
		Until: r.FormValue("until"), Key: r.FormValue("key"), At: r.Form["at"], Unsent: r.FormValue("unsent") == "true"}.filter(s.box)
	if err != nil {
		return err
	}
	limit := defaultLimit
	if text := r.FormValue("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 1 || limit > mostLimit {
			return bad("limit: want a number from 1 to %d", mostLimit)
		}
	}
	var from *Cursor
	if text := r.FormValue("cursor"); text != "" {
		if from, err = parseCursor(text); err != nil {
			return err
		}
	}
	page, err := s.box.List(r.Context(), filter, limit, from)
	if err != nil {
		return err
	}
	web.Answer(w, "application/json", http.StatusOK, page.JSON())
	return nil
}

var listParameters = map[string]bool{"class": true, "reason": true, "source": true, "since": true, "until": true, "key": true, "at": true,
	"unsent": true, "limit": true, "cursor": true}

// PageJSON is a page as JSON.
type PageJSON struct {
	Counts  Counts `json:"counts"`
	Letters []Line `json:"letters"`
	Next    string `json:"next,omitempty"` // the cursor of the next page
}

// JSON gives the page's form as JSON.
func (p *Page) JSON() PageJSON {
	out := PageJSON{Counts: p.Counts, Letters: []Line{}}
	for i := range p.Letters {
		out.Letters = append(out.Letters, BriefLine(&p.Letters[i]))
	}
	if p.Next != nil {
		out.Next = fmt.Sprintf("%d/%s", p.Next.RefusedAt.UnixMilli(), p.Next.Position)
	}
	return out
}

func parseCursor(text string) (*Cursor, error) {
	millis, at, _ := strings.Cut(text, "/")
	n, err1 := strconv.ParseInt(millis, 10, 64)
	position, err2 := ParsePosition(at)
	if err1 != nil || err2 != nil {
		return nil, bad("cursor: %.60q is none that was given as next", text)
	}
	return &Cursor{time.UnixMilli(n), position}, nil
}

// LetterJSON is one letter, whole, with its history.
type LetterJSON struct {
	Letter  Line       `json:"letter"`
	History []StepJSON `json:"history"`
}

// StepJSON is a step of a history.
type StepJSON struct {
	Line
	Gone bool
}

// MarshalJSON adds "gone" to the letter's fields.
func (s StepJSON) MarshalJSON() ([]byte, error) {
	if s.Gone {
		return json.Marshal(map[string]any{"at": s.At, "gone": true})
	}
	return s.Line.MarshalJSON()
}

// LetterJSON is what Find gives, as JSON.
func (b *Box) LetterJSON(ctx context.Context, l *Letter, history []Step) (LetterJSON, error) {
	line, err := b.Line(ctx, l)
	out := LetterJSON{Letter: line}
	for i := range history {
		out.History = append(out.History, StepJSON{BriefLine(&history[i].Letter), history[i].Gone})
	}
	return out, err
}

func (s *server) show(w http.ResponseWriter, r *http.Request) error {
	at, err := ParsePosition(r.PathValue("partition") + "/" + r.PathValue("offset"))
	if err != nil {
		return bad("%w", err)
	}
	letter, history, err := s.box.Find(r.Context(), at)
	if err != nil {
		return err
	}
	out, err := s.box.LetterJSON(r.Context(), &letter, history)
	if err != nil {
		return err
	}
	web.Answer(w, "application/json", http.StatusOK, out)
	return nil
}

// filterRequest is a filter as a client says it.
type filterRequest struct {
	Class  string   `json:"class"`
	Reason string   `json:"reason"`
	Source string   `json:"source"`
	Since  string   `json:"since"`
	Until  string   `json:"until"`
	Key    string   `json:"key"`
	At     []string `json:"at"`
	Unsent bool     `json:"unsent"`
}

func (f filterRequest) filter(b *Box) (Filter, error) {
	out := Filter{Reason: f.Reason, Key: f.Key, Unsent: f.Unsent}
	var err error
	if out.Class, err = ParseClass(f.Class); err != nil {
		return out, bad("class: %w", err)
	}
	if f.Source != "" {
		out.SourceTopic = b.TopicName(f.Source)
	}
	for name, at := range map[string]struct {
		text string
		into *time.Time
	}{"since": {f.Since, &out.Since}, "until": {f.Until, &out.Until}} {
		if at.text == "" {
			continue
		}
		if *at.into, err = time.Parse(time.RFC3339, at.text); err != nil {
			return out, bad("%s: %.40q: want a time like 2026-07-01T08:00:00Z", name, at.text)
		}
	}
	if len(f.At) > mostLimit {
		return out, bad("at: at most %d positions", mostLimit)
	}
	for _, text := range f.At {
		at, err := ParsePosition(text)
		if err != nil {
			return out, bad("at: %w", err)
		}
		out.At = append(out.At, at)
	}
	return out, nil
}

// retryRequest chooses by a filter or by letters; that one of them must be there keeps an empty body from sending everything.
type retryRequest struct {
	Filter  *filterRequest `json:"filter"`
	Letters []Line         `json:"letters"`
	DryRun  bool           `json:"dry_run"`
}

func parseRetry(body io.Reader) (*retryRequest, error) {
	text, err := io.ReadAll(body)
	if err != nil {
		return nil, err
	}
	request := new(retryRequest)
	if err := strict(text, request); err != nil {
		return nil, fmt.Errorf("the body is no request: %w", err)
	}
	if (request.Filter == nil) == (request.Letters == nil) {
		return nil, errors.New(`want either "filter" ({} chooses all) or "letters"`)
	}
	return request, nil
}

// retryProblem tells beside what went wrong what was sent before it did.
type retryProblem struct {
	web.Problem
	Errors EditErrors `json:"errors,omitempty"`
	Report *Report    `json:"report,omitempty"`
}

func (s *server) retry(w http.ResponseWriter, r *http.Request) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		refuse(w, http.StatusUnsupportedMediaType, "send the header Content-Type: application/json")
		return
	}
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(readWithin)) // a server that cannot has its own bounds
	request, err := parseRetry(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		refuse(w, http.StatusRequestEntityTooLarge, fmt.Sprintf("a request has at most %d bytes", maxBody))
		return
	case err != nil:
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	if !s.retrying.TryLock() {
		refuse(w, http.StatusConflict, "another retry is running")
		return
	}
	defer s.retrying.Unlock()
	ctx, cancel := context.WithTimeout(r.Context(), retryWithin)
	defer cancel()
	report, err := s.send(ctx, request)
	if report.Sent > 0 && !report.Dry {
		s.log.Info("dead letters sent again", zap.Int("chosen", report.Chosen), zap.Int("sent", report.Sent), zap.Int("edited", report.Edited),
			zap.String("from", r.RemoteAddr))
	}
	if err == nil {
		web.Answer(w, "application/json", http.StatusOK, report)
		return
	}
	problem := retryProblem{Problem: web.Problem{Status: http.StatusServiceUnavailable, Detail: err.Error()}, Report: &report}
	var bad *badRequest
	switch {
	case errors.As(err, &problem.Errors):
		problem.Status, problem.Report, problem.Detail = http.StatusUnprocessableEntity, nil, "nothing was sent: see errors"
	case errors.As(err, &bad):
		problem.Status, problem.Report = http.StatusBadRequest, nil
	case errors.Is(err, kerr.ProducerFenced), errors.Is(err, kerr.InvalidProducerEpoch):
		problem.Status, problem.Detail = http.StatusConflict, "another retry took over: "+err.Error()
	case errors.Is(err, errScattered):
		problem.Status = http.StatusConflict
	default:
		s.log.Warn("sending dead letters again", zap.Error(err))
	}
	problem.Title = http.StatusText(problem.Status)
	web.Answer(w, web.ProblemJSON, problem.Status, problem)
}

func (s *server) send(ctx context.Context, request *retryRequest) (Report, error) {
	if request.Filter != nil {
		filter, err := request.Filter.filter(s.box)
		if err != nil {
			return Report{}, err
		}
		return s.box.Retry(ctx, filter, request.DryRun)
	}
	edits, err := NewEdits(request.Letters)
	if err != nil {
		return Report{}, err
	}
	return s.box.RetryEdited(ctx, edits, request.DryRun)
}
