package demo

import (
	"fmt"
	"net"
	"strings"
	"text/tabwriter"
	"time"

	"leadline/internal/config"
	"leadline/internal/sales"
)

// summary says what came of it, and where to look next.
func (d *demo) summary(all seen, processed int, took time.Duration) string {
	var text strings.Builder
	fmt.Fprintf(&text, "\n%s events in %s, %s a second (paced; this is no benchmark)\n\n",
		grouped(processed), took.Round(100*time.Millisecond), grouped(int(float64(processed)/max(took.Seconds(), 0.1))))
	table := tabwriter.NewWriter(&text, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(table, "\tdecided\tsent\theld out\tcapped\tother\tresolved\texpired\t")
	for _, k := range sales.AlertKinds() {
		c := all.kinds[k]
		if c == nil {
			continue
		}
		held, capped := c.notSaid[sales.ByHoldout], c.notSaid[sales.ByCap]
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", k, grouped(c.decided), grouped(c.said), grouped(held), grouped(capped),
			grouped(c.decided-c.said-held-capped), grouped(c.resolved), grouped(c.expired))
	}
	_ = table.Flush() // into memory
	fmt.Fprintf(&text, "\ndead letters %s, late events %s\n", grouped(all.deadLetters), grouped(all.lateEvents))
	text.WriteString(d.hints(all))
	return text.String()
}

// hints are commands that work as they stand, from another terminal.
func (d *demo) hints(all seen) string {
	customer := "CUSTOMER"
	for _, k := range []sales.AlertKind{sales.CrossSell, sales.Declining} {
		if id := all.example[k]; id != "" {
			customer = id
		}
	}
	_, port, err := net.SplitHostPort(d.servers.RedisAddr)
	if err != nil {
		port = d.servers.RedisAddr
	}
	lead := "\nWhere to look next, from another terminal:\n"
	if d.o.Once {
		lead = "\nThe servers end now. Start the demo again without --once to look around (nothing is loaded or said twice):\n"
	}
	settings := d.settings()
	return lead + fmt.Sprintf(`  page                  http://%s/
  alerts                %sleadline tail alerts.cross-sell
  one customer          %sleadline state show %s
  Kafka itself          kcat -b %s -t alerts.declining -C -o beginning -e -f '%%k %%h\n'
  Redis itself          redis-cli -p %s --scan --pattern '*meta'
  schemas               curl %s/subjects

`, d.app.HTTPAddr(), settings, settings, customer, d.servers.KafkaAddr, port, d.servers.RegistryURL)
}

// settings are what the tools must be told: nothing when the servers are where the tools look anyway.
func (d *demo) settings() string {
	usual := config.Default()
	var out strings.Builder
	for _, s := range []struct{ name, have, usual string }{
		{"LEADLINE_KAFKA_BROKERS", d.servers.KafkaAddr, usual.Kafka.Brokers[0]},
		{"LEADLINE_REGISTRY_URL", d.servers.RegistryURL, usual.Registry.URL},
		{"LEADLINE_REDIS_ADDRS", d.servers.RedisAddr, usual.Redis.Addrs[0]},
		{"LEADLINE_TOPIC_PREFIX", d.config.TopicPrefix, usual.TopicPrefix},
	} {
		if s.have != s.usual {
			fmt.Fprintf(&out, "%s=%s ", s.name, s.have)
		}
	}
	return out.String()
}
