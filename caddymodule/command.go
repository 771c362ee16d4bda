package caddymodule

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/screenpop/caddy-screenpop/internal/crm/presets"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "screen-pop",
		Usage: "<command>",
		Short: "Sets up CRMs for the screen_pop directive",
		Long: `
Commands for the person who sets up CRMs for the screen_pop directive: which
presets there are, and whether the configured CRMs answer as they should.`,
		CobraFunc: func(command *cobra.Command) {
			command.AddCommand(checkCommand(), presetsCommand())
		},
	})
}

// Exit statuses of `screen-pop check`.
const (
	exitFound     = 0
	exitNotFound  = 1
	exitNotAsked  = 2
	defaultSample = 50
)

func checkCommand() *cobra.Command {
	command := &cobra.Command{
		Use:   "check [--config <path>] [--adapter <name>] (--number <number> | --sample[=<count>])",
		Short: "Asks the configured CRMs who has a number, and shows every step",
		Long: `
Asks the configured CRMs who has a number, and shows every request with its
credentials masked, how long it took, what came back, which records were kept
or dropped and why, and the answer that XucMgt would get. Nothing is changed
in any CRM. The exit status is 0 when somebody was found, 1 when nobody was,
2 when a CRM could not be asked.

With --sample, lists some of each CRM's records instead, tells in which
spellings their numbers are stored, and how many of them the configured search
finds again: 0 means all, 1 not all, 2 that a CRM could not be asked.`,
		Args: cobra.ArbitraryArgs, // refused in run, with a status that does not say "nobody was found"
	}
	command.SetFlagErrorFunc(func(command *cobra.Command, err error) error {
		return exiting(func(caddycmd.Flags) (int, error) { return exitNotAsked, err })(command, nil)
	})
	command.Flags().StringP("config", "c", "", "Configuration file (default: ./Caddyfile)")
	command.Flags().StringP("adapter", "a", "", "Name of the configuration's adapter")
	command.Flags().StringP("number", "n", "", "The caller's number, in any spelling")
	command.Flags().Duration("deadline", 0, "Wait so long instead of the configured deadline")
	command.Flags().Int("sample", 0, "Look at so many records of each kind")
	command.Flags().Lookup("sample").NoOptDefVal = fmt.Sprint(defaultSample)
	command.RunE = exiting(func(flags caddycmd.Flags) (int, error) {
		return check{
			out: command.OutOrStdout(), config: flags.String("config"), adapter: flags.String("adapter"), number: flags.String("number"),
			deadline: flags.Duration("deadline"), sample: flags.Int("sample"), rest: flags.Args(),
		}.run()
	})
	return command
}

// exiting makes a command's status that of the process. Caddy's own wrapper takes
// the status 1 for a success unless there is an error, which it then prints.
func exiting(run caddycmd.CommandFunc) func(*cobra.Command, []string) error {
	return func(command *cobra.Command, args []string) error {
		command.SilenceErrors, command.SilenceUsage = true, true // what there is to say is in the log or was printed
		var status int
		err := caddycmd.WrapCommandFuncForCobra(func(flags caddycmd.Flags) (int, error) {
			var err error
			status, err = run(flags)
			return status, err
		})(command, args)
		if err == nil && status == exitNotFound {
			return errNotFound
		}
		return err
	}
}

// errNotFound ends the process with the status 1.
var errNotFound = errors.New("not found")

func presetsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "presets [<name>]",
		Short: "Lists the presets, or prints one",
		Long: `
Lists the presets for known CRMs with the credentials that each wants, or
prints one: a preset is written in the grammar of "crm rest", and what it
says can be changed option by option beside "crm <preset>".`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			if len(args) == 1 {
				return printPreset(command.OutOrStdout(), args[0])
			}
			return listPresets(command.OutOrStdout())
		},
	}
}

func printPreset(out io.Writer, name string) error {
	source, ok := presets.Source(name)
	if !ok {
		return unknownPreset(name)
	}
	_, err := io.WriteString(out, source)
	return err
}

// check is one run of `screen-pop check`.
type check struct {
	out             io.Writer
	config, adapter string
	number          string
	deadline        time.Duration
	sample          int
	// rest is what stands behind the flags, where nothing belongs.
	rest []string
}

func (c check) run() (int, error) {
	if len(c.rest) > 0 {
		return exitNotAsked, fmt.Errorf("%q does not belong to a flag; write --number <number>, with quotes around one that has spaces, or --sample=<count>", c.rest[0])
	}
	if (c.number == "") == (c.sample == 0) {
		return exitNotAsked, errors.New("say what to check: --number <number>, or --sample; for example: screen-pop check --config Caddyfile --number +33123456789")
	}
	if c.sample < 0 {
		return exitNotAsked, fmt.Errorf("--sample: %d is not a count of records", c.sample)
	}
	handlers, done, err := loadHandlers(c.config, c.adapter)
	if err != nil {
		return exitNotAsked, err
	}
	defer done()
	worst := exitFound
	for i, handler := range handlers {
		if len(handlers) > 1 {
			fmt.Fprintf(c.out, "== screen_pop %d of %d, endpoint %s\n\n", i+1, len(handlers), handler.endpoint)
		}
		var status int
		if c.sample > 0 {
			status = sampleReport{c, handler}.write()
		} else {
			status = callReport{c, handler}.write()
		}
		worst = max(worst, status)
	}
	return worst, nil
}

// listPresets prints a line for each preset.
func listPresets(out io.Writer) error {
	for _, name := range presets.Names() {
		preset, err := readPreset(name)
		if err != nil {
			return err
		}
		wants := slices.Clone(preset.declared.credentials)
		for _, setting := range preset.declared.settings {
			if preset.Settings[setting] == "" {
				wants = append(wants, setting)
			}
		}
		if _, err := fmt.Fprintf(out, "%-15s %s\n", name, strings.Join(wants, " ")); err != nil {
			return err
		}
	}
	return nil
}
