package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
	"go.uber.org/zap"

	"leadline/internal/app"
	"leadline/internal/config"
)

// process is what a command sees of the outside.
type process struct {
	environ        []string
	stdin          io.Reader
	stdout, stderr io.Writer
	hangup         <-chan os.Signal

	flags map[string]string
	file  string
}

// config reads the configuration from all its sources.
func (p *process) config() (*config.Config, error) {
	return config.Load(config.Sources{File: p.file, Environ: p.environ, Flags: p.flags})
}

// logged gives the configuration with the log that it asks for, for commands that work as a role does.
func (p *process) logged() (*config.Config, *zap.Logger, error) {
	c, err := p.config()
	if err != nil {
		return nil, nil, err
	}
	log, err := app.NewLogger(c.LogLevel, p.stderr)
	return c, log, err
}

// commands is the command line. Every setting is a flag too, at any place behind the program's name.
type commands struct {
	Config string `name:"config" placeholder:"FILE" help:"YAML file with settings and rules (or ${configEnv})."`
	kong.Plugins

	Demo demoCmd `cmd:"" help:"Show the main job on real data, with embedded servers. Needs nothing."`

	Run     runCmd     `cmd:"" group:"roles" help:"All roles in one process."`
	Engine  engineCmd  `cmd:"" group:"roles" help:"Customers' windows, timers and alerts."`
	Analyst analystCmd `cmd:"" group:"roles" help:"Knowledge from all customers: product links, forecasts."`
	Desk    deskCmd    `cmd:"" group:"roles" help:"The page with the alerts as they arrive."`

	Topics      topicsCmd      `cmd:"" group:"tools" help:"Create, check or list topics and schemas."`
	Load        loadCmd        `cmd:"" group:"tools" help:"Bring files to the input topics."`
	Simulate    simulateCmd    `cmd:"" group:"tools" help:"Write a seeded world with known truth to files, for load and for tests."`
	Tail        tailCmd        `cmd:"" group:"tools" help:"Show the records of a topic."`
	State       stateCmd       `cmd:"" group:"tools" help:"Show what is kept about a customer."`
	Declining   decliningCmd   `cmd:"" group:"tools" help:"Whose purchases decreased between two windows: a list, with what is at risk."`
	Links       linksCmd       `cmd:"" group:"tools" help:"What is bought with what: the links as they are published, with the time to the second purchase."`
	DeadLetters deadLettersCmd `cmd:"" group:"tools" help:"Records that could not be used: count, show, export, edit, send again."`
	Replay      replayCmd      `cmd:"" group:"tools" help:"Take the decisions of the past again and compare them with the live ones."`
	Evaluate    evaluateCmd    `cmd:"" group:"tools" help:"Measure on a history how good Leadline would have been, beside plain baselines."`
	Engines     enginesCmd     `cmd:"" group:"tools" help:"List the engines of the group, or remove one that does not come back."`
	Bench       benchCmd       `cmd:"" group:"tools" help:"Measure this program on the configured servers."`
	Check       checkCmd       `cmd:"" group:"tools" help:"Check configuration, connections, topics, schemas, clock and permissions."`
	Settings    settingsCmd    `cmd:"" group:"tools" help:"List every setting: value, where it was said, how to say it."`
	Version     versionCmd     `cmd:"" group:"tools" help:"Print the version."`
}

const (
	exitFailed  = 1
	exitUsage   = 2
	exitRejects = 3
)

// exit is the panic by which kong's help leaves the parsing.
type exit int

// run carries out one command line and gives the exit code.
func run(ctx context.Context, args []string, p *process) (code int) {
	defer func() {
		switch e := recover().(type) {
		case nil:
		case exit:
			code = int(e)
		default:
			panic(e)
		}
	}()
	flags := settingFlags()
	cmds := commands{Plugins: kong.Plugins{flags.Interface()}}
	parser, err := kong.New(&cmds, kong.Name("leadline"),
		kong.Description("Real-time sales intelligence on Kafka. Settings are flags too: leadline settings lists them."),
		kong.Writers(p.stdout, p.stderr), kong.Exit(func(code int) { panic(exit(code)) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.ExplicitGroups([]kong.Group{{Key: "roles", Title: "Roles:"}, {Key: "tools", Title: "Tools:"}}),
		kong.Vars{"configEnv": config.FileEnv})
	if err != nil {
		panic(err) // the grammar above is wrong
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(p.stderr, "leadline: %v\nleadline --help lists the commands, leadline COMMAND --help what each takes.\n", err)
		return exitUsage
	}
	p.file, p.flags = cmds.Config, givenFlags(flags)
	parsed.BindTo(ctx, (*context.Context)(nil))
	return p.exitCode(parsed.Run(p))
}

// coded is an error with an exit code of its own.
type coded struct {
	error
	code int
}

func usage(format string, args ...any) error { return coded{fmt.Errorf(format, args...), exitUsage} }

func (p *process) exitCode(err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintf(p.stderr, "leadline: %v\n", err)
	var c coded
	if errors.As(err, &c) {
		return c.code
	}
	return exitFailed
}

// settingFlags makes a struct with one flag for each setting, so that the table in package config stays the one place
// where settings are declared. They are hidden: every command's help would be a wall of them.
func settingFlags() reflect.Value {
	var fields []reflect.StructField
	for _, s := range config.Settings() {
		if s.Flag == "" {
			continue
		}
		typ := reflect.TypeFor[*string]()
		if s.Bool {
			typ = reflect.TypeFor[*bool]()
		}
		tag := fmt.Sprintf(`name:%q help:%q hidden:""`, s.Flag, s.Help)
		fields = append(fields, reflect.StructField{Name: fieldName(s), Type: typ, Tag: reflect.StructTag(tag)})
	}
	return reflect.New(reflect.StructOf(fields))
}

func fieldName(s config.Setting) string { return strings.ToUpper(strings.ReplaceAll(s.Flag, "-", "_")) }

func givenFlags(flags reflect.Value) map[string]string {
	given := map[string]string{}
	for _, s := range config.Settings() {
		if s.Flag == "" {
			continue
		}
		switch v := flags.Elem().FieldByName(fieldName(s)).Interface().(type) {
		case *string:
			if v != nil {
				given[s.Flag] = *v
			}
		case *bool:
			if v != nil {
				given[s.Flag] = strconv.FormatBool(*v)
			}
		}
	}
	return given
}
