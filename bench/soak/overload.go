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
	// crowd is how many agents ring without a pause for other callers each time,
	// and laborious how long the CRM takes for each.
	crowd     = 150
	laborious = 200 * time.Millisecond
	// places is how many requests are made at once by default.
	places = 16
)

// overload has more calls come than the CRM can answer. It is still to answer as
// many as it can.
func overload(ctx context.Context, o options) (*result, error) {
	r := &result{title: fmt.Sprintf("A CRM needs %s for each request, %d agents ring without a pause for %s", laborious, crowd, o.overload)}
	crm, err := stub.Start(contact)
	if err != nil {
		return nil, err
	}
	g, err := startGateway(ctx, o.program, crm, site{Level: "INFO", Long: true})
	if err != nil {
		return nil, err
	}
	defer g.stop()
	var callers, answered atomic.Int64
	next := func() int64 { return callers.Add(1) }
	crm.Behave(stub.Slow(laborious))
	rung := load.Load{
		Address: g.site.Address, Connections: crowd, Duration: o.overload, Caller: load.OtherCaller,
		Check: func(a load.Answer) error {
			if bytes.Contains(a.Body, []byte(found)) {
				answered.Add(1)
				return nil
			}
			return isUnreachable(a)
		},
	}.Run(next)

	r.answered(rung, "all answered")
	most := int64(o.overload/laborious) * places
	r.demand("callers found", number(answered.Load()), fmt.Sprintf("at least 90 %% of the %s that the CRM can answer", number(most)), answered.Load() >= most*9/10)
	r.note("requests to the CRM", number(crm.Requests.Load()))
	r.note("half of the calls within", millis(rung.P50))
	r.atMost("99.9 % within", rung.P999, deadline+20*time.Millisecond)
	r.note("the last one", millis(rung.Most))
	r.demand("breaker opened, by the log", number(g.journal.count(crmLost)), "never: the CRM answers", g.journal.count(crmLost) == 0)
	return r, nil
}
