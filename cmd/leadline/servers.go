package main

import (
	"go.uber.org/zap"

	"leadline/internal/app"
	"leadline/internal/config"
)

// tool is what the commands work with that look at servers for a moment.
type tool struct {
	*app.Servers
	config *config.Config
}

// connect reads the configuration and prepares the clients. Tools say themselves what went wrong; the clients' own log is
// only for those who ask for it.
func (p *process) connect() (tool, error) {
	c, err := p.config()
	if err != nil {
		return tool{}, err
	}
	log := zap.NewNop()
	if c.LogLevel == "debug" {
		if log, err = app.NewLogger(c.LogLevel, p.stderr); err != nil {
			return tool{}, err
		}
	}
	servers, err := app.Connect(c, log)
	return tool{Servers: servers, config: c}, err
}

func (p *process) warnUnknown(log *zap.Logger) {
	for _, name := range config.UnknownEnv(p.environ) {
		log.Warn("this environment variable is read by no setting", zap.String("name", name))
	}
}
