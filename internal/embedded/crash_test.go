package embedded

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// childDir makes the test binary serve the data directory that it names until it is killed.
const childDir = "LEADLINE_EMBEDDED_CHILD"

func child(dir string) int {
	s, err := Start(context.Background(), Options{DataDir: dir})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(s.KafkaAddr, s.RegistryURL)
	select {}
}

type process struct {
	cmd                    *exec.Cmd
	kafkaAddr, registryURL string
}

func spawn(t *testing.T, dir string) process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := process{cmd: cmd}
	t.Cleanup(func() { p.kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	p.kafkaAddr, p.registryURL, _ = strings.Cut(strings.TrimSpace(line), " ")
	return p
}

func (p process) kill() {
	_ = p.cmd.Process.Kill() // SIGKILL; already dead is fine
	_ = p.cmd.Wait()
}

// TestKillNineLosesNothing kills the servers in the middle of transactions, again and again, and counts: every
// acknowledged transaction is there whole and once, none of the aborted ones, and one whose end nobody saw is there
// whole or not at all.
func TestKillNineLosesNothing(t *testing.T) {
	dir := t.TempDir()
	p := spawn(t, dir)
	createTopic(t, p.kafkaAddr, "alerts")
	id := register(t, p.registryURL, "alerts-value", `"long"`)
	acknowledged, unknown := map[string]bool{}, map[string]bool{}
	for round := range 4 {
		done := make(chan struct{})
		go func() {
			defer close(done)
			produce(t, p.kafkaAddr, round, acknowledged, unknown, func() { p.kill() })
		}()
		<-done
		p = spawn(t, dir)
		compare(t, values(t, p.kafkaAddr, "alerts"), acknowledged, unknown)
		if again := register(t, p.registryURL, "alerts-value", `"long"`); again != id {
			t.Fatalf("schema id %d became %d", id, again)
		}
	}
	if len(acknowledged) < 4*commitsBeforeKill {
		t.Errorf("only %d transactions were acknowledged", len(acknowledged))
	}
}

const (
	recordsPerTransaction = 20
	commitsBeforeKill     = 25
)

// produce runs transactions, each fourth aborted, and has the server killed while it goes on.
func produce(t *testing.T, addr string, round int, acknowledged, unknown map[string]bool, kill func()) {
	c, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.TransactionalID("engine-0"), kgo.DefaultProduceTopic("alerts"))
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	killed := make(chan struct{})
	for n := 0; ; n++ {
		if n == commitsBeforeKill*4/3+2 {
			go func() {
				defer close(killed)
				kill()
				c.Close() // otherwise it waits for the broker to come back and say what became of the records
			}()
		}
		name := fmt.Sprintf("%d-%d", round, n)
		end := kgo.TryCommit
		if n%4 == 3 {
			end = kgo.TryAbort
		}
		err := transaction(c, name, end)
		if err != nil {
			if end {
				unknown[name] = true
			}
			break
		}
		if end {
			acknowledged[name] = true
		}
	}
	<-killed
}

func transaction(c *kgo.Client, name string, end kgo.TransactionEndTry) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := c.BeginTransaction(); err != nil {
		return err
	}
	var records []*kgo.Record
	for i := range recordsPerTransaction {
		records = append(records, &kgo.Record{Value: fmt.Appendf(nil, "%s/%v/%d", name, end, i)})
	}
	if err := c.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return err
	}
	return c.EndTransaction(ctx, end)
}

func compare(t *testing.T, values []string, acknowledged, unknown map[string]bool) {
	t.Helper()
	count, seen := map[string]int{}, map[string]bool{}
	for _, v := range values {
		if seen[v] {
			t.Errorf("%s is there twice", v)
		}
		seen[v] = true
		name, _, _ := strings.Cut(v, "/")
		count[name]++
	}
	for name := range acknowledged {
		if count[name] != recordsPerTransaction {
			t.Errorf("of acknowledged transaction %s there are %d records", name, count[name])
		}
	}
	for name, n := range count {
		if !acknowledged[name] && (!unknown[name] || n != recordsPerTransaction) {
			t.Errorf("of transaction %s, which was not acknowledged, there are %d records", name, n)
		}
	}
}
