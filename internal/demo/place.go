package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"leadline/internal/app"
	"leadline/internal/load"
	"leadline/internal/sample"
)

// marker is what a data directory remembers of the demo. Weeks is settled once: a load that was broken off is done again
// with the very same records, which Leadline takes for what they are.
type marker struct {
	Weeks  int  `json:"weeks"`  // by which the sample's times are moved
	Loaded bool `json:"loaded"` // the whole sample was acknowledged

	path string
}

func readMarker(dir string, now time.Time) (marker, error) {
	m := marker{path: filepath.Join(dir, "demo.json")}
	text, err := os.ReadFile(m.path)
	if errors.Is(err, fs.ErrNotExist) {
		m.Weeks = load.WeeksBetween(sample.Newest, now)
		return m, m.write()
	}
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil {
		return m, fmt.Errorf("read what the demo remembers (choose another data directory to begin anew): %w", err)
	}
	return m, nil
}

// write replaces the file whole, so that a kill leaves the old one or the new one.
func (m marker) write() error {
	text, err := json.Marshal(m)
	if err == nil {
		err = os.WriteFile(m.path+".new", text, 0o600)
	}
	if err == nil {
		err = os.Rename(m.path+".new", m.path)
	}
	if err != nil {
		return fmt.Errorf("remember the demo's state: %w", err)
	}
	return nil
}

// openLog keeps the roles' logs off the screen.
func openLog(dir, level string) (*zap.Logger, string, error) {
	path := filepath.Join(dir, "demo.log")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, "", fmt.Errorf("open log: %w", err)
	}
	log, err := app.NewLogger(level, file)
	return log, path, err
}

// room gives the address if it can be listened on now, else any free port beside it.
func room(addr string) string {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return "127.0.0.1:0"
	}
	_ = l.Close() // nothing was served on it
	return addr
}

func hostOf(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", fmt.Errorf("registry: %w", err)
	}
	return u.Host, nil
}
