package engine

import (
	"crypto/sha1"
	"fmt"
	"math"
	"strconv"

	"github.com/cespare/xxhash/v2"
	"github.com/google/uuid"

	"leadline/internal/sales"
	"leadline/internal/window"
)

// namespace is that of all alert ids.
var namespace = uuid.MustParse("6f1e9c3a-52b7-5d0e-9a46-1c8d3e7b2f50")

// alertID names an episode: the same facts give the same id, live or replayed. The episode is named by the event that opened it
// (a declining spell by the last purchase before it), and that by window.EventHash in hexadecimal, so that a blob can keep it
// in five bytes.
func (s *Shard) alertID(customer string, ep *Episode) uuid.UUID {
	const sep = '\x00'
	sc := &s.step.scratch
	b := append(append(sc.name[:0], s.cfg.Prefix...), sep)
	b = append(append(b, ep.Kind.String()...), sep)
	b = append(append(b, customer...), sep)
	if ep.To != window.NoItem {
		b = append(append(b, s.offerName(ep.Kind, ep.From)...), sep)
		b = append(b, s.offerName(ep.Kind, ep.To)...)
		if ep.Kind == sales.Upsell {
			b = strconv.AppendInt(append(b, sep), int64(s.level.of(ep.From).tier), 10)
			b = strconv.AppendInt(append(b, sep), int64(s.level.of(ep.To).tier), 10)
		}
	}
	b = strconv.AppendUint(append(b, sep), ep.Event, 16)
	sc.name = b
	if sc.sha == nil {
		sc.sha = sha1.New()
	}
	return uuid.NewHash(sc.sha, namespace, b, 5)
}

// control tells whether the customer is on the control side of the standing experiment: for all kinds and for good, since it
// hangs on the id alone.
func (s *Shard) control(customer string) bool { return s.controls(s.draw(customer)) }

// draw is the customer's lot in the experiment.
func (s *Shard) draw(customer string) uint64 {
	return xxhash.Sum64String(s.cfg.Prefix + "\x00holdout\x00" + customer)
}

func (s *Shard) controls(lot uint64) bool { return drawn(lot, s.rules.HoldoutShare) }

// drawn tells whether a lot falls into the share of all lots.
func drawn(lot uint64, share float64) bool { return float64(lot) < share*math.Exp2(64) }

// suppression is why an episode of the customer would not be said. The experiment comes first, so that its arms differ in
// nothing but being told.
func (s *Shard) suppression(e *entry) sales.Suppression {
	switch {
	case s.controls(e.lot):
		return sales.ByHoldout
	case e.state.Contact == ConsentDenied:
		return sales.ByConsent
	default:
		return sales.NotSuppressed
	}
}

// alert says an alert with the envelope that all revisions of all kinds share; the caller fills in the rest before the next one. at
// is the event time of the cause.
func (s *Shard) alert(e *entry, ep *Episode, status sales.AlertStatus, at sales.Millis) *sales.Alert {
	b, out := s.step.batch, &s.step.out
	out.Alerts = append(out.Alerts, sales.Alert{
		AlertID: s.alertID(e.id, ep).String(), Revision: 1 + int32(ep.Updates), Kind: ep.Kind, Status: status,
		SubjectType: "customer", SubjectID: e.id, CustomerID: e.id, OwnerID: e.state.Owner(),
		Score:       float64(ep.Score) / scoreOne,
		WindowStart: s.cfg.Calendar.Start(ep.Day - sales.Day(s.rules.WindowDays) + 1), WindowEnd: s.cfg.Calendar.Start(ep.Day + 1),
		EventTime: at, DetectedAt: max(b.Plan.Now, at),
		Arm: sales.Treatment, Propensity: 1 - s.rules.HoldoutShare,
		KnowledgeVersion: string(b.Knowledge.Version), RunID: b.RunID, SuppressedBy: ep.Suppressed,
	})
	a := &out.Alerts[len(out.Alerts)-1]
	a.Grade = Grade(ep.Kind, a.Score)
	if ep.ExpiryDay != 0 {
		a.ExpiresAt = s.cfg.Calendar.Start(ep.ExpiryDay)
	}
	if ep.To != window.NoItem {
		a.FromProduct, a.ToProduct = s.offerName(ep.Kind, ep.From), s.offerName(ep.Kind, ep.To)
	}
	if s.controls(e.lot) {
		a.Arm, a.Propensity = sales.Control, s.rules.HoldoutShare
	}
	return a
}

// Grade is the score in a rep's words. An offer's score is its chance of being taken before it expires, where one in ten is rare and good;
// others' scores are shares of one: what is missing, or how likely somebody slips away.
func Grade(kind sales.AlertKind, score float64) string {
	limits := [...]float64{0.6, 0.4, 0.2}
	if kind == sales.CrossSell || kind == sales.Upsell {
		limits = [...]float64{0.1, 0.05, 0.025}
	}
	for i, limit := range limits {
		if score >= limit {
			return "ABC"[i : i+1]
		}
	}
	return "D"
}

// ending is how an episode ends.
type ending struct {
	status          sales.AlertStatus
	at              sales.Millis
	code            string
	title           string // empty: a plain one
	text            string
	value, baseline float64
	evidence        []sales.Evidence
	details         map[string]float64
}

// sayEnd says the last revision of an episode.
func (s *Shard) sayEnd(e *entry, ep *Episode, end ending) {
	ep.Updates++
	a := s.alert(e, ep, end.status, end.at)
	a.Title, a.Details = end.title, sales.NumbersOf(end.details)
	if a.Title == "" {
		a.Title = fmt.Sprintf("The %s alert about customer %s has ended: %s", ep.Kind, e.id, end.text)
	}
	a.Reasons = []sales.Reason{{Code: end.code, Text: end.text, Value: end.value, Baseline: end.baseline, Evidence: end.evidence}}
}
