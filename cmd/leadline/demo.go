package main

import (
	"context"

	"leadline/internal/demo"
)

type demoCmd struct {
	Once    bool   `help:"End when the sample is through, with a summary."`
	DataDir string `name:"data-dir" placeholder:"DIR" help:"Where the embedded servers keep their data; by default leadline/demo under $$XDG_STATE_HOME or ~/.local/state."`
}

// Run shows the main job on the committed sample.
func (cmd demoCmd) Run(ctx context.Context, p *process) error {
	c, err := p.config()
	if err != nil {
		return err
	}
	return demo.Run(ctx, demo.Options{Config: c, DataDir: cmd.DataDir, Once: cmd.Once, Out: p.stdout})
}
