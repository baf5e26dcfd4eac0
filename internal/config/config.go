// Package config reads Leadline's configuration: defaults < file (YAML, strict) < environment < flags.
//
// One table (Settings) gives every setting its place in the file, its environment variable, its flag, its default and its
// help, so that the three can not drift apart. A Config that Load returns is complete and valid; an error says what is
// wrong, where it was said, and what to do. Settings need a restart; the `rules:` of the file are the decisions' thresholds
// and are read again while running (ReadRules). Secrets come from the environment, the file, or a file of their own, never
// from a flag (the process list shows those), and print as ***.
//
// It opens no connection and starts nothing. Commands and the wiring (app) may import it, roles and pure packages may not:
// they get what they need as their own arguments.
package config

import (
	"time"

	"leadline/internal/engine"
)

// Config is everything that can be set. Fields are documented by their rows in the table of settings.
type Config struct {
	File             string // where the rules were read from and are read again; empty = there is no file
	Kafka            Kafka
	Registry         Registry
	Redis            Redis
	Topics           Topics
	Engine           Engine
	Clock            engine.Clock
	TopicPrefix      string
	BusinessTimeZone *time.Location
	HTTPAddr         string
	HTTPToken        Secret
	HTTPTokenFile    string
	HTTPProfiling    bool
	LogLevel         string

	Rules engine.Rules

	origins map[string]string // setting → where its value was said, for messages
}

// Kafka is how to reach the brokers.
type Kafka struct {
	Brokers          []string
	TLS              TLS
	SASLMechanism    string // empty, plain, scram-sha-256 or scram-sha-512
	SASLUser         string
	SASLPassword     Secret
	SASLPasswordFile string
}

// Registry is how to reach the schema registry.
type Registry struct {
	URL          string
	User         string
	Password     Secret
	PasswordFile string
	CA           string
}

// Redis is how to reach Redis: one address is a single node, several are the seeds of a cluster.
type Redis struct {
	Addrs        []string
	User         string
	Password     Secret
	PasswordFile string
	TLS          TLS
}

// TLS names the files of one connection's certificates. Without CA the system's authorities are trusted; Cert and Key
// (both or none) are this client's own.
type TLS struct {
	Enabled bool
	CA      string
	Cert    string
	Key     string
}

// Topics is what topics are created with.
type Topics struct {
	Partitions           int // of every customer-keyed topic
	Replication          int // 0 = three, or as many as there are brokers
	InputRetentionDays   int
	JournalRetentionDays int
}

// Engine is what the engine role needs to know about this process.
type Engine struct {
	Instance string // names this member of the consumer group, stable across restarts
	CacheMiB int
}
