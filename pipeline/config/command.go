package config

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// Invocation is a command line as it was understood.
type Invocation struct {
	Command string
	File    string   // -config
	Port    int      // -port of demo
	Names   []string // the stages that were asked for

	From, To string // places of data
	Archive  string // a file, "-" for the standard output
	DryRun   bool   // only say what would be done
	Force    bool   // replace what is there
	Live     bool   // although gateways are at work
	Plain    bool   // not encrypted
}

// UsageError says that a command line means nothing, or asks for help.
type UsageError struct {
	Text  string // what to print: how it is used
	Cause error  // what was wrong; nil when help was asked for
}

// Error is what was wrong.
func (e *UsageError) Error() string {
	if e.Cause == nil {
		return "help was asked for"
	}
	return e.Cause.Error()
}

// Tell prints what there is to say, and whether it is an error.
func (e *UsageError) Tell() (wrong bool) {
	if e.Cause == nil {
		fmt.Print(e.Text)
		return false
	}
	fmt.Fprintf(os.Stderr, "gcli2api: %v\n\n%s", e.Cause, e.Text)
	return true
}

// Unwrap gives the cause.
func (e *UsageError) Unwrap() error { return e.Cause }

// command is one word of the command line.
type command struct {
	name, does string
	takes      string                           // flags and arguments in one line
	more       string                           // the rest of its help
	config     bool                             // it has -config
	port       bool                             // it has -port
	names      bool                             // it takes names
	flags      func(*flag.FlagSet, *Invocation) // more flags; nil for none
}

const configFlag = `  -config FILE   configuration; else $GCLI2API_CONFIG, else config.toml, else defaults
`

func commands() []command {
	return slices.Concat(serving(), moving(), sealing(), []command{
		{name: "version", does: "print the version", more: "\nThe release, or the commit that it was built from.\n"},
		{name: "help", does: "print this text, or that of a command", takes: "[COMMAND]", names: true},
	})
}

func serving() []command {
	return []command{
		{name: "serve", does: "answer requests (the default)", takes: "[-config FILE]", config: true,
			more: configFlag + `
Settings come from the environment, then from the file, then from the defaults; config.toml in the
repository lists them all. SIGHUP reads them again, SIGINT and SIGTERM stop: running requests may
finish within server.drain_timeout, and a second signal ends at once.
`},
		{name: "demo", does: "serve against a simulated Google on 127.0.0.1:7861, nothing needed", takes: "[-port N]", port: true,
			more: `  -port N        port to listen on (7861)

Reads neither a file nor the environment and leaves nothing behind. Prints lines to paste.
`},
		{name: "check", does: "read the configuration, say what is wrong or print what is set", takes: "[-config FILE]", config: true,
			more: configFlag + `
Exit code 2 when serve would refuse the configuration. Nothing is opened: neither the port nor the
credentials folder.
`},
		{name: "stages", does: "print the stages with their settings, as Markdown", takes: "[NAME ...]", names: true,
			more: `
Without a name all stages, in their default order.
`},
		{name: "healthcheck", does: "ask the gateway of this configuration whether it is well", takes: "[-config FILE]", config: true,
			more: configFlag + `
Asks http://HOST:PORT/health as serve would take them from file and environment, for at most three
seconds. Exit code 0 when it is well; 1 when it is not, does not answer, or nobody knows where to ask.
It opens nothing else. A file that is broken at the moment does not make a running gateway ill: of it
only the lines with host and port count then.
`},
	}
}

// ParseArgs reads the command line without the name of the program. The error is a *UsageError.
func ParseArgs(args []string) (Invocation, error) {
	in := Invocation{Command: "serve", Port: 7861}
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		in.Command, args = args[0], args[1:]
	} else if len(args) > 0 && isHelp(args[0]) {
		in.Command, args = "help", nil
	}
	c, known := find(in.Command)
	if !known {
		return in, &UsageError{usage(), fmt.Errorf("unknown command %q%s", in.Command, didYouMean(nearest(in.Command, commandNames()), "%"))}
	}
	flags := flag.NewFlagSet(c.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	if c.config {
		flags.StringVar(&in.File, "config", "", "")
	}
	if c.port {
		flags.IntVar(&in.Port, "port", in.Port, "")
	}
	if c.flags != nil {
		c.flags(flags, &in)
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return in, &UsageError{Text: c.help()}
	case err != nil:
		return in, &UsageError{c.help(), err}
	case !c.names && flags.NArg() > 0:
		return in, &UsageError{c.help(), fmt.Errorf("unexpected argument %q", flags.Arg(0))}
	case in.Port < 1 || in.Port > 65535:
		return in, &UsageError{c.help(), fmt.Errorf("-port must be between 1 and 65535, got %d", in.Port)}
	}
	in.Names = flags.Args()
	if in.Command == "help" {
		return in, helpOn(in.Names)
	}
	return in, nil
}

func isHelp(arg string) bool { return arg == "-h" || arg == "-help" || arg == "--help" }

func helpOn(names []string) *UsageError {
	if len(names) == 0 {
		return &UsageError{Text: usage()}
	}
	if c, ok := find(names[0]); ok {
		return &UsageError{Text: c.help()}
	}
	return &UsageError{usage(), fmt.Errorf("unknown command %q", names[0])}
}

func find(name string) (command, bool) {
	for _, c := range commands() {
		if c.name == name {
			return c, true
		}
	}
	return command{}, false
}

func commandNames() (names []string) {
	for _, c := range commands() {
		names = append(names, c.name)
	}
	return names
}

const exitCodes = "exit codes: 0 well, 1 it could not run, 2 it was told something wrong\n"

func usage() string {
	var b strings.Builder
	b.WriteString("gcli2api serves OpenAI, Gemini and Anthropic clients from a pool of Google credentials.\n\nusage: gcli2api [command] [flags]\n\ncommands:\n")
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-13s %s\n", c.name, c.does)
	}
	b.WriteString("\ngcli2api COMMAND --help tells more of a command.\n" + exitCodes)
	return b.String()
}

func (c command) help() string {
	line := strings.TrimSpace("gcli2api " + c.name + " " + c.takes)
	return "gcli2api " + c.name + ": " + c.does + ".\n\nusage: " + line + "\n\n" + strings.TrimPrefix(c.more, "\n") + "\n" + exitCodes
}
