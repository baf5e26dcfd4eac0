package main

import (
	"bytes"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"leadline/internal/app"
)

func TestMain(m *testing.M) {
	app.QuietRedis()
	goleak.VerifyTestMain(m)
}

// output may be written by a role while the test reads it.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// leadline carries out one command line in this process.
func leadline(t *testing.T, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err output
	code = run(t.Context(), args, &process{environ: env, stdin: strings.NewReader(""), stdout: &out, stderr: &err})
	return code, out.String(), err.String()
}

func TestCalledWrongly(t *testing.T) {
	for line, want := range map[string]struct {
		code   int
		stderr string
	}{
		"":                                  {exitUsage, "expected"},
		"nonsense":                          {exitUsage, "unexpected argument nonsense"},
		"runn":                              {exitUsage, `did you mean "run"`},
		"tail":                              {exitUsage, `expected "<topic>"`},
		"tail purchases --nope":             {exitUsage, "unknown flag --nope"},
		"tail purchases --last 3 --from 2h": {exitUsage, "can't be used together"},
		"topics":                            {exitUsage, "expected"},
		"run --topics-partitions many":      {exitFailed, `topics.partitions = "many" (flag --topics-partitions): want a whole number`},
		"run --kafka-sasl-password x":       {exitUsage, "unknown flag --kafka-sasl-password"},
		"dead-letters list --class odd":     {exitUsage, "want one of [not_avro"},
		"dead-letters retry --at 12":        {exitUsage, "want PARTITION/OFFSET"},
		"check --config no/such.yaml":       {exitFailed, "the configuration is wrong"},
	} {
		t.Run(line, func(t *testing.T) {
			code, _, stderr := leadline(t, nil, strings.Fields(line)...)
			if code != want.code || !strings.Contains(stderr, want.stderr) {
				t.Errorf("exit %d, want %d; said %q, want %q", code, want.code, stderr, want.stderr)
			}
		})
	}
}

func TestHelpNamesEveryCommand(t *testing.T) {
	code, help, _ := leadline(t, nil, "--help")
	for _, command := range []string{"demo", "run", "engine", "analyst", "desk", "topics", "load", "tail", "state", "dead-letters", "check", "settings", "version"} {
		if code != 0 || !strings.Contains(help, "\n  "+command+" ") {
			t.Errorf("exit %d, %s is missing:\n%s", code, command, help)
		}
	}
	if strings.Contains(help, "--kafka-brokers") {
		t.Error("the help is a wall of settings")
	}
	if code, help, _ := leadline(t, nil, "tail", "--help"); code != 0 || !strings.Contains(help, "--follow") {
		t.Errorf("exit %d:\n%s", code, help)
	}
}

func TestSettingsAreSaidInAllWays(t *testing.T) {
	env := []string{"LEADLINE_LOG_LEVEL=debug", "LEADLINE_REDIS_PASSWORD=hunter2"}
	code, out, stderr := leadline(t, env, "settings", "--topics-partitions=7", "--kafka-tls", "--http-profiling=false")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	for _, want := range []string{
		`topics.partitions +LEADLINE_TOPICS_PARTITIONS +--topics-partitions +7 +flag --topics-partitions`,
		`kafka.tls +LEADLINE_KAFKA_TLS +--kafka-tls +true +flag --kafka-tls`,
		`http.profiling +LEADLINE_HTTP_PROFILING +--http-profiling +false +flag --http-profiling`,
		`log.level +LEADLINE_LOG_LEVEL +--log-level +debug +environment LEADLINE_LOG_LEVEL`,
		`redis.password +LEADLINE_REDIS_PASSWORD +\(none: a secret\) +\*\*\* +environment LEADLINE_REDIS_PASSWORD`,
		`clock +LEADLINE_CLOCK +--clock +live +default`,
	} {
		if !matches(out, want) {
			t.Errorf("lacks %s:\n%s", want, out)
		}
	}
	if strings.Contains(out, "hunter2") {
		t.Error("a secret shows")
	}
}
