package reference

import (
	"fmt"
	"math"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/google/uuid"

	"leadline/internal/engine"
	"leadline/internal/sales"
)

// namespace is the contract's, of all alert ids.
var namespace = uuid.MustParse("6f1e9c3a-52b7-5d0e-9a46-1c8d3e7b2f50")

// alertID is UUIDv5 of prefix, kind, subject, what and episode.
func (m *Model) alertID(customer string, ep *episode) string {
	parts := []string{m.prefix, ep.kind.String(), customer}
	switch ep.kind {
	case sales.CrossSell:
		parts = append(parts, ep.from.text, ep.to.text)
	case sales.Upsell:
		parts = append(parts, ep.from.text, ep.to.text, fmt.Sprint(ep.from.tier), fmt.Sprint(ep.to.tier))
	default:
		parts = append(parts, "")
	}
	parts = append(parts, fmt.Sprintf("%x", ep.event))
	return uuid.NewSHA1(namespace, []byte(strings.Join(parts, "\x00"))).String()
}

// control tells whether the customer is never told about.
func (m *Model) control(customer string) bool {
	lot := float64(xxhash.Sum64String(m.prefix + "\x00holdout\x00" + customer))
	return lot < m.rules.HoldoutShare*math.Exp2(64)
}

func (m *Model) suppression(c *customer) sales.Suppression {
	switch {
	case m.control(c.id):
		return sales.ByHoldout
	case c.contact == engine.ConsentDenied:
		return sales.ByConsent
	default:
		return sales.NotSuppressed
	}
}

// rounded is a score in whole parts of 50,000, as it is kept.
func rounded(score float64) float64 { return math.Round(50_000*max(0, min(1, score))) / 50_000 }

// say says the first revision of an episode; the caller adds the reasons.
func (m *Model) say(c *customer, ep *episode, status sales.AlertStatus, at sales.Millis) *sales.Alert {
	if ep.id == "" {
		ep.id = m.alertID(c.id, ep)
	}
	a := sales.Alert{AlertID: ep.id, Revision: int32(1 + ep.updates), Kind: ep.kind, Status: status, SubjectType: "customer", SubjectID: c.id, CustomerID: c.id,
		OwnerID: c.alertOwner(), Score: ep.score, Grade: grade(ep.kind, ep.score),
		WindowStart: m.calendar.Start(ep.day - sales.Day(m.rules.WindowDays) + 1), WindowEnd: m.calendar.Start(ep.day + 1),
		EventTime: at, DetectedAt: max(at, m.commit.Now), FromProduct: ep.from.text, ToProduct: ep.to.text,
		Arm: sales.Treatment, Propensity: 1 - m.rules.HoldoutShare, KnowledgeVersion: string(m.commit.Knowledge), RunID: sales.LiveRun,
		SuppressedBy: ep.suppressed}
	if ep.expiry != 0 {
		a.ExpiresAt = m.calendar.Start(ep.expiry)
	}
	if m.control(c.id) {
		a.Arm, a.Propensity = sales.Control, m.rules.HoldoutShare
	}
	m.out.Alerts = append(m.out.Alerts, a)
	return &m.out.Alerts[len(m.out.Alerts)-1]
}

// sayEnd ends an episode with its last revision.
func (m *Model) sayEnd(c *customer, ep *episode, status sales.AlertStatus, at sales.Millis, code string, evidence ...sales.Evidence) {
	c.end(ep)
	ep.updates++
	m.say(c, ep, status, at).Reasons = []sales.Reason{{Code: code, Evidence: evidence}}
}

func grade(kind sales.AlertKind, score float64) string {
	a, b, c := 0.6, 0.4, 0.2
	if kind == sales.CrossSell || kind == sales.Upsell {
		a, b, c = 0.1, 0.05, 0.025
	}
	switch {
	case score >= a:
		return "A"
	case score >= b:
		return "B"
	case score >= c:
		return "C"
	default:
		return "D"
	}
}
