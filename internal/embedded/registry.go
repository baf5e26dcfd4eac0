package embedded

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/sr/srfake"
)

// keptRegistry is the in-memory registry with a log of the requests that changed it. Replayed in order they give every
// schema the id it had before, which records on disk rely on.
type keptRegistry struct {
	registry http.Handler

	mu     sync.Mutex // over the pair of change and log entry
	log    *os.File
	posted map[change]bool // registrations that would change nothing if made again
}

// change is one request that changed the registry, and one line of the log.
type change struct {
	Method string `json:"method"`
	URL    string `json:"url"`
	Body   string `json:"body,omitempty"`
}

// openRegistry reads the log, if there is one, and goes on with it.
func openRegistry(ctx context.Context, path string) (*keptRegistry, error) {
	log, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	k := &keptRegistry{registry: srfake.NewRegistry().Handler(), log: log, posted: make(map[change]bool)}
	if err := k.replay(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("read %s: %w", path, err), log.Close())
	}
	return k, nil
}

// replay makes all changes again. A last line without an end was never acknowledged and is cut off.
func (k *keptRegistry) replay(ctx context.Context) error {
	lines := bufio.NewReader(k.log)
	whole := int64(0)
	for n := 1; ; n++ {
		line, err := lines.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		var c change
		if err := json.Unmarshal(line, &c); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		answer, err := k.do(ctx, c)
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if answer.Code >= 300 {
			return fmt.Errorf("line %d: %s %s is refused now: %s", n, c.Method, c.URL, answer.Body)
		}
		k.remember(c)
		whole += int64(len(line))
	}
	if err := k.log.Truncate(whole); err != nil {
		return err
	}
	_, err := k.log.Seek(whole, io.SeekStart)
	return err
}

func (k *keptRegistry) close() error { return k.log.Close() }

// ServeHTTP answers like the registry, but acknowledges a change only when it is in the log.
func (k *keptRegistry) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !changes(r) {
		k.registry.ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 2<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	answer, err := k.change(r.Context(), change{Method: r.Method, URL: r.URL.RequestURI(), Body: string(body)})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()) // nobody left to tell
}

// changes tells requests that may change something from questions, some of which are POSTs too.
func changes(r *http.Request) bool {
	switch r.Method {
	case http.MethodPut, http.MethodDelete:
		return true
	case http.MethodPost:
		return strings.HasPrefix(r.URL.Path, "/subjects/") && strings.HasSuffix(r.URL.Path, "/versions")
	}
	return false
}

func (k *keptRegistry) change(ctx context.Context, c change) (*httptest.ResponseRecorder, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	answer, err := k.do(ctx, c)
	if err != nil || answer.Code >= 300 || k.posted[c] {
		return answer, err
	}
	line, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	if err := k.append(append(line, '\n')); err != nil {
		return nil, fmt.Errorf("keep the change: %w", err)
	}
	k.remember(c)
	return answer, nil
}

// append writes a line or, when the disk is full, nothing: half a line would spoil the next one.
func (k *keptRegistry) append(line []byte) error {
	end, err := k.log.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	if _, err = k.log.Write(line); err == nil {
		err = k.log.Sync()
	}
	if err != nil {
		_, seekErr := k.log.Seek(end, io.SeekStart)
		return errors.Join(err, k.log.Truncate(end), seekErr)
	}
	return nil
}

// remember notes registrations, so that registering the same schemas at each start does not make the log grow. A
// deletion makes them count again.
func (k *keptRegistry) remember(c change) {
	switch c.Method {
	case http.MethodPost:
		k.posted[c] = true
	case http.MethodDelete:
		clear(k.posted)
	}
}

func (k *keptRegistry) do(ctx context.Context, c change) (*httptest.ResponseRecorder, error) {
	request, err := http.NewRequestWithContext(ctx, c.Method, c.URL, strings.NewReader(c.Body))
	if err != nil {
		return nil, err
	}
	answer := httptest.NewRecorder()
	k.registry.ServeHTTP(answer, request)
	return answer, nil
}
