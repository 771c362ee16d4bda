package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/screenpop/caddy-screenpop/bench/internal/stub"
)

const (
	agents = 32
	// How often things change in the storm, and how long the shared cache is away.
	reloadEvery = 7 * time.Second
	awayEvery   = 20 * time.Second
	awayFor     = 4 * time.Second
	// breath is how long the storm lasts by which the other one is measured.
	breath = 30 * time.Second
	// settling is how long everything is fine before the gateway is looked at.
	settling = 12 * time.Second
	// kept is how long connections are that nobody uses.
	kept = 130 * time.Second
	// calm is how many goroutines a gateway has at most that nobody asks, and spare
	// ones come and go.
	calm  = 25
	spare = 5
)

// behaviours are what the CRM does when it is not fine.
var behaviours = []struct {
	name string
	stub.Behaviour
}{
	{"is slow", stub.Slow(50 * time.Millisecond)},
	{"hangs", stub.Hanging},
	{"resets connections", stub.Resetting},
	{"fails", stub.Refusing(http.StatusInternalServerError, "")},
	{"says too often", stub.Refusing(http.StatusTooManyRequests, "")},
	{"says until when", stub.Refusing(http.StatusTooManyRequests, "2")},
	{"shows a page", stub.Saying("text/html", "<html>Please log in</html>")},
	{"says something else", stub.Saying("application/json", `{"error":"busy"}`)},
	{"breaks off", stub.Saying("application/json", `{"items":[{"id":"1","name":"Ro`)},
	{"answers without an end", stub.Endless},
	{"answers byte by byte", stub.Dripping},
}

// storm is everything that changes at once.
type storm struct {
	gateway *gateway
	crm     *stub.CRM
	store   *store // nil if there is none
	random  *rand.Rand
	tally   *tally

	reloads, changes, aways int

	mu    sync.Mutex
	first error
	// now is what is happening, each to its name.
	now map[string]string
}

// happens notes what is happening from now on; "": nothing.
func (s *storm) happens(where, what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now[where] = what
}

// sky is what is happening now.
func (s *storm) sky() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("the CRM %s, the configuration%s, the shared cache%s", s.now["CRM"], s.now["configuration"], s.now["store"])
}

// weather rings while everything else changes.
func weather(ctx context.Context, o options) (*result, error) {
	r := &result{title: fmt.Sprintf("%d agents in changing weather, %s", agents, o.weather)}
	crm, err := stub.Start(somebody)
	if err != nil {
		return nil, err
	}
	store, err := findStore()
	if err != nil {
		return nil, err
	}
	shared := ""
	if store != nil {
		if err := store.start(ctx); err != nil {
			return nil, err
		}
		defer func() { store.running.End() }()
		shared = "shared redis://" + store.address
	}
	g, err := startGateway(ctx, o.weatherProgram, crm, site{Level: "INFO", Long: true, Cache: cacheFor(0, shared)}, "GORACE=halt_on_error=0")
	if err != nil {
		return nil, err
	}
	defer g.stop()
	s := &storm{gateway: g, crm: crm, store: store, now: map[string]string{}}
	s.random = rand.New(rand.NewPCG(o.seed, 0)) //nolint:gosec // it is to be the same again
	s.tally = &tally{limit: deadline + o.slack, sky: s.sky}
	machine := watch()
	s.blow(ctx, min(breath, o.weather), shared)
	before, err := s.settle(shared, calm)
	if err != nil {
		return nil, err
	}
	s.blow(ctx, o.weather, shared)
	after, err := s.settle(shared, before.goroutines+spare)
	if err != nil {
		return nil, err
	}
	s.report(r, o, machine.end(), before, after)
	return r, nil
}

// cacheFor are options that change with some reloads, so that what is remembered
// is kept by others.
func cacheFor(reload int, shared string) string {
	return fmt.Sprintf("cache {\n\t\t\tttl %ds\n\t\t\tnot_found 1s\n\t\t\tstale 4s\n\t\t\t%s\n\t\t}", 2+reload/3%2, shared)
}

// blow lets everything change for a time.
func (s *storm) blow(ctx context.Context, lasting time.Duration, shared string) {
	ctx, end := context.WithTimeout(ctx, lasting)
	defer end()
	var all sync.WaitGroup
	all.Go(func() { s.changeCRM(ctx, lasting) })
	all.Go(func() {
		s.every(ctx, reloadEvery, func() error {
			s.reloads++
			s.happens("configuration", " is reloaded")
			defer s.happens("configuration", "")
			return s.reload(shared)
		})
	})
	if s.store != nil {
		all.Go(func() {
			s.every(ctx, awayEvery, func() error {
				s.aways++
				s.happens("store", " is away")
				defer s.happens("store", "")
				return s.store.away(context.WithoutCancel(ctx), s.aways%2 == 0, awayFor)
			})
		})
	}
	for i := range agents {
		one := &agent{address: s.gateway.site.Address, tally: s.tally, random: rand.New(rand.NewPCG(s.random.Uint64(), uint64(i)))} //nolint:gosec // as above
		all.Go(func() {
			defer one.hangUp()
			for call := 0; ctx.Err() == nil; call++ {
				one.ring(agentID(i, call))
			}
		})
	}
	all.Wait()
	s.crm.Behave(stub.Fine)
}

// changeCRM goes through all that the CRM does, each time in another order, at
// least once, and with better times in between.
func (s *storm) changeCRM(ctx context.Context, lasting time.Duration) {
	random := rand.New(rand.NewPCG(uint64(lasting), 1)) //nolint:gosec // as above
	longest := min(4*time.Second, lasting/time.Duration(2*len(behaviours)))
	change := func(what string, to stub.Behaviour) {
		s.happens("CRM", what)
		s.crm.Behave(to)
		s.changes++
		rest(ctx, longest/2+time.Duration(random.Int64N(int64(longest)/2)))
	}
	for ctx.Err() == nil {
		for _, i := range random.Perm(len(behaviours)) {
			change(behaviours[i].name, behaviours[i].Behaviour)
			change("is fine", stub.Fine)
		}
	}
}

// every does something again and again. The first failure is kept.
func (s *storm) every(ctx context.Context, pause time.Duration, do func() error) {
	for rest(ctx, pause); ctx.Err() == nil; rest(ctx, pause) {
		if err := do(); err != nil {
			s.mu.Lock()
			if s.first == nil {
				s.first = err
			}
			s.mu.Unlock()
		}
	}
}

func rest(ctx context.Context, pause time.Duration) {
	select {
	case <-time.After(pause):
	case <-ctx.Done():
	}
}

// reload loads the next configuration.
func (s *storm) reload(shared string) error {
	site := s.gateway.site
	site.Cache = cacheFor(s.reloads, shared)
	return s.gateway.reload(site)
}

// settle waits until nothing should be left of the storm, and looks. A reload ends
// the connections to the CRM; those over which a replaced configuration's last
// calls asked are kept until nobody has used them for two minutes.
func (s *storm) settle(shared string, most int64) (f footprint, err error) {
	time.Sleep(settling)
	if err := s.reload(shared); err != nil {
		return f, err
	}
	for began := time.Now(); time.Since(began) < kept; time.Sleep(settling / 4) {
		if f, err = s.gateway.footprint(); err != nil || f.goroutines <= most {
			return f, err
		}
	}
	return f, nil
}

// report tells what became of it.
func (s *storm) report(r *result, o options, stalled time.Duration, before, after footprint) {
	t := s.tally
	log := s.gateway.journal
	r.note("the CRM changed, the configuration was reloaded", fmt.Sprintf("%d times, %d times", s.changes, s.reloads))
	if s.store != nil {
		r.note("the shared cache was stopped or hung; lost and found, by the log", fmt.Sprintf("%d times; %d, %d", s.aways, log.count(storeLost), log.count(storeFound)))
	} else {
		r.note("the shared cache", "none: there is no Redis")
	}
	r.note("breaker opened, by the log", number(log.count(crmLost)))
	r.demand("calls lost", fmt.Sprintf("%s of %s", number(t.lost), number(t.calls)), "none", t.lost == 0)
	r.demand("wrong answers", number(t.wrong), "none", t.wrong == 0)
	r.demand("answered as found, not found, unreachable", fmt.Sprintf("%s, %s, %s", number(t.found), number(t.notFound), number(t.unreachable)),
		"some of each", t.found > 0 && t.notFound > 0 && t.unreachable > 0)
	r.note("rung again: kept connection closed, new connection refused or reset", fmt.Sprintf("%d, %d", t.closed, t.refused))
	r.atMost("the slowest answer", t.worst(), deadline+o.slack)
	slowest, line := log.slowestCall()
	r.note("the slowest by the log; this machine stalled for up to", millis(slowest)+", "+millis(stalled))
	r.note("slower than the deadline", number(t.late(deadline)))
	r.demand("lines in the log about calls", number(log.count(aCall)), "one for each call", log.count(aCall) == t.calls)
	r.demand("panics and data races in the log", fmt.Sprintf("%d, %d", log.count(aPanic), log.count(aRace)), "none", log.count(aPanic)+log.count(aRace) == 0)
	r.same("heap before and after", before.heap, after.heap)
	if o.weatherProgram == o.program { // the race detector's memory grows with what it has seen
		r.same("memory before and after", before.Own, after.Own)
	}
	r.sameGoroutines("before and after", before, after, spare)
	if after.goroutines > before.goroutines+spare {
		r.details = append(r.details, s.gateway.goroutines())
	}
	if s.first != nil {
		r.demand("reloads and restarts", s.first.Error(), "no failure", false)
	}
	r.details = append(r.details, t.examples...)
	if slowest > deadline {
		r.details = append(r.details, "the slowest in the log: "+line)
	}
	if log.count(toNobody) > 0 {
		r.details = append(r.details, fmt.Sprintf("%d calls were answered to nobody, by the log", log.count(toNobody)))
	}
	if troubles := log.troubles(); troubles != "" {
		r.details = append(r.details, troubles)
	}
}
