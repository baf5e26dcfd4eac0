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

// summary says what came of it, and where to look next. loaded tells whether this run brought the sample in.
func (d *demo) summary(all seen, loaded bool, processed int, took time.Duration) string {
	var text strings.Builder
	if loaded {
		fmt.Fprintf(&text, "\n%s events in %s, %s a second (paced; this is no benchmark)\n\n",
			grouped(processed), took.Round(100*time.Millisecond), grouped(int(float64(processed)/max(took.Seconds(), 0.1))))
	} else {
		text.WriteString("The sample is in this data directory already: nothing was loaded or said again.\n\n")
	}
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
	lead := "Where to look next, from another terminal:\n"
	if d.o.Once {
		lead = "The servers end now. Started again without --once (nothing is loaded or said twice), the demo stays up to look around:\n"
	}
	if settings := d.settings(); settings != "" {
		lead += "  first          export " + settings + "\n"
	}
	return "\n" + lead + fmt.Sprintf(`  page           http://%s/
  alerts         leadline tail alerts.cross-sell
  one customer   leadline state show %s
  Kafka itself   kcat -b %s -C -e -o beginning -t alerts.declining -f '%%k %%h\n'
  Redis itself   redis-cli -p %s --scan --pattern '*meta'
  schemas        curl %s/subjects

`, d.app.HTTPAddr(), customer, d.servers.KafkaAddr, port, d.servers.RegistryURL)
}

// settings are what the tools must be told: nothing when the servers are where the tools look anyway.
func (d *demo) settings() string {
	usual := config.Default()
	var out []string
	for _, s := range []struct{ name, have, usual string }{
		{"LEADLINE_KAFKA_BROKERS", d.servers.KafkaAddr, usual.Kafka.Brokers[0]},
		{"LEADLINE_REGISTRY_URL", d.servers.RegistryURL, usual.Registry.URL},
		{"LEADLINE_REDIS_ADDRS", d.servers.RedisAddr, usual.Redis.Addrs[0]},
		{"LEADLINE_TOPIC_PREFIX", d.config.TopicPrefix, usual.TopicPrefix},
	} {
		if s.have != s.usual {
			out = append(out, s.name+"="+s.have)
		}
	}
	return strings.Join(out, " ")
}
