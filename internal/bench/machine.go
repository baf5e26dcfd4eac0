package bench

import (
	"fmt"
	"runtime"

	"github.com/prometheus/procfs"
)

// Machine is where it was measured. What the system does not tell is empty.
type Machine struct {
	Processors  int     `json:"processors"`
	Model       string  `json:"model,omitempty"`
	MemoryBytes uint64  `json:"memory_bytes,omitempty"`
	Load        float64 `json:"load"` // mean of the minute before the measurement: runnable or waiting for a disk
}

// ThisMachine is the one that this process runs on, as it is now.
func ThisMachine() Machine {
	m := Machine{Processors: runtime.NumCPU()}
	proc, err := procfs.NewDefaultFS()
	if err != nil {
		return m // not a Linux
	}
	if cpus, err := proc.CPUInfo(); err == nil && len(cpus) > 0 {
		m.Model = cpus[0].ModelName
	}
	if memory, err := proc.Meminfo(); err == nil && memory.MemTotalBytes != nil {
		m.MemoryBytes = *memory.MemTotalBytes
	}
	if load, err := proc.LoadAvg(); err == nil {
		m.Load = load.Load1
	}
	return m
}

// String says it in words.
func (m Machine) String() string {
	return fmt.Sprintf("%d processors (%s), %.0f GiB, load %.1f before it", m.Processors, m.Model, float64(m.MemoryBytes)/(1<<30), m.Load)
}
