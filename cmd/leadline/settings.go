package main

import (
	"fmt"
	"text/tabwriter"

	"leadline/internal/config"
)

type settingsCmd struct{}

// Run prints the settings as they count here and now. It is the reference too, so it works without a server.
func (settingsCmd) Run(p *process) error {
	c, err := p.config()
	if err != nil {
		return err
	}
	values := map[string]config.Value{}
	for _, v := range c.Values() {
		values[v.Name] = v
	}
	w := tabwriter.NewWriter(p.stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "IN THE FILE\tENVIRONMENT\tFLAG\tVALUE\tSAID BY")
	for _, s := range config.Settings() {
		flag := "(none: a secret)"
		if !s.Secret {
			flag = "--" + s.Flag
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", s.Name, s.Env, flag, values[s.Name].Text, values[s.Name].Origin)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(p.stdout)
	for _, s := range config.Settings() {
		fmt.Fprintf(p.stdout, "%s\n      %s\n", s.Name, s.Help)
	}
	return nil
}
