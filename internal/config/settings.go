package config

import (
	"strings"

	"leadline/internal/engine"
)

// Setting describes one setting for help, for documentation, and for tests of deployment files.
type Setting struct {
	Name    string // path in the file, for example kafka.sasl_user
	Env     string // LEADLINE_KAFKA_SASL_USER
	Flag    string // kafka-sasl-user, without dashes before it; empty for a secret
	Default string
	Help    string
	Secret  bool
	Bool    bool // the flag needs no value
}

// FileEnv and FileFlag name the file itself, the one setting that can not stand in it.
const (
	FileEnv  = "LEADLINE_CONFIG"
	FileFlag = "config"
)

// Settings lists every setting in the order of the help.
func Settings() []Setting {
	var c Config
	rows := c.table()
	out := make([]Setting, len(rows))
	for i, r := range rows {
		_, secret := r.at.(secretValue)
		_, yesNo := r.at.(boolValue)
		out[i] = Setting{Name: r.name, Env: envName(r.name), Flag: flagName(r.name), Default: r.def, Help: r.help, Secret: secret, Bool: yesNo}
		if secret {
			out[i].Flag = ""
		}
	}
	return out
}

type row struct {
	name string
	at   value
	def  string
	help string
}

// table is the one place where settings are declared.
func (c *Config) table() []row {
	rows := []row{
		{"kafka.brokers", addrsValue{&c.Kafka.Brokers}, "127.0.0.1:9092", "Kafka brokers to start from, host:port, separated by commas"},
		{"kafka.sasl_mechanism", wordValue[string]{&c.Kafka.SASLMechanism, []string{"", "plain", "scram-sha-256", "scram-sha-512"}}, "",
			"how to log in to Kafka: plain, scram-sha-256 or scram-sha-512; empty = not at all"},
		{"kafka.sasl_user", textValue{&c.Kafka.SASLUser}, "", "user for SASL"},
		{"kafka.sasl_password", secretValue{&c.Kafka.SASLPassword}, "", "password for SASL"},
		{"kafka.sasl_password_file", textValue{&c.Kafka.SASLPasswordFile}, "", "file that holds the password for SASL"},
	}
	rows = append(rows, c.Kafka.TLS.table("kafka", "Kafka")...)
	rows = append(rows,
		row{"registry.url", urlValue{&c.Registry.URL}, "http://127.0.0.1:8081", "schema registry"},
		row{"registry.user", textValue{&c.Registry.User}, "", "user for the registry (HTTP basic); empty = none"},
		row{"registry.password", secretValue{&c.Registry.Password}, "", "password for the registry"},
		row{"registry.password_file", textValue{&c.Registry.PasswordFile}, "", "file that holds the password for the registry"},
		row{"registry.tls_ca", textValue{&c.Registry.CA}, "", "file of the authorities to trust for the registry; empty = the system's"},
		row{"redis.addrs", addrsValue{&c.Redis.Addrs}, "127.0.0.1:6379", "Redis: one address = a single node, several = a cluster's seeds"},
		row{"redis.user", textValue{&c.Redis.User}, "", "ACL user for Redis; empty = the default user"},
		row{"redis.password", secretValue{&c.Redis.Password}, "", "password for Redis"},
		row{"redis.password_file", textValue{&c.Redis.PasswordFile}, "", "file that holds the password for Redis"},
	)
	rows = append(rows, c.Redis.TLS.table("redis", "Redis")...)
	return append(rows,
		row{"clock", wordValue[engine.Clock]{&c.Clock, []string{"live", "data"}}, "live",
			"live: time passes by the wall clock too; data: by events alone (history, evaluation)"},
		row{"topic_prefix", prefixValue{&c.TopicPrefix}, "", "stands before every topic's name, for one tenant's topics"},
		row{"business_time_zone", zoneValue{&c.BusinessTimeZone}, "UTC", "where a day begins and ends"},
		row{"topics.partitions", intValue{&c.Topics.Partitions, 1, 1024}, "4", "partitions of every customer-keyed topic"},
		row{"topics.replication", intValue{&c.Topics.Replication, 0, 16}, "0", "copies of each partition; 0 = three, or as many as there are brokers"},
		row{"topics.input_retention_days", intValue{&c.Topics.InputRetentionDays, 1, 36500}, "400", "days that input records are kept"},
		row{"topics.journal_retention_days", intValue{&c.Topics.JournalRetentionDays, 1, 36500}, "90",
			"days that the journal is kept, the reach of a replay; at most the inputs' days"},
		row{"engine.instance", textValue{&c.Engine.Instance}, "", "names this engine among the group, the same after a restart; empty = the host's name"},
		row{"engine.cache_mib", intValue{&c.Engine.CacheMiB, 1, 1 << 20}, "256", "MiB of customers that an engine keeps in memory"},
		row{"http.addr", addrValue{&c.HTTPAddr}, "127.0.0.1:8080", "where health, metrics and the page are served"},
		row{"http.token", secretValue{&c.HTTPToken}, "", "what dead letters over HTTP ask for (Authorization: Bearer); empty = served on loopback only"},
		row{"http.token_file", textValue{&c.HTTPTokenFile}, "", "file that holds the token for HTTP"},
		row{"http.profiling", boolValue{&c.HTTPProfiling}, "false", "serve /debug/pprof too"},
		row{"log.level", wordValue[string]{&c.LogLevel, []string{"debug", "info", "warn", "error"}}, "info", "debug, info, warn or error"},
	)
}

func (t *TLS) table(at, whose string) []row {
	return []row{
		{at + ".tls", boolValue{&t.Enabled}, "false", "encrypt the connection to " + whose},
		{at + ".tls_ca", textValue{&t.CA}, "", "file of the authorities to trust for " + whose + "; empty = the system's"},
		{at + ".tls_cert", textValue{&t.Cert}, "", "file of this client's certificate for " + whose},
		{at + ".tls_key", textValue{&t.Key}, "", "file of the key of this client's certificate for " + whose},
	}
}

func envName(name string) string {
	return "LEADLINE_" + strings.ToUpper(strings.ReplaceAll(name, ".", "_"))
}

func flagName(name string) string {
	return strings.NewReplacer(".", "-", "_", "-").Replace(name)
}
