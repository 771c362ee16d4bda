package main

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/screenpop/caddy-screenpop/bench/internal/load"
	"github.com/screenpop/caddy-screenpop/bench/internal/stub"
)

const (
	// ringing is how many agents ring without a pause.
	ringing = 64
	// pile is how much more memory than before is still none that piles up.
	pile = 8 << 20
	// askedPerSec is how often a CRM that hangs may be asked.
	askedPerSec = 10
	// recovery is how soon callers are found again.
	recovery = 5 * time.Second
)

// hang lets the CRM hang while many agents ring, each time for another caller.
func hang(ctx context.Context, o options) (*result, error) {
	r := &result{title: fmt.Sprintf("A CRM hangs for %s, %d agents ring without a pause", o.hang, ringing)}
	crm, err := stub.Start(contact)
	if err != nil {
		return nil, err
	}
	g, err := startGateway(ctx, o.program, crm, site{Level: "INFO", Long: true})
	if err != nil {
		return nil, err
	}
	defer g.stop()
	var callers atomic.Int64
	next := func() int64 { return callers.Add(1) }
	rung := load.Load{Address: g.site.Address, Connections: ringing, Duration: 2 * time.Second, Caller: load.OtherCaller}
	if before := rung.Run(next); before.Errors > 0 {
		return nil, fmt.Errorf("before the outage: %w", before.FirstErr)
	}

	crm.Behave(stub.Hanging)
	asked := crm.Requests.Load()
	rung.Duration, rung.Check = o.hang, isUnreachable
	sampled := g.sampleIn(o.hang/5, o.hang*4/5)
	outage := rung.Run(next)
	asked = crm.Requests.Load() - asked
	samples := <-sampled
	if samples.err != nil {
		return nil, samples.err
	}
	crm.Behave(stub.Fine)
	back, err := g.firstFound(rung, next)
	if err != nil {
		return nil, err
	}

	r.answered(outage, "all answered, as `unreachable`")
	r.note("half of them within", millis(outage.P50))
	r.note("99 % within", millis(outage.P99))
	r.atMost("99.9 % within", outage.P999, deadline+20*time.Millisecond)
	r.note("the last one", millis(outage.Most))
	most := askedPerSec * int64(o.hang/time.Second)
	r.demand("requests to the CRM", number(asked), "at most "+number(most), asked <= most)
	r.demand("breaker opened, by the log", number(g.journal.count(crmLost)), "at least once", g.journal.count(crmLost) > 0)
	when := fmt.Sprintf("after %s and after %s", seconds(o.hang/5), seconds(o.hang*4/5))
	r.same("heap "+when, samples.early.heap, samples.late.heap)
	r.same("memory "+when, samples.early.Own, samples.late.Own)
	r.sameGoroutines(when, samples.early, samples.late, ringing)
	r.demand("first caller found after the outage", seconds(back), "within "+seconds(recovery), back <= recovery)
	return r, nil
}

func isUnreachable(a load.Answer) error {
	if a.Status != 200 || !bytes.Contains(a.Body, []byte(unreachable)) {
		return fmt.Errorf("answered %d %s", a.Status, a.Body)
	}
	return nil
}

// firstFound rings on until somebody is found, and returns when that was.
func (g *gateway) firstFound(rung load.Load, next func() int64) (time.Duration, error) {
	var back atomic.Int64
	since := time.Now()
	rung.Duration = recovery + time.Second
	rung.Check = func(a load.Answer) error {
		if bytes.Contains(a.Body, []byte(found)) {
			back.CompareAndSwap(0, int64(time.Since(since)))
			return nil
		}
		return isUnreachable(a)
	}
	if after := rung.Run(next); after.Errors > 0 {
		return 0, fmt.Errorf("after the outage: %w", after.FirstErr)
	}
	if back.Load() == 0 {
		return time.Since(since), nil
	}
	return time.Duration(back.Load()), nil
}

// samples are two footprints.
type samples struct {
	early, late footprint
	err         error
}

// sampleIn takes them in two times.
func (g *gateway) sampleIn(early, late time.Duration) <-chan samples {
	taken := make(chan samples, 1)
	go func() {
		var s samples
		time.Sleep(early)
		if s.early, s.err = g.footprint(); s.err == nil {
			time.Sleep(late - early)
			s.late, s.err = g.footprint()
		}
		taken <- s
	}()
	return taken
}

// same demands that something does not take more later than earlier, in bytes.
func (r *result) same(what string, early, late int64) {
	r.demand(what, megabytes(early)+", "+megabytes(late), "no more", late <= early+early/10+pile)
}

// sameGoroutines demands that there are not more, but for some that come and go.
func (r *result) sameGoroutines(when string, early, late footprint, spare int64) {
	r.demand("goroutines "+when, fmt.Sprintf("%d, %d", early.goroutines, late.goroutines), "no more", late.goroutines <= early.goroutines+spare)
}
