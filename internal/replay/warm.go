package replay

import (
	"context"
	"time"

	"leadline/internal/engine"
	"leadline/internal/sales"
)

// warmth is what a walk must know to begin in the middle of the journal: nothing of the customers, but the rules in force.
type warmth struct {
	offset    int64 // of the first commit to play
	csn       int64
	now       sales.Millis
	rules     string // as JSON, empty when the journal does not say them any more
	customers int64  // how far the topic customers had been read
	window    int    // days until nothing hangs on what was before
}

// warmDays is how long what a customer did can matter: a window with what is kept beyond it, and then a cool-down for what was offered
// while the window was not whole.
func warmDays(r *engine.Rules) int { return r.WindowDays + r.SlackDays + r.CooldownDays }

// startWarm begins a window and a cool-down before what is asked for, or at the first commit whose records are all there. Nobody's state
// is known then; after that time it is, but for what goes back to a customer's first purchase: the weekday on which it is looked at for a decline, what
// it bought before the window and how it answered offers, by which the best of them is found.
func (w *walk) startWarm(ctx context.Context) error {
	at, err := w.findWarmth(ctx)
	if err != nil || at == nil {
		return err // without any commit there is nothing to begin with
	}
	w.h.skipped(at.offset - w.journal.at.pos)
	w.journal.warm, w.journal.csn, w.journal.at.pos = true, at.csn-1, at.offset
	w.judged = at.now + sales.Millis(at.window)*sales.DayMillis
	w.sum.Warm = time.UnixMilli(int64(w.judged)).UTC()
	if at.rules != "" {
		rules, err := engine.ParseRules(at.rules)
		if err != nil {
			return err
		}
		if err := w.shadow.setRules(rules); err != nil {
			return err
		}
	} else if w.h.o.Rules != nil {
		if err := w.shadow.setRules(*w.h.o.Rules); err != nil { // if they are not those of the first commit, its rules are not known
			return err
		}
	}
	return w.shadow.knowCustomers(ctx, at)
}

// findWarmth goes through the journal twice: for the time that matters, and for where to begin.
func (w *walk) findWarmth(ctx context.Context) (*warmth, error) {
	limit := w.h.ends[journalTopic][w.p]
	since := newScope(w.h.o.Scope).since
	var cut int64 // the last commit of which records are gone
	var asked sales.Millis
	var first *sales.Journal
	kept := 0
	err := w.scanJournal(ctx, limit, func(_ int64, j *sales.Journal) (bool, error) {
		for _, run := range j.Runs {
			if run.From < w.journal.begins(run.Topic) {
				cut = j.CSN
			}
		}
		if j.Rules != "" {
			if rules, err := engine.ParseRules(j.Rules); err == nil {
				kept = max(kept, warmDays(&rules))
			}
		}
		if first == nil && j.Clock >= since {
			first, asked = j, j.Now
		}
		return true, nil
	})
	if err != nil || first == nil {
		return nil, err
	}
	if kept == 0 {
		rules := engine.DefaultRules()
		if w.h.o.Rules != nil {
			rules = *w.h.o.Rules
		}
		kept = warmDays(&rules)
	}
	from := warmth{customers: -1, window: kept}
	if since == 0 {
		asked = 0
	}
	found := false
	err = w.scanJournal(ctx, limit, func(offset int64, j *sales.Journal) (bool, error) {
		if !found && j.CSN > cut && j.Now >= asked-sales.Millis(kept)*sales.DayMillis {
			found, from.offset, from.csn, from.now = true, offset, j.CSN, j.Now
		}
		if !found && j.Rules != "" {
			from.rules = j.Rules
		}
		for _, run := range j.Runs {
			if run.Topic == w.h.topic(customersTopic) {
				switch {
				case !found:
					from.customers = run.To
				case from.customers < 0:
					from.customers = run.From
				}
			}
		}
		return !found || from.customers < 0, nil
	})
	if err != nil || !found {
		return nil, err
	}
	if from.customers < 0 { // whatever there is was read before
		ends, err := w.h.offsets(ctx, w.h.adm.ListCommittedOffsets, []string{customersTopic})
		if err != nil {
			return nil, err
		}
		from.customers = ends[customersTopic][w.p]
	}
	return &from, nil
}

// scanJournal reads the commits from the journal's beginning on, without following them, until each has enough.
func (w *walk) scanJournal(ctx context.Context, limit int64, each func(offset int64, j *sales.Journal) (more bool, err error)) error {
	scan := journal{at: w.cursor(journalTopic, w.p), decoder: w.h.o.Decoder, until: w.journal.until}
	defer scan.at.close()
	for {
		offset := scan.at.pos
		j, err := scan.decode(ctx, limit)
		if j == nil || err != nil {
			return err
		}
		if more, err := each(offset, j); err != nil || !more {
			return err
		}
	}
}

// knowCustomers takes in the profiles that were known before the first commit to be played.
func (s *Shadow) knowCustomers(ctx context.Context, at *warmth) error {
	if at.customers <= 0 {
		return nil
	}
	name := s.o.Prefix + customersTopic
	before := sales.Journal{CSN: at.csn - 1, Runs: []sales.Range{{Topic: name, From: 0, To: at.customers}}}
	if _, err := s.read(ctx, &before); err != nil {
		return err
	}
	s.removed = 0 // of profiles that were replaced before, the last one counts
	for _, c := range s.cores {
		if _, err := c.step(&before, s.events.List, false); err != nil {
			return err
		}
		c.commit(before.CSN)
	}
	return nil
}
