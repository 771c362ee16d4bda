package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"time"
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
	*process
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
	{"known caller, 64 connections", 64, 0, sameCaller, []string{gateway, proxy, respond, nodeJS}},
	{"every caller different, 64 connections", 64, 0, otherCaller, []string{gateway, proxy, nodeJS}},
	{"every caller different, CRM takes 20 ms, 1 connection", 1, 20 * time.Millisecond, otherCaller, []string{gateway, proxy, nodeJS}},
}

const (
	gateway = "gateway"
	proxy   = "reverse_proxy"
	respond = "respond"
	nodeJS  = "Node.js"
)

func run(caddy, node string, rounds int, duration time.Duration, output string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	crm, err := startStub()
	if err != nil {
		return err
	}
	subjects, err := startSubjects(ctx, crm, caddy, node)
	if err != nil {
		return err
	}
	var calls atomic.Int64
	var results []result
	for _, s := range scenarios {
		crm.delay.Store(int64(s.delay))
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

// startSubjects starts everything that is compared.
func startSubjects(ctx context.Context, crm *stub, caddy, node string) ([]subject, error) {
	addresses := map[string]string{}
	for _, name := range []string{gateway, proxy, respond, nodeJS} {
		address, err := freePort()
		if err != nil {
			return nil, err
		}
		addresses[name] = address
	}
	environment := []string{"BENCH_CRM=" + crm.address, "BENCH_GATEWAY=" + addresses[gateway], "BENCH_PROXY=" + addresses[proxy], "BENCH_RESPOND=" + addresses[respond]}
	var subjects []subject
	// Each in a process of its own, so that its CPU time can be told.
	for _, name := range []string{gateway, proxy, respond} {
		p, err := start(ctx, ".", environment, caddy, "run", "--config", "Caddyfile."+name, "--adapter", "caddyfile")
		if err != nil {
			return nil, err
		}
		if err := p.await(addresses[name]); err != nil {
			return nil, err
		}
		subjects = append(subjects, subject{name, addresses[name], p})
	}
	if node == "" {
		return subjects, nil
	}
	_, port, err := net.SplitHostPort(addresses[nodeJS])
	if err != nil {
		return nil, err
	}
	p, err := start(ctx, ".", nil, node, "handler.js", port, crm.address)
	if err != nil {
		return nil, err
	}
	return append(subjects, subject{nodeJS, addresses[nodeJS], p}), p.await(addresses[nodeJS])
}
