// Package schemas holds the contract: one Avro schema per record, the topics that carry it, and what makes a new version
// of a schema acceptable.
//
// The files are embedded, so a binary always registers the schemas that it was built with. A schema that was once
// released stays under golden/, with a sample, and every later version is tested against it. The package is not the
// wire format (internal/wire) and knows no registry; anyone may import it.
package schemas

import (
	"embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/avro"
)

//go:embed *.avsc
var files embed.FS

// records says which record the values of a topic are. Topics that are not named carry no Avro of ours: dead-letters
// and late-events hold the original bytes. On leadline.state only the values under the reserved keys' shard record are
// Avro; customers and item runs are packed.
var records = map[string]string{
	"purchases":                 "Purchase",
	"touchpoints":               "Touchpoint",
	"customers":                 "Customer",
	"products":                  "Product",
	"campaigns":                 "Campaign",
	"identities":                "Identity",
	"signals":                   "Signal",
	"outcomes":                  "Outcome",
	"alerts.cross-sell":         "Alert",
	"alerts.upsell":             "Alert",
	"alerts.declining":          "Alert",
	"alerts.opportunity":        "Alert",
	"alerts.channel":            "Alert",
	"alerts.campaign":           "Alert",
	"alerts.outlook":            "Alert",
	"alerts.suppressed":         "Alert",
	"product-links":             "ProductLink",
	"channels":                  "Channel",
	"campaign-results":          "CampaignResult",
	"forecasts":                 "Forecast",
	"leadline.models":           "Model",
	"leadline.state":            "ShardRecord",
	"leadline.journal":          "Journal",
	"leadline.moves":            "Move",
	"leadline.tallies.pairs":    "Tally",
	"leadline.tallies.tiers":    "Tally",
	"leadline.tallies.activity": "Tally",
	"leadline.tallies.examples": "Tally",
	"leadline.knowledge-state":  "KnowledgeRow",
}

// Topics lists the topics that have a schema, sorted, without a tenant's prefix.
func Topics() []string { return slices.Sorted(maps.Keys(records)) }

// Record names the record that a topic (without a tenant's prefix) carries.
func Record(topic string) (string, bool) {
	name, ok := records[topic]
	return name, ok
}

// Subject is the registry's name for a topic's value schema (TopicNameStrategy). A prefixed topic gives a prefixed
// subject.
func Subject(topic string) string { return topic + "-value" }

// Names lists all records, sorted.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err) // an embedded directory can always be read
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".avsc"))
	}
	return names
}

// Get gives the current schema of a record, as JSON with its documentation.
func Get(name string) (string, bool) {
	text, err := files.ReadFile(name + ".avsc")
	return string(text), err == nil
}

// ForTopic gives the current schema of the values of a topic (without a tenant's prefix).
func ForTopic(topic string) (string, bool) {
	name, ok := records[topic]
	if !ok {
		return "", false
	}
	return Get(name)
}

// Compatible says whether each of two schemas reads what the other wrote: FULL compatibility. FULL_TRANSITIVE is
// Compatible with every earlier version. The error names the direction and the place of the first difference.
func Compatible(older, newer string) error {
	return CompatibleAs("the older schema", older, "the newer schema", newer)
}

// CompatibleAs is Compatible for schemas that have better names, by which the error calls them.
func CompatibleAs(name, text, otherName, other string) error {
	one, err := avro.Parse(text)
	if err != nil {
		return fmt.Errorf("parse %s: %w", name, err)
	}
	two, err := avro.Parse(other)
	if err != nil {
		return fmt.Errorf("parse %s: %w", otherName, err)
	}
	return errors.Join(
		reads(otherName, name, two, one),
		reads(name, otherName, one, two),
	)
}

func reads(readerName, writerName string, reader, writer *avro.Schema) error {
	if err := avro.CheckCompatibility(writer, reader); err != nil {
		return fmt.Errorf("%s cannot read what %s wrote: %w", readerName, writerName, err)
	}
	return nil
}
