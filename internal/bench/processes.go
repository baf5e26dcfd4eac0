package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"

	"github.com/prometheus/procfs"
	"github.com/redis/go-redis/v9"

	"leadline/internal/state"
)

// Seconds is time of one processor, by who took it. What does not run on this machine takes none.
type Seconds struct {
	Engine float64 `json:"engine"`
	Redis  float64 `json:"redis"`
	Kafka  float64 `json:"kafka"`
}

func (s Seconds) since(before Seconds) Seconds {
	return Seconds{Engine: s.Engine - before.Engine, Redis: s.Redis - before.Redis, Kafka: s.Kafka - before.Kafka}
}

func (s Seconds) by(n float64) Seconds {
	return Seconds{Engine: s.Engine / n, Redis: s.Redis / n, Kafka: s.Kafka / n}
}

// processes are those of one engine and of the servers that it works with.
type processes struct{ engine, redis, kafka []int }

func (b *Bench) processes(ctx context.Context, e *engine) (processes, error) {
	all := processes{engine: []int{e.cmd.Process.Pid}}
	brokers, err := b.admin.ListBrokers(ctx)
	if err != nil {
		return all, fmt.Errorf("list Kafka's brokers: %w", err)
	}
	for _, at := range brokers {
		pids, err := listening(ctx, at.Host, strconv.Itoa(int(at.Port)))
		if err != nil {
			return all, err
		}
		all.kafka = append(all.kafka, pids...)
	}
	var mu sync.Mutex
	err = state.EachMaster(ctx, b.o.Redis, func(ctx context.Context, c *redis.Client) error {
		host, port, err := net.SplitHostPort(c.Options().Addr)
		if err != nil {
			return err
		}
		pids, err := listening(ctx, host, port)
		mu.Lock()
		defer mu.Unlock()
		all.redis = append(all.redis, pids...)
		return err
	})
	if err != nil {
		return all, fmt.Errorf("find Redis' processes: %w", err)
	}
	return all, nil
}

// took is how much processor time they have taken so far.
func (p processes) took() Seconds {
	return Seconds{Engine: cpuSeconds(p.engine), Redis: cpuSeconds(p.redis), Kafka: cpuSeconds(p.kafka)}
}

// listening finds this machine's processes that listen on a port, if the host is this machine, and they are this user's.
func listening(ctx context.Context, host, port string) ([]int, error) {
	addrs, err := net.DefaultResolver.LookupIPAddr(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("look up %s: %w", host, err)
	}
	if len(addrs) == 0 || !addrs[0].IP.IsLoopback() {
		return nil, nil
	}
	proc, err := procfs.NewDefaultFS()
	if err != nil {
		return nil, nil // not a Linux: nothing is known of processes
	}
	sockets, err := listeners(proc, port)
	if err != nil {
		return nil, fmt.Errorf("list sockets: %w", err)
	}
	procs, err := proc.AllProcs()
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var pids []int
	for _, p := range procs {
		targets, err := p.FileDescriptorTargets()
		if err != nil {
			continue // another user's, or it has just ended
		}
		for _, t := range targets {
			if sockets[t] {
				pids = append(pids, p.PID)
				break
			}
		}
	}
	return pids, nil
}

// listeners gives the sockets that listen on a port, as the open files of processes name them.
func listeners(proc procfs.FS, port string) (map[string]bool, error) {
	const listen = 10
	v4, err4 := proc.NetTCP()  //nolint:staticcheck // its successor, netlink, is for hosts with very many sockets
	v6, err6 := proc.NetTCP6() //nolint:staticcheck // likewise
	found := map[string]bool{}
	for _, line := range append(v4, v6...) {
		if line.St == listen && strconv.FormatUint(line.LocalPort, 10) == port {
			found[fmt.Sprintf("socket:[%d]", line.Inode)] = true
		}
	}
	if err4 != nil && err6 != nil {
		return nil, errors.Join(err4, err6)
	}
	return found, nil
}

func cpuSeconds(pids []int) (sum float64) {
	for _, pid := range pids {
		if p, err := procfs.NewProc(pid); err == nil {
			if stat, err := p.Stat(); err == nil {
				sum += stat.CPUTime()
			}
		}
	}
	return sum
}

// residentBytes is how much memory the engine has now, and the most that it ever had; 0 where the system does not tell.
func residentBytes(e *engine) (now, peak int64) {
	p, err := procfs.NewProc(e.cmd.Process.Pid)
	if err != nil {
		return 0, 0
	}
	status, err := p.NewStatus()
	if err != nil {
		return 0, 0
	}
	return int64(status.VmRSS), int64(status.VmHWM)
}
