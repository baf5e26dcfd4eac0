package app

import (
	"errors"
	"fmt"
	"sync/atomic"

	"leadline/internal/web"
)

// readiness is one role's answer to /readyz, which changes as its start goes on.
type readiness struct {
	role string
	ask  atomic.Pointer[func() error]
}

func newReadiness(role string) *readiness {
	r := &readiness{role: role}
	r.be(func() error { return errors.New("starting") })
	return r
}

// be sets who answers from now on.
func (r *readiness) be(ask func() error) { r.ask.Store(&ask) }

func (r *readiness) ready() error { return (*r.ask.Load())() }

// Ready is nil when every role is at work; else it names each that is not, and why.
func (a *App) Ready() error {
	var errs []error
	for _, p := range a.parts {
		if err := p.readiness.ready(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", p.readiness.role, err))
		}
	}
	return errors.Join(errs...)
}

func (a *App) checks() []web.Check {
	var checks []web.Check
	for _, p := range a.parts {
		checks = append(checks, web.Check{Name: p.readiness.role, Ready: p.readiness.ready})
	}
	return checks
}
