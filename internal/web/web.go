// Package web serves a role's HTTP address: health, readiness, metrics, profiles on request, a page on which alerts
// arrive live, and what a role hands it to serve to those who may (Private).
//
// Guarantees: what it serves itself only reads; a reader that is too slow is told so and dropped, and never holds up the others;
// stopping ends all streams; a private path is open to this machine alone, or to whoever brings the token. It is not the desk (inbox,
// outcomes, sign-in), has no users, and belongs on loopback or behind something that has. The wiring, the demo and roles with an
// HTTP interface import it.
package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"go.uber.org/zap"
)

// Check is one condition of readiness.
type Check struct {
	Name  string
	Ready func() error // nil when ready; must answer at once
}

// Options says what is served.
type Options struct {
	Addr    string // host:port; port 0 takes a free one
	Checks  []Check
	Metrics *prometheus.Registry
	Pprof   bool
	Feed    *Feed // what the page shows; nil: no page
	// Private is served, by path with all that is under it, to requests with the header "Authorization: Bearer" and the token. Without a
	// token it is served if Addr is loopback, to requests that call it so.
	Private map[string]http.Handler
	Pages   []Page // further pages: served to everybody
	Token   string
	Log     *zap.Logger
}

// Server listens from New on and answers from Run on.
type Server struct {
	log      *zap.Logger
	listener net.Listener
	http     *http.Server
}

// stopWithin bounds how long a stop waits for answers that are on the way.
const stopWithin = 5 * time.Second

// takeWithin is how long an address may be in use at start: a process that was killed the moment before still has it until the
// system has cleaned up after it.
const takeWithin = 3 * time.Second

// New takes the address, so that a port in use is an error at start.
func New(o Options) (*Server, error) {
	log := o.Log.Named("web")
	listener, err := take(o.Addr, log)
	if err != nil {
		return nil, fmt.Errorf("listen for HTTP: %w", err)
	}
	s := &Server{log: log, listener: listener}
	s.http = &http.Server{
		Handler:           o.handler(listener.Addr()),
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          zap.NewStdLog(s.log),
	}
	return s, nil
}

func take(addr string, log *zap.Logger) (net.Listener, error) {
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	told := false
	for began := time.Now(); ; <-again.C {
		listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", addr)
		if !errors.Is(err, syscall.EADDRINUSE) || time.Since(began) > takeWithin {
			return listener, err
		}
		if !told {
			log.Info("the address is in use, waiting for it to become free", zap.String("address", addr), zap.Duration("at_most", takeWithin))
		}
		told = true
	}
}

// Addr is host:port as taken.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Run answers until the context ends.
func (s *Server) Run(ctx context.Context) error {
	s.http.BaseContext = func(net.Listener) context.Context { return ctx } // ends the streams before Shutdown waits for them
	stopped := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		within, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
		defer cancel()
		stopped <- s.http.Shutdown(within)
	})
	s.log.Info("serving", zap.String("address", s.Addr()))
	err := s.http.Serve(s.listener)
	if !errors.Is(err, http.ErrServerClosed) {
		stop()
		return fmt.Errorf("serve HTTP: %w", err)
	}
	return <-stopped
}

// Close gives the address back when Run is never called.
func (s *Server) Close() error { return s.listener.Close() }

func (o Options) handler(at net.Addr) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, map[string]any{"alive": true}) })
	mux.HandleFunc("GET /readyz", o.ready)
	mux.Handle("GET /metrics", promhttp.HandlerFor(o.Metrics, promhttp.HandlerOpts{Registry: o.Metrics}))
	if o.Pprof {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	if o.Feed != nil {
		o.Feed.register(mux)
	}
	o.registerPages(mux)
	guard := o.guard(at)
	for path, private := range o.Private {
		mux.Handle(path, guard(private))
		mux.Handle(path+"/", guard(private))
	}
	sameSite := http.NewCrossOriginProtection()
	sameSite.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		Problem{Status: http.StatusForbidden, Detail: "this request comes from another site's page"}.Answer(w)
	}))
	return secured(sameSite.Handler(mux))
}

// secured keeps other sites from framing the page or reading into it, and scripts of others from running in it.
func secured(next http.Handler) http.Handler {
	const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// ready answers 503 while any check fails, and says which.
func (o Options) ready(w http.ResponseWriter, _ *http.Request) {
	type result struct {
		Name  string `json:"name"`
		Ready bool   `json:"ready"`
		Why   string `json:"why,omitempty"`
	}
	status, results := http.StatusOK, []result{}
	for _, c := range o.Checks {
		r := result{Name: c.Name, Ready: true}
		if err := c.Ready(); err != nil {
			r.Ready, r.Why, status = false, err.Error(), http.StatusServiceUnavailable
		}
		results = append(results, r)
	}
	answer(w, status, map[string]any{"ready": status == http.StatusOK, "checks": results})
}

// answer writes JSON that changes from moment to moment.
func answer(w http.ResponseWriter, status int, body any) { Answer(w, "application/json", status, body) }
