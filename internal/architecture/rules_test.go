// Package architecture holds the drawing of internal/README.md by tests: which package may import which, and which
// outside library stands behind which package. It has no code of its own and nobody imports it.
package architecture

// layers lists Leadline's packages from the bottom up. A package may import those of lower layers only, so that each can
// be understood, and tested, with nothing above it in mind.
var layers = [][]string{
	{"schemas", "internal/sales", "internal/committed", "internal/promise", "internal/logistic", "internal/query"},
	{"internal/window", "internal/simulate", "internal/slipping"},
	{"internal/activity", "internal/feedback", "internal/catalogue", "internal/scorecard"},
	{"internal/affinity", "internal/channel", "internal/declining"}, // declining asks activity's test
	{"internal/engine", "internal/evaluate"},
	{"internal/wire", "internal/config", "internal/rehearsal"}, // rehearsal plays the engine
	{"internal/intake", "internal/state", "internal/topics", "internal/embedded", "internal/sample"},
	{"internal/stream", "internal/analyst", "internal/load", "internal/replay", "internal/report", "internal/web", "internal/reference", "internal/book"},
	{"internal/comparison"},
	{"internal/deadletter", "internal/desk"}, // their HTTP interfaces answer as web does
	{"internal/app", "internal/bench"},
	{"internal/demo", "internal/bench/figures"},
	{"cmd/leadline", "deploy/local/registry", "internal/integration/program"},
}

// pure are the packages whose results depend on their arguments alone. A replay must take the same decisions again.
var pure = []string{"internal/sales", "internal/query", "internal/window", "internal/affinity", "internal/activity", "internal/declining", "internal/slipping", "internal/logistic",
	"internal/feedback", "internal/channel", "internal/catalogue", "internal/scorecard", "internal/engine", "internal/simulate", "internal/evaluate", "internal/rehearsal"}

// noIO may hold caches and locks, but neither read nor write anything outside the process.
var noIO = append([]string{"internal/wire", "internal/intake", "schemas"}, pure...)

// A ban keeps imports (a path, or everything under it) out of packages.
type ban struct {
	imports []string
	reason  string
	from    []string // the packages it is kept out of, or
	except  []string // all (of from) but these
}

var bans = []ban{
	{
		imports: []string{"net", "os", "syscall", "log", "testing", "runtime", "go.uber.org/zap", "github.com/twmb/franz-go",
			"github.com/redis/go-redis", "github.com/prometheus"},
		reason: "no socket, file, logger or metric here: time and data come in as arguments, a Decision goes out",
		from:   noIO,
	},
	{
		imports: []string{"math/rand", "crypto/rand", "context", "sync"},
		reason:  "same arguments, same result: no random source, no goroutine to cancel or lock against",
		from:    pure,
		except:  []string{"internal/simulate", "internal/evaluate"}, // they draw from seeded sources
	},
	{
		imports: []string{"github.com/linkedin/goavro", "github.com/twmb/avro", "github.com/hamba/avro"},
		reason:  "Avro stands behind wire (values), schemas (compatibility) and topics (registration); elsewhere are sales types",
		except:  []string{"internal/wire", "schemas", "internal/topics"},
	},
	{
		imports: []string{"github.com/redis/go-redis"},
		reason:  "Redis is a projection behind state; app and the commands only make its client, and bench empties it",
		except:  []string{"internal/state", "internal/bench", "internal/comparison", "internal/app", "internal/demo", "cmd/leadline"},
	},
	{
		imports: []string{"github.com/twmb/franz-go/pkg/kgo", "github.com/twmb/franz-go/pkg/kadm", "github.com/twmb/franz-go/pkg/kmsg"},
		reason:  "Kafka belongs to the roles and their wiring",
		except: []string{"internal/committed", "internal/stream", "internal/analyst", "internal/topics", "internal/load", "internal/deadletter", "internal/replay",
			"internal/reference", "internal/report", "internal/web", "internal/book", "internal/bench", "internal/comparison", "internal/embedded", "internal/app", "internal/demo", "cmd/leadline"},
	},
	{
		imports: []string{"github.com/twmb/franz-go/pkg/kfake", "github.com/alicebob/miniredis", "github.com/twmb/franz-go/pkg/sr/srfake"},
		reason:  "the embedded servers are for the demo and for tests, never a part of a role",
		except:  []string{"internal/embedded"},
	},
	{
		imports: []string{"github.com/goccy/go-yaml"},
		reason:  "one place reads configuration files",
		except:  []string{"internal/config", "internal/simulate"}, // a simulated world's parameters are no setting
	},
	{
		imports: []string{"leadline/internal/config"},
		reason:  "a role gets what it needs as its own arguments, so that it can be started, and tested, without a file or an environment",
		except:  []string{"internal/app", "internal/demo", "cmd/leadline"},
	},
	{
		imports: []string{"leadline/internal/reference"},
		reason:  "the reference model judges the engine and takes no part in it: tests and the chaos harness import it",
	},
	{
		imports: []string{"gonum.org/v1/plot"},
		reason:  "pictures are drawn in one place",
		except:  []string{"internal/bench/figures"},
	},
	{
		imports: []string{"unsafe"},
		reason:  "only wire may let strings alias the bytes of a record, and says so at each place",
		except:  []string{"internal/wire"},
	},
}

// clock names what of package time reads or waits for the wall clock.
var clock = []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}
