package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"leadline/internal/engine"
)

// samples gives every setting three values that differ from each other and from the default, as they print.
var samples = map[string][3]string{
	"kafka.brokers":                 {"a:1", "b:2,c:3", "[::1]:4"},
	"kafka.sasl_mechanism":          {"plain", "scram-sha-256", "scram-sha-512"},
	"topics.partitions":             {"1", "2", "1024"},
	"topics.replication":            {"1", "2", "3"},
	"topics.input_retention_days":   {"1", "2", "3"},
	"topics.journal_retention_days": {"1", "2", "3"},
	"engine.cache_mib":              {"1", "2", "3"},
	"registry.url":                  {"http://a:1", "https://b", "http://c:3"},
	"redis.addrs":                   {"a:1", "b:2,c:3", "[::1]:4"},
	"topic_prefix":                  {"a.", "b-", "C_"},
	"business_time_zone":            {"Europe/Berlin", "America/New_York", "Asia/Tokyo"},
	"http.addr":                     {"a:1", ":2", "[::1]:0"},
	"log.level":                     {"debug", "warn", "error"},
}

func sample(t *testing.T, s Setting, c *Config) [3]string {
	t.Helper()
	if v, ok := samples[s.Name]; ok {
		return v
	}
	for _, r := range c.table() {
		if r.name != s.Name {
			continue
		}
		switch r.at.(type) {
		case textValue:
			return [3]string{"one", "two", "three"}
		case secretValue:
			return [3]string{"secret-1", "secret-2", "secret-3"}
		case boolValue, wordValue[engine.Clock]: // two values must do
			other := map[string]string{"false": "true", "live": "data"}[s.Default]
			return [3]string{other, s.Default, other}
		}
	}
	t.Fatalf("setting %s: give it samples", s.Name)
	return [3]string{}
}

// asYAML nests a setting's path.
func asYAML(name, text string) string {
	section, key, nested := strings.Cut(name, ".")
	quoted, _ := json.Marshal(text)
	if !nested {
		return fmt.Sprintf("%s: %s\n", section, quoted)
	}
	return fmt.Sprintf("# a comment\n%s:\n  %s: %s\n", section, key, quoted)
}

// plain reads a setting's real value, secrets revealed.
func plain(c *Config, name string) string {
	for _, r := range c.table() {
		if r.name == name {
			if s, ok := r.at.(secretValue); ok {
				return s.at.Reveal()
			}
			return r.at.String()
		}
	}
	return "no such setting"
}

func TestEverySettingInAllWays(t *testing.T) {
	for _, s := range Settings() {
		t.Run(s.Name, func(t *testing.T) {
			vals := sample(t, s, &Config{})
			for said := range 8 { // bit 0 file, bit 1 environment, bit 2 flag
				if s.Secret && said&4 != 0 {
					continue
				}
				c := &Config{origins: map[string]string{}}
				var file document
				env, flags := map[string]string{}, map[string]string{}
				want, origin := s.Default, "default"
				if said&1 != 0 {
					var err error
					if file, err = parseDocument("leadline.yaml", []byte(asYAML(s.Name, vals[0]))); err != nil {
						t.Fatal(err)
					}
					want, origin = vals[0], ":"
				}
				if said&2 != 0 {
					env[s.Env] = vals[1]
					want, origin = vals[1], "environment "+s.Env
				}
				if said&4 != 0 {
					flags[s.Flag] = vals[2]
					want, origin = vals[2], "flag --"+s.Flag
				}
				if errs := c.apply(file, env, flags); len(errs) > 0 {
					t.Fatal(errs)
				}
				if got := plain(c, s.Name); got != want {
					t.Errorf("said %03b: got %q, want %q", said, got, want)
				}
				if got := c.origins[s.Name]; !strings.Contains(got, origin) {
					t.Errorf("said %03b: origin %q, want %q", said, got, origin)
				}
			}
		})
	}
}

func TestNamesOfTheContract(t *testing.T) {
	env := map[string]bool{}
	for _, s := range Settings() {
		if env[s.Env] {
			t.Errorf("%s is read by two settings", s.Env)
		}
		env[s.Env] = true
		if s.Help == "" {
			t.Errorf("%s has no help", s.Name)
		}
		if s.Secret != (s.Flag == "") {
			t.Errorf("%s: secrets, and only they, have no flag", s.Name)
		}
	}
	for _, name := range []string{"KAFKA_BROKERS", "REGISTRY_URL", "REDIS_ADDRS", "CLOCK", "TOPIC_PREFIX", "HTTP_ADDR", "LOG_LEVEL"} {
		if !env["LEADLINE_"+name] {
			t.Errorf("LEADLINE_%s is promised, but no setting reads it", name)
		}
	}
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "leadline.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMistakesAreNamed(t *testing.T) {
	for _, tt := range []struct {
		name, yaml string
		env        []string
		flags      map[string]string
		want       []string // each must stand in the message
	}{
		{name: "unknown key", yaml: "clock: data\nkafka:\n  broker: a:1\n", want: []string{"leadline.yaml:3: unknown setting kafka.broker"}},
		{name: "unknown section", yaml: "\nkafak:\n  brokers: a:1\n", want: []string{":2: unknown setting kafak"}},
		{name: "flag's spelling", yaml: "topic-prefix: x\n", want: []string{":1:", "did you mean topic_prefix?"}},
		{name: "dotted", yaml: "kafka.brokers: a:1\n", want: []string{":1: kafka.brokers: write sections as indented blocks"}},
		{name: "section without body", yaml: "kafka: a:1\n", want: []string{":1: kafka is a section"}},
		{name: "list for one value", yaml: "log:\n  level: [info]\n", want: []string{":2: log.level wants one value"}},
		{name: "said twice", yaml: "clock: data\nclock: live\n", want: []string{"2:1", "clock"}},
		{name: "two documents", yaml: "clock: data\n---\nclock: live\n", want: []string{"more than one YAML document"}},
		{name: "not YAML", yaml: "clock: [\n", want: []string{"leadline.yaml"}},
		{name: "a list", yaml: "- clock\n", want: []string{":1: want settings as name: value"}},
		{name: "unknown rule", yaml: "clock: data\nrules:\n  window_dayz: 90\n", want: []string{"rules", "3:", "window_dayz"}},
		{name: "rule out of range", yaml: "rules:\n  window_days: -1\n", want: []string{"rules", "window_days"}},
		{name: "bad value in the file", yaml: "log:\n  level: loud\n", want: []string{`log.level = "loud"`, "leadline.yaml:2", "want one of debug, info, warn, error"}},
		{name: "bad value in the environment", env: []string{"LEADLINE_KAFKA_BROKERS=localhost"},
			want: []string{`kafka.brokers = "localhost" (environment LEADLINE_KAFKA_BROKERS): want host:port`}},
		{name: "bad value of a flag", flags: map[string]string{"topics-partitions": "0"},
			want: []string{`topics.partitions = "0" (flag --topics-partitions): want a whole number from 1 to 1024`}},
		{name: "all at once", yaml: "clock: sun\n", env: []string{"LEADLINE_REDIS_ADDRS=x"}, want: []string{"clock", "redis.addrs"}},
		{name: "hidden mistake", yaml: "clock: sun\n", env: []string{"LEADLINE_CLOCK=data"}, want: []string{`clock = "sun"`}},
		{name: "SASL without password", env: []string{"LEADLINE_KAFKA_SASL_MECHANISM=plain", "LEADLINE_KAFKA_SASL_USER=u"},
			want: []string{"set kafka.sasl_user and kafka.sasl_password"}},
		{name: "SASL without mechanism", env: []string{"LEADLINE_KAFKA_SASL_USER=u"}, want: []string{"without kafka.sasl_mechanism"}},
		{name: "certificate without TLS", env: []string{"LEADLINE_REDIS_TLS_CA=ca.pem"}, want: []string{"redis.tls is false"}},
		{name: "half a certificate", env: []string{"LEADLINE_KAFKA_TLS=true", "LEADLINE_KAFKA_TLS_CERT=c"}, want: []string{"set both or none"}},
		{name: "journal outlives inputs", env: []string{"LEADLINE_TOPICS_INPUT_RETENTION_DAYS=10"}, want: []string{"inputs must outlive the journal"}},
		{name: "password in the URL", env: []string{"LEADLINE_REGISTRY_URL=http://u:p@h:1"}, want: []string{"settings of their own"}},
		{name: "missing secret file", env: []string{"LEADLINE_REDIS_PASSWORD_FILE=no/such"}, want: []string{"redis.password_file", "no/such"}},
		{name: "token that can be guessed", env: []string{"LEADLINE_HTTP_TOKEN=letmein"}, want: []string{"http.token", "at least 16"}},
		{name: "token that no header carries", env: []string{"LEADLINE_HTTP_TOKEN=0123456789 abcdef"}, want: []string{"http.token", "without spaces"}},
		{name: "token that no header carries either", env: []string{"LEADLINE_HTTP_TOKEN=0123456789abcdeé"}, want: []string{"printable ASCII"}},
		{name: "token said twice", env: []string{"LEADLINE_HTTP_TOKEN=0123456789abcdef", "LEADLINE_HTTP_TOKEN_FILE=no/such"}, want: []string{"http.token and http.token_file"}},
		{name: "prefix with a slash", env: []string{"LEADLINE_TOPIC_PREFIX=a/b"}, want: []string{"topic_prefix"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			src := Sources{Environ: tt.env, Flags: tt.flags}
			if tt.yaml != "" {
				src.File = writeFile(t, tt.yaml)
			}
			_, err := Load(src)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("message lacks %q:\n%v", want, err)
				}
			}
		})
	}
}

func TestWholeFile(t *testing.T) {
	path := writeFile(t, `
kafka:
  brokers: [a:1, b:2]   # a list and a text are the same
  sasl_user:            # nothing said
  tls: true
redis: {addrs: "r:1,s:2"}
registry:
topics:
  partitions: 12
rules:
  window_days: 190
  allowed_lateness: 2h
  declining:
    alpha: 0.01
  links:
    exclude_categories: [BAGS]
`)
	c, err := Load(Sources{Environ: []string{FileEnv + "=" + path, "LEADLINE_REDIS_ADDRS="}})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(c.Kafka.Brokers, " "); got != "a:1 b:2" {
		t.Errorf("brokers %q", got)
	}
	if got := strings.Join(c.Redis.Addrs, " "); got != "r:1 s:2" {
		t.Errorf("redis %q: an empty variable counts as not set", got)
	}
	if !c.Kafka.TLS.Enabled || c.Topics.Partitions != 12 || c.File != path || c.Engine.Instance == "" {
		t.Errorf("%+v", c)
	}
	if c.Rules.WindowDays != 190 || c.Rules.Declining.Alpha != 0.01 || c.Rules.AllowedLateness != 2*time.Hour || fmt.Sprint(c.Rules.Links.ExcludeCategories) != "[BAGS]" ||
		c.Rules.Declining.RecentDays != 30 {
		t.Errorf("rules %+v", c.Rules)
	}
	rules, err := ReadRules(path)
	if err != nil || rules.Hash() != c.Rules.Hash() {
		t.Errorf("read again: %v, %+v", err, rules)
	}
}

func TestSecretsStayHidden(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("hunter-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(Sources{Environ: []string{"LEADLINE_REDIS_PASSWORD=hunter-env", "LEADLINE_REGISTRY_PASSWORD_FILE=" + file}})
	if err != nil {
		t.Fatal(err)
	}
	if c.Redis.Password.Reveal() != "hunter-env" || c.Registry.Password.Reveal() != "hunter-file" {
		t.Fatal("secrets were not read")
	}
	core, logs := observer.New(zap.InfoLevel)
	zap.New(core).Info("configuration", zap.Any("config", c), zap.Stringer("password", c.Redis.Password))
	logged, err := json.Marshal(logs.All()[0].ContextMap())
	if err != nil {
		t.Fatal(err)
	}
	asYAML, err := yaml.Marshal(c.Redis)
	if err != nil {
		t.Fatal(err)
	}
	_, twice := Load(Sources{Environ: []string{"LEADLINE_REDIS_PASSWORD=hunter-env", "LEADLINE_REDIS_PASSWORD_FILE=" + file}})
	if twice == nil {
		t.Fatal("a secret said twice was accepted")
	}
	_, broken := Load(Sources{File: writeFile(t, "redis:\n  password: hunter-yaml\n oops: [\n")})
	if broken == nil {
		t.Fatal("broken YAML was accepted")
	}
	for _, text := range []string{fmt.Sprint(c), fmt.Sprintf("%+v %#v %s %q %x", c, c, c.Redis.Password, c.Redis.Password, c.Redis.Password),
		string(logged), string(asYAML), fmt.Sprint(c.Values()), twice.Error(), broken.Error()} {
		if strings.Contains(text, "hunter") || strings.Contains(text, fmt.Sprintf("%x", "hunter")) {
			t.Errorf("a secret shows in %s", text)
		}
	}
}

func TestUnknownEnvironment(t *testing.T) {
	got := UnknownEnv([]string{"HOME=/", "LEADLINE_KAFKA_BROKER=a:1", "LEADLINE_CLOCK=data", "LEADLINE_CONFIG=x", "LEADLINE_A=1"})
	if want := "[LEADLINE_A LEADLINE_KAFKA_BROKER]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
}

func FuzzDocument(f *testing.F) {
	for _, s := range Settings() {
		f.Add([]byte(asYAML(s.Name, s.Default)))
	}
	f.Add([]byte("kafka: {brokers: [a:1, b:2], tls: true}\nrules:\n  window_days: 190\n"))
	f.Add([]byte("rules: {links: {exclude_categories: !0000 0}}\n"))
	f.Add([]byte("a: &x [1]\nb: *x\n<<: {c: d}\n? [k]\n: v\n"))
	known := map[string]bool{}
	for _, s := range Settings() {
		known[s.Name] = true
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		doc, err := parseDocument("f", text)
		if err != nil {
			return
		}
		for name, e := range doc.settings {
			if !known[name] || e.line < 1 {
				t.Fatalf("accepted %q = %+v", name, e)
			}
		}
	})
}

// Rules read as changes take the place of what they name and leave the rest as it was.
func TestRulesOver(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "rules.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("rules:\n  cooldown_days: 60\n  upsell: {brand_tiers: {House: 1}}\n")
	over, err := ReadRulesOver(file)
	if err != nil {
		t.Fatal(err)
	}
	under := engine.DefaultRules()
	under.HoldoutShare, under.ExpiryDays = 0.4, 21
	before := under.Hash()
	got, err := over(under)
	if err != nil || got.CooldownDays != 60 || got.HoldoutShare != 0.4 || got.ExpiryDays != 21 || got.Upsell.BrandTiers["House"] != 1 {
		t.Errorf("%v, %+v", err, got)
	}
	if under.Hash() != before {
		t.Error("the rules under it were changed")
	}
	under.WindowDays, under.CooldownDays = 50, 30
	if _, err := over(under); err == nil || !strings.Contains(err.Error(), "over the rules that were in force: cooldown_days 60") {
		t.Errorf("rules that do not fit: %v", err)
	}
	write("rules:\n  cool_down: 60\n")
	if _, err := ReadRulesOver(file); err == nil {
		t.Error("a rule that there is not")
	}
}
