package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/screenpop/caddy-screenpop/bench/internal/document"
)

// options are what can be chosen.
type options struct {
	program, weatherProgram string
	hang, weather, slack    time.Duration
	overload                time.Duration
	callers                 int64
	limit                   string
	seed                    uint64
	profile, output         string
}

// parts are what is soaked.
var parts = []struct {
	name string
	run  func(context.Context, options) (*result, error)
}{{"hang", hang}, {"overload", overload}, {"memory", memory}, {"weather", weather}}

func main() {
	var o options
	flag.StringVar(&o.program, "caddy", "../bin/screenpop", "the Caddy with the screen_pop directive")
	flag.StringVar(&o.weatherProgram, "weather-caddy", "", "another build of it for the weather; empty: the same")
	flag.DurationVar(&o.hang, "hang", time.Minute, "how long the CRM hangs")
	flag.DurationVar(&o.overload, "overload", 30*time.Second, "how long more calls come than the CRM can answer")
	flag.DurationVar(&o.weather, "weather", 5*time.Minute, "how long the weather changes")
	flag.DurationVar(&o.slack, "slack", 50*time.Millisecond, "how late after the deadline an answer may come in the weather")
	flag.Int64Var(&o.callers, "callers", 1_000_000, "how many different callers ring")
	flag.StringVar(&o.limit, "limit", "130MiB", "the GOMEMLIMIT to measure beside the default")
	flag.Uint64Var(&o.seed, "seed", 1, "what the agents' choices in the weather begin with")
	flag.StringVar(&o.profile, "profile", "", "file for a profile of the heap with a full cache, for go tool pprof; empty: none")
	flag.StringVar(&o.output, "output", "", "folder of load.md, which the tables are written into; empty: they are printed only")
	only := flag.String("parts", "hang,overload,memory,weather", "what to run")
	flag.Parse()
	if o.weatherProgram == "" {
		o.weatherProgram = o.program
	}
	if err := run(o, strings.Split(*only, ",")); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// run runs parts. It fails when a figure was missed.
func run(o options, only []string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var tables strings.Builder
	fmt.Fprintf(&tables, "\n%s, %d processors, %s.\n", time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.Version())
	missed := 0
	for _, part := range parts {
		if !slices.Contains(only, part.name) {
			continue
		}
		r, err := part.run(ctx, o)
		if err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
		fmt.Print(r.table())
		for _, detail := range r.details {
			fmt.Println(detail)
		}
		tables.WriteString(r.table())
		missed += r.missed()
	}
	if o.output != "" {
		if err := document.Write(filepath.Join(o.output, "load.md"), "make soak", tables.String()); err != nil {
			return err
		}
	}
	if missed > 0 {
		return fmt.Errorf("%d figures missed their target", missed)
	}
	return nil
}
