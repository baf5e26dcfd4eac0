// Package webtest is for tests of what is served over HTTP: it runs a server until the test ends, and asks it.
package webtest

import (
	"context"
	"io"
	"net/http"
	"testing"
)

// Server is a web.Server.
type Server interface {
	Addr() string
	Run(ctx context.Context) error
}

// Serve runs the server until the test ends, which fails if the server does.
func Serve(t testing.TB, s Server) (url string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("stop: %v", err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return "http://" + s.Addr()
}

// Get asks, and reads the answer's body. No connection stays open.
func Get(t testing.TB, url string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, string(body)
}
