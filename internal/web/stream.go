package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"leadline/internal/sales"
)

// register adds what the page with alerts reads.
func (f *Feed) register(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/alerts", f.list)
	mux.HandleFunc("GET /v1/alerts/stream", f.stream)
}

// list answers GET /v1/alerts?limit=N&kind=K: the newest first, limit 1 to 1,000 (100 if absent).
func (f *Feed) list(w http.ResponseWriter, r *http.Request) {
	limit := 100
	if text := r.FormValue("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 1000 {
			answer(w, http.StatusBadRequest, map[string]string{"error": "limit: want a number from 1 to 1000"})
			return
		}
		limit = n
	}
	kind, ok := kindNamed(r.FormValue("kind"))
	if !ok {
		answer(w, http.StatusBadRequest, map[string]string{"error": fmt.Sprintf("kind: want one of %v", sales.AlertKinds())})
		return
	}
	records := []json.RawMessage{}
	for _, e := range f.newest(limit, kind) {
		records = append(records, e.Record)
	}
	counts, _ := f.totals()
	answer(w, http.StatusOK, map[string]any{"alerts": records, "counts": counts})
}

// kindNamed gives 0 for all kinds.
func kindNamed(name string) (sales.AlertKind, bool) {
	if name == "" {
		return 0, true
	}
	for _, k := range sales.AlertKinds() {
		if k.String() == name {
			return k, true
		}
	}
	return 0, false
}

const (
	heartbeat   = 15 * time.Second // keeps proxies from closing a quiet stream
	countsEvery = time.Second
	writeWithin = 10 * time.Second
)

// stream answers with server-sent events: "alert" with the record, "counts", "fresh" when the reader must begin anew, "reached" when it has all
// that was there, and
// "dropped" as the last one to a reader that was too slow. Last-Event-ID goes on where a reader left off.
func (f *Feed) stream(w http.ResponseWriter, r *http.Request) {
	sub, missed := f.subscribe(r.Header.Get("Last-Event-ID"))
	defer f.unsubscribe(sub)
	f.streams.Inc()
	defer f.streams.Dec()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	out := &events{w: w, rc: http.NewResponseController(w)}
	out.print("retry: 2000\n\n")
	if missed.fresh {
		out.send("fresh", "", []byte("{}"))
	}
	for _, e := range missed.entries {
		out.send("alert", "", e.Record)
	}
	out.send("reached", missed.upTo, []byte("{}"))
	f.follow(r, sub, out)
}

// follow sends what arrives until the reader leaves, is dropped, or the server stops.
func (f *Feed) follow(r *http.Request, sub *subscription, out *events) {
	beat, tick := time.NewTicker(heartbeat), time.NewTicker(countsEvery)
	defer beat.Stop()
	defer tick.Stop()
	shown := int64(-1)
	counts := func() {
		if c, changed := f.totals(); changed != shown {
			text, _ := json.Marshal(c) // maps of numbers
			out.send("counts", "", text)
			shown = changed
		}
	}
	counts()
	for {
		out.flush()
		if out.err != nil {
			return
		}
		select {
		case e, ok := <-sub.entries:
			if !ok {
				out.send("dropped", "", []byte(`{"why":"this reader was too slow; reconnecting brings what it missed"}`))
				out.flush()
				return
			}
			out.send("alert", f.id(e), e.Record)
		case <-tick.C:
			counts()
		case <-beat.C:
			out.print(": still here\n\n")
		case <-r.Context().Done():
			return
		}
	}
}

// events writes server-sent events. After the first error it writes nothing more.
type events struct {
	w   http.ResponseWriter
	rc  *http.ResponseController
	err error
}

// send writes one event. data is JSON without line breaks.
func (e *events) send(name, id string, data []byte) {
	if id != "" {
		e.print("id: " + id + "\n")
	}
	e.print("event: " + name + "\ndata: " + string(data) + "\n\n")
}

func (e *events) print(text string) {
	if e.err != nil {
		return
	}
	if e.err = e.rc.SetWriteDeadline(time.Now().Add(writeWithin)); e.err == nil {
		_, e.err = e.w.Write([]byte(text))
	}
}

func (e *events) flush() {
	if e.err == nil {
		e.err = e.rc.Flush()
	}
}
