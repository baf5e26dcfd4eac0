package config

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"leadline/internal/engine"
)

// Sources is where settings are said, from the weakest to the strongest.
type Sources struct {
	File    string            // path of a YAML file; empty = what LEADLINE_CONFIG names, if anything
	Environ []string          // NAME=value, as os.Environ gives it
	Flags   map[string]string // name without dashes → value
}

// Load reads all sources. Its error joins everything that is wrong, one line each.
func Load(src Sources) (*Config, error) {
	env := environment(src.Environ)
	c := &Config{File: src.File, Rules: engine.DefaultRules(), origins: map[string]string{}}
	if c.File == "" {
		c.File = env[FileEnv]
	}
	var file document
	if c.File != "" {
		var err error
		if file, err = readDocument(c.File); err != nil {
			return nil, err
		}
		c.Rules = file.rules
	}
	errs := c.apply(file, env, src.Flags)
	if len(errs) == 0 {
		errs = c.complete()
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return c, nil
}

// Default is the configuration when nothing is said anywhere.
func Default() *Config {
	c, err := Load(Sources{})
	if err != nil {
		panic(err) // only a wrong default in the table can get here, and every test would
	}
	return c
}

// apply sets every row from its strongest source. Weaker sources are set first, so that a mistake hidden behind a stronger
// source is told as well.
func (c *Config) apply(file document, env, flags map[string]string) (errs []error) {
	set := func(r row, text, origin string) {
		if err := r.at.Set(text); err != nil {
			if _, secret := r.at.(secretValue); secret {
				text = "***"
			}
			errs = append(errs, fmt.Errorf("%s = %q (%s): %w", r.name, text, origin, err))
		}
		c.origins[r.name] = origin
	}
	for _, r := range c.table() {
		set(r, r.def, "default")
		if e, ok := file.settings[r.name]; ok {
			set(r, e.text, fmt.Sprintf("%s:%d", c.File, e.line))
		}
		if text, ok := env[envName(r.name)]; ok {
			set(r, text, "environment "+envName(r.name))
		}
		if text, ok := flags[flagName(r.name)]; ok {
			set(r, text, "flag --"+flagName(r.name))
		}
	}
	return errs
}

// environment splits NAME=value. An empty value counts as not set, as compose files and shells produce it for "unset".
func environment(environ []string) map[string]string {
	env := map[string]string{}
	for _, e := range environ {
		if name, text, _ := strings.Cut(e, "="); strings.HasPrefix(name, "LEADLINE_") && text != "" {
			env[name] = text
		}
	}
	return env
}

// UnknownEnv names, sorted, the LEADLINE_ variables that no setting reads. They are worth a warning and not an error:
// orchestrators put variables of their own beside ours.
func UnknownEnv(environ []string) []string {
	known := map[string]bool{FileEnv: true}
	for _, s := range Settings() {
		known[s.Env] = true
	}
	var unknown []string
	for name := range environment(environ) {
		if !known[name] {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	return unknown
}

// Values lists every setting with its value (secrets as ***) and where it was said, in the order of Settings.
func (c *Config) Values() []Value {
	rows := c.table()
	out := make([]Value, len(rows))
	for i, r := range rows {
		out[i] = Value{Name: r.name, Text: r.at.String(), Origin: c.origins[r.name]}
	}
	return out
}

// Value is one setting as it counts.
type Value struct{ Name, Text, Origin string }

// complete fills what depends on the machine, reads secrets' files, and checks what no setting can check alone.
func (c *Config) complete() (errs []error) {
	if c.Engine.Instance == "" {
		host, err := os.Hostname()
		if err != nil {
			return []error{fmt.Errorf("engine.instance: the host's name is unknown (%w): set a name", err)}
		}
		c.Engine.Instance = host
	}
	for _, err := range []error{
		readSecret(&c.Kafka.SASLPassword, c.Kafka.SASLPasswordFile, "kafka.sasl_password"),
		readSecret(&c.Registry.Password, c.Registry.PasswordFile, "registry.password"),
		readSecret(&c.Redis.Password, c.Redis.PasswordFile, "redis.password"),
		readSecret(&c.HTTPToken, c.HTTPTokenFile, "http.token"), c.checkToken(),
		c.Kafka.TLS.check("kafka"), c.Redis.TLS.check("redis"), c.checkSASL(), c.checkTopics(),
	} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

func (t TLS) check(whose string) error {
	switch {
	case (t.Cert == "") != (t.Key == ""):
		return fmt.Errorf("%s.tls_cert and %s.tls_key: set both or none", whose, whose)
	case !t.Enabled && (t.CA != "" || t.Cert != ""):
		return fmt.Errorf("%s.tls is false, but certificates are set: set %s.tls to true or remove them", whose, whose)
	}
	return nil
}

// checkToken refuses what can be guessed, and what no header can carry.
func (c *Config) checkToken() error {
	const shortest = 16
	token := c.HTTPToken.Reveal()
	odd := strings.IndexFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) >= 0
	if token != "" && (len(token) < shortest || odd) {
		return fmt.Errorf("http.token: want at least %d printable ASCII characters without spaces, for example of: openssl rand -hex 32", shortest)
	}
	return nil
}

func (c *Config) checkSASL() error {
	k := c.Kafka
	switch {
	case k.SASLMechanism == "" && k.SASLUser != "":
		return errors.New("kafka.sasl_user is set without kafka.sasl_mechanism: set plain, scram-sha-256 or scram-sha-512")
	case k.SASLMechanism != "" && (k.SASLUser == "" || k.SASLPassword == Secret{}):
		return fmt.Errorf("kafka.sasl_mechanism is %s: set kafka.sasl_user and kafka.sasl_password (or kafka.sasl_password_file) too", k.SASLMechanism)
	}
	return nil
}

// checkTopics holds the rule that inputs outlive the journal: a replay that finds journal records without their inputs
// could only fail.
func (c *Config) checkTopics() error {
	if c.Topics.JournalRetentionDays > c.Topics.InputRetentionDays {
		return fmt.Errorf("topics.journal_retention_days %d (%s) is more than topics.input_retention_days %d (%s): inputs must outlive the journal",
			c.Topics.JournalRetentionDays, c.origins["topics.journal_retention_days"],
			c.Topics.InputRetentionDays, c.origins["topics.input_retention_days"])
	}
	return nil
}
