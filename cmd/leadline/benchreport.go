package main

import "leadline/internal/bench/figures"

type benchReportCmd struct {
	Results []string `arg:"" help:"Files that leadline bench wrote with --json, and *.jsonl with rows of a comparison of engines."`
	Page    string   `required:"" placeholder:"FILE" help:"The page of Markdown. Pictures go beside it. Of an existing page only the sections change for which there are results."`
}

// Run writes the page. It needs no server.
func (cmd benchReportCmd) Run() error {
	found, err := figures.Read(cmd.Results)
	if err != nil {
		return err
	}
	return figures.WritePage(cmd.Page, found)
}
