package lookup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/screenpop/caddy-screenpop/internal/crm"
)

// Source is one CRM with what it takes to ask it once for everybody.
type Source struct {
	connector     crm.Connector
	name          string
	window, limit time.Duration
	overdue       error // why a search ends that has gone on for that long
	memory        *Memory
	behind        func(Report)

	mu      sync.Mutex
	flights map[string]*flight
	// retired is set when its configuration has ended.
	retired bool
}

// Options are what can be left out of a Source.
type Options struct {
	// Memory remembers what the CRM said. Default: nothing is remembered.
	Memory *Memory
	// Behind is told of searches that ended when no call waited for them.
	// Default: nobody is told.
	Behind func(Report)
}

// NewSource returns a Source for a CRM.
func NewSource(connector crm.Connector, options Options) *Source {
	profile := connector.Profile()
	s := &Source{
		connector: connector, name: profile.Name, window: profile.Window, limit: profile.Limit,
		memory: options.Memory, behind: options.Behind, flights: map[string]*flight{},
	}
	if s.limit <= 0 {
		s.limit = crm.DefaultLimit
	}
	if s.behind == nil {
		s.behind = func(Report) {}
	}
	s.overdue = &crm.LimitError{Limit: s.limit}
	return s
}

// overrun is how long after its limit a search is given up on, whatever the
// connector does.
const overrun = 250 * time.Millisecond

// retire ends every flight that nobody waits for; from now on a flight ends with
// the last call that does.
func (s *Source) retire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.retired = true
	for _, f := range s.flights {
		s.abandon(f)
	}
}

// abandon ends a flight that nobody waits for, of a source that is retired.
func (s *Source) abandon(f *flight) {
	if s.retired && f.isEmpty() {
		f.abort(crm.ErrReplaced)
	}
}

// leave gives up a seat.
func (s *Source) leave(f *flight, landed chan<- int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.leave(landed)
	s.abandon(f)
}

// mode is how much of what is remembered a search may answer with.
type mode int

const (
	// first: anything.
	first mode = iota
	// renewing: what is fresh.
	renewing
	// anew: nothing.
	anew
)

// ask returns what is remembered of an inquiry's query, or the flight that finds
// out, in which its part then has a seat; and whether that was already on its way.
func (s *Source) ask(q *inquiry, at int) (report Report, f *flight, joined bool) {
	key, err := s.key(q.query)
	if err != nil {
		return Report{CRM: s.name, Result: crm.Result{Err: err}}, nil, false
	}
	how := first
	if q.terms.Anew {
		how = anew
	} else if report, ok := s.remembered(key, q.query); ok {
		return report, nil, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.flights[flightName(key, q.terms.Patient)]; f != nil && f.board(q.seat(at), q.terms.until()) {
		return Report{}, f, true
	}
	if how != anew { // it may have landed just now
		now := time.Now()
		if e := s.memory.recall(key); e != nil && e.isFresh(now) {
			return e.report(s.name, now), nil, false
		}
	}
	f = s.start(key, q.query, how, q.terms)
	f.board(q.seat(at), q.terms.until())
	return Report{}, f, false
}

// remembered is what is remembered of a query. What is past its freshness is
// renewed behind the call.
func (s *Source) remembered(key string, query crm.Query) (Report, bool) {
	now := time.Now()
	e := s.memory.recall(key)
	if e == nil || !e.isUsable(now) {
		return Report{}, false
	}
	report := e.report(s.name, now)
	if report.Stale {
		s.renew(key, query)
	}
	return report, true
}

// renew asks again, behind the calls.
func (s *Source) renew(key string, query crm.Query) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flights[key] == nil && !s.retired {
		s.start(key, query, renewing, Terms{})
	}
}

// key names the search. A connector is a guest: a panic in it is its failure.
func (s *Source) key(query crm.Query) (key string, err error) {
	defer func() {
		if recovered := recover(); recovered != nil {
			err = s.panicked(recovered)
		}
	}()
	return s.connector.Key(query), nil
}

func (s *Source) panicked(recovered any) error {
	return fmt.Errorf("crm %s: the connector panicked: %T", s.name, recovered)
}

// flightName is what a flight is found by: those without timeouts are flights of
// their own.
func flightName(key string, patient bool) string {
	if patient {
		return key + "\x00patient"
	}
	return key
}

// patientLimit is how long a search without timeouts may take: as long as the
// longest patience of a page.
const patientLimit = 2 * time.Minute

// start starts a flight on the terms of who waits for it; none if nobody does. The
// lock is held.
func (s *Source) start(key string, query crm.Query, how mode, terms Terms) *flight {
	f := &flight{name: flightName(key, terms.Patient), patient: terms.Patient, started: time.Now(), until: terms.until()}
	f.life, f.abort = context.WithCancelCause(context.Background())
	s.flights[f.name] = f
	go s.fly(f, key, query, how, terms.Deadline/2)
	return f
}

// fly makes a search, for as long as it may take. One of another gateway is waited
// for as long as others says; 0: as long as it may.
func (s *Source) fly(f *flight, key string, query crm.Query, how mode, others time.Duration) {
	limit, overdue := s.limit, s.overdue
	life := f.life
	if f.patient {
		limit = max(limit, patientLimit)
		life, overdue = crm.Patiently(life), &crm.LimitError{Limit: limit}
	}
	if others <= 0 {
		others = limit
	}
	ctx, cancel := context.WithTimeoutCause(life, limit, overdue)
	defer cancel()
	deaf := time.AfterFunc(limit+overrun, func() { s.land(f, key, s.interim(f, query, overdue)) })
	defer deaf.Stop()
	told := query
	told.Interim = f.tell
	report, after := s.consult(crm.Awaited(ctx, f.awaited), key, told, how, others)
	report.Took = time.Since(f.started)
	s.land(f, key, report)
	after()
	if report.Stale {
		s.renew(key, query)
	}
}

// land remembers what came of a flight, and ends it. What is remembered is
// there before the flight is gone: no call finds neither.
func (s *Source) land(f *flight, key string, report Report) {
	if report.Result.Err == nil || f.life.Err() == nil { // the end of a configuration is no failure of the CRM
		s.memory.keep(key, report)
	}
	s.mu.Lock()
	if s.flights[f.name] == f {
		delete(s.flights, f.name)
	}
	s.mu.Unlock()
	if waited, first := f.land(report); first && waited == 0 && f.life.Err() == nil {
		s.behind(report)
	}
	f.abort(nil) // nothing of it is left
}

// search asks the CRM. What a connector returns is checked.
func (s *Source) search(ctx context.Context, query crm.Query) (report Report) {
	report.CRM = s.name
	defer func() {
		if recovered := recover(); recovered != nil {
			report.Result = crm.Result{Err: s.panicked(recovered)}
		}
	}()
	return s.checked(s.connector.Search(ctx, query), query)
}

// checked is what a connector returned, without what is not the caller's.
func (s *Source) checked(result crm.Result, query crm.Query) Report {
	returned := len(result.Records)
	result.Err = loggable(result.Err)
	result.Records = distinct(verified(result.Records, query))
	return Report{CRM: s.name, Result: result, Dropped: returned - len(result.Records)}
}

// interim is what is known of a flight that has to be left.
func (s *Source) interim(f *flight, query crm.Query, cause error) Report {
	known := f.soFar()
	if len(known.Pending) == 0 {
		known.Err = errors.Join(known.Err, crm.Overdue(s.name, "", cause))
	}
	for _, lookup := range known.Pending {
		known.Err = errors.Join(known.Err, crm.Overdue(s.name, lookup, cause))
	}
	known.Requests = slices.Clip(known.Requests)
	report := s.checked(known, query)
	report.Took = time.Since(f.started)
	return report
}
