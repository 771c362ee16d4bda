package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/screenpop/caddy-screenpop/bench/internal/load"
	"github.com/screenpop/caddy-screenpop/bench/internal/stub"
)

const (
	// remembered is the size of the cache.
	remembered = 100_000
	// promised is how much a full cache takes at most, in bytes, and enough how much
	// the gateway may that has a limit.
	promised = 100_000_000
	enough   = 150_000_000
)

// memory lets very many callers ring through a cache that remembers some of them:
// as Go manages memory if nobody says more, which is up to twice of what is in
// use, with records as usual and with long ones, and these with a limit.
func memory(ctx context.Context, o options) (*result, error) {
	r := &result{title: fmt.Sprintf("%s callers through a cache of %s", number(o.callers), number(remembered))}
	for _, trial := range []struct {
		name     string
		long     bool
		variable string
	}{
		{name: "usual records"},
		{name: "long records", long: true},
		{name: "long records, `GOMEMLIMIT=" + o.limit + "`", long: true, variable: "GOMEMLIMIT=" + o.limit},
	} {
		p, err := pass(ctx, o, trial.long, trial.variable)
		if err != nil {
			return nil, err
		}
		r.tell(trial.name, p, o)
		if !trial.long || trial.variable != "" {
			r.demand(trial.name+": the most of all", megabytes(p.most()), "below "+megabytes(enough), p.most() < enough)
		}
	}
	return r, nil
}

// passage is what the gateway took while all rang.
type passage struct {
	empty, full footprint
	// early and late are the most of its own memory while the first fifth rang, in
	// which the cache is filled, and after that.
	early, late int64
	peak        int64
	perSec      float64
}

func (p passage) cache() int64 { return p.full.heap - p.empty.heap }
func (p passage) most() int64  { return max(p.early, p.late) }

// tell adds what was measured.
func (r *result) tell(name string, p passage, o options) {
	r.demand(name+": heap that the full cache takes", fmt.Sprintf("%s, %d bytes for each caller", megabytes(p.cache()), p.cache()/remembered),
		"below "+megabytes(promised), p.cache() < promised)
	r.demand(fmt.Sprintf("%s: most memory while the first %s rang, and after them", name, number(o.callers/5)), megabytes(p.early)+", "+megabytes(p.late),
		"no growth beyond 5 %", p.late <= p.early+p.early/20)
	r.note(name+": the same with the pages of the program's file", megabytes(p.peak))
	r.note(name+": calls per second", number(int64(p.perSec)))
}

// pass lets all of them ring once, with a variable of the environment.
func pass(ctx context.Context, o options, long bool, variable string) (p passage, err error) {
	crm, err := stub.Start(contact)
	if err != nil {
		return p, err
	}
	g, err := startGateway(ctx, o.program, crm, site{Level: "ERROR", Long: long, Cache: fmt.Sprintf("cache {\n\t\t\tsize %d\n\t\t}", remembered)}, variable)
	if err != nil {
		return p, err
	}
	defer g.stop()
	var callers atomic.Int64
	ring := func(calls int64, caller func(int64) string) (most int64, perSec float64, err error) {
		ended := make(chan struct{})
		sampled := g.most(ended)
		round := load.Load{Address: g.site.Address, Connections: ringing, Duration: time.Hour, Calls: calls, Caller: caller}.
			Run(func() int64 { return callers.Add(1) })
		close(ended)
		if round.Errors > 0 {
			err = fmt.Errorf("%w:\n%s", round.FirstErr, g.journal.end())
		}
		return <-sampled, round.PerSec, err
	}
	if _, _, err = ring(5000, load.SameCaller); err != nil {
		return p, err
	}
	if p.empty, err = g.footprint(); err != nil {
		return p, err
	}
	if p.early, _, err = ring(o.callers/5, load.OtherCaller); err != nil {
		return p, err
	}
	if p.late, p.perSec, err = ring(o.callers-o.callers/5, load.OtherCaller); err != nil {
		return p, err
	}
	p.peak = g.Memory().Peak
	if p.full, err = g.footprint(); err != nil {
		return p, err
	}
	return p, g.saveProfile(o.profile)
}

// most is the most memory of its own that the gateway has until it ended.
func (g *gateway) most(ended <-chan struct{}) <-chan int64 {
	sampled := make(chan int64, 1)
	go func() {
		var most int64
		for {
			most = max(most, g.Memory().Own)
			select {
			case <-time.After(50 * time.Millisecond):
			case <-ended:
				sampled <- max(most, g.Memory().Own)
				return
			}
		}
	}()
	return sampled
}
