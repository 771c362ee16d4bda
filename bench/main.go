package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/screenpop/caddy-screenpop/bench/internal/load"
	"github.com/screenpop/caddy-screenpop/bench/internal/process"
	"github.com/screenpop/caddy-screenpop/bench/internal/stub"
)

func main() {
	caddy := flag.String("caddy", "../bin/screenpop", "the Caddy with the screen_pop directive")
	node := flag.String("node", "node", "the Node.js to compare with; empty for none")
	rounds := flag.Int("rounds", 5, "rounds of each case")
	duration := flag.Duration("duration", 3*time.Second, "time of one round of one program")
	output := flag.String("output", "", "folder for the table and the plot; empty prints the table only")
	flag.Parse()
	if err := run(*caddy, *node, *rounds, *duration, *output); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// subject is one of the programs that are compared.
type subject struct {
	name    string
	address string
	*process.Process

	log *bytes.Buffer
}

// scenario is one case of the table.
type scenario struct {
	name        string
	connections int
	delay       time.Duration
	caller      func(int64) string
	subjects    []string
}

var scenarios = []scenario{
	{"known caller, 64 connections", 64, 0, load.SameCaller, []string{gateway, pages, proxy, respond, nodeJS}},
	{"every caller different, 64 connections", 64, 0, load.OtherCaller, []string{gateway, proxy, nodeJS}},
	{"every caller different, CRM takes 20 ms, 1 connection", 1, 20 * time.Millisecond, load.OtherCaller, []string{gateway, proxy, nodeJS}},
}

const (
	gateway = "gateway"
	// pages is the same gateway where the answer opens a page of ours.
	pages   = "gateway, its own page"
	proxy   = "reverse_proxy"
	respond = "respond"
	nodeJS  = "Node.js"
)

func run(caddy, node string, rounds int, duration time.Duration, output string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	crm, err := stub.Start(rosa)
	if err != nil {
		return err
	}
	subjects, err := startSubjects(ctx, crm, caddy, node)
	defer func() {
		for _, one := range subjects {
			one.End()
		}
	}()
	if err != nil {
		return err
	}
	var calls atomic.Int64
	var results []result
	for _, s := range scenarios {
		crm.Behave(stub.Slow(s.delay))
		chosen := slices.DeleteFunc(slices.Clone(subjects), func(one subject) bool { return !slices.Contains(s.subjects, one.name) })
		measured, err := s.measure(chosen, crm, rounds, duration, func() int64 { return calls.Add(1) })
		if err != nil {
			return err
		}
		results = append(results, measured)
		fmt.Print(measured.table())
	}
	if output == "" {
		return nil
	}
	return write(output, results)
}

// startSubjects starts everything that is compared; what it returns has to be
// ended, also beside an error.
func startSubjects(ctx context.Context, crm *stub.CRM, caddy, node string) ([]subject, error) {
	addresses := map[string]string{}
	for _, name := range []string{gateway, pages, proxy, respond, nodeJS} {
		address, err := process.FreePort()
		if err != nil {
			return nil, err
		}
		addresses[name] = address
	}
	environment := []string{"BENCH_CRM=" + crm.Address, "BENCH_GATEWAY=" + addresses[gateway], "BENCH_PAGES=" + addresses[pages], "BENCH_PROXY=" + addresses[proxy], "BENCH_RESPOND=" + addresses[respond]}
	var subjects []subject
	// Each in a process of its own, so that its CPU time can be told.
	for _, name := range []string{gateway, proxy, respond} {
		one, err := startSubject(ctx, name, addresses[name], environment, caddy, "run", "--config", "Caddyfile."+name, "--adapter", "caddyfile")
		if err != nil {
			return subjects, err
		}
		subjects = append(subjects, one)
		if name == gateway {
			subjects = append(subjects, subject{pages, addresses[pages], one.Process, one.log})
		}
	}
	if node == "" {
		return subjects, nil
	}
	_, port, err := net.SplitHostPort(addresses[nodeJS])
	if err != nil {
		return subjects, err
	}
	one, err := startSubject(ctx, nodeJS, addresses[nodeJS], nil, node, "handler.js", port, crm.Address)
	if err != nil {
		return subjects, err
	}
	return append(subjects, one), nil
}

// startSubject starts a program and waits until it listens.
func startSubject(ctx context.Context, name, address string, environment []string, program string, args ...string) (subject, error) {
	log := &bytes.Buffer{}
	p, err := process.Start(ctx, log, environment, program, args...)
	if err != nil {
		return subject{}, err
	}
	if err := process.Await(address); err != nil {
		p.End()
		return subject{}, fmt.Errorf("%s: %w:\n%s", name, err, log)
	}
	return subject{name, address, p, log}, nil
}

// rosa is what a CRM says that knows everybody.
func rosa(phone string) string {
	return fmt.Sprintf(`{"total":1,"items":[{"id":"4711","name":"Rosa Marin","company":"Quai Nord","email":"rosa@example.org","phone":%q,"mobile":"06 39 98 00 01"}]}`, phone)
}
