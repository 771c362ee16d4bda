// Package lookup turns one call's number into records: it asks the configured
// CRMs at once, shares and remembers what they say, and chooses among their
// answers within the time there is.
package lookup

import (
	"context"
	"errors"
	"time"

	"github.com/screenpop/caddy-screenpop/internal/crm"
)

// Engine asks CRMs. It is safe for concurrent use.
type Engine struct {
	// sources in order of preference.
	sources []*Source
}

// New returns an engine over at least one CRM, in order of preference.
func New(sources ...*Source) *Engine { return &Engine{sources} }

// Once returns an engine for a single call: nothing is remembered, and nothing
// goes on when it is answered.
func Once(deadline time.Duration, connectors ...crm.Connector) *Engine {
	e := &Engine{}
	for _, connector := range connectors {
		s := NewSource(connector, Options{})
		s.limit = deadline - 2*reserve(deadline) // what the connector has by then still counts
		s.overdue = &crm.DeadlineError{Deadline: deadline}
		e.sources = append(e.sources, s)
	}
	return e
}

// Retire ends what is being asked behind the calls. Calls that are still there
// are answered, and their searches end with them.
func (e *Engine) Retire() {
	for _, source := range e.sources {
		source.retire()
	}
}

// Terms are on which terms a call asks.
type Terms struct {
	// Arrived is when the call came. Default: now.
	Arrived time.Time
	// Deadline is the time from then in which the call is answered. Default: as
	// long as its context.
	Deadline time.Duration
	// Ask names the CRMs to ask, in order of preference. Default: all.
	Ask []string
	// Anew asks the CRMs, whatever is remembered.
	Anew bool
	// Patient asks in searches of its own, in which a request may take as long as
	// the search: nobody waits for an answer in time.
	Patient bool
}

// Finding is what the CRMs said together.
type Finding struct {
	// Records are those of the preferred CRM that had a match; each is the
	// caller's. They are shared with other calls, and must not be changed.
	Records []crm.Record
	// CRM is where the records came from, or else the first that was asked.
	CRM crm.Connector
	// Reports tell of each CRM that was asked, in order of preference.
	Reports []Report
	// Err is why at least one CRM, or a part of one, could not be asked. With no
	// record and an error, nothing is known: it is not "not found".
	Err error
}

// Report is one CRM's part in a finding.
type Report struct {
	CRM string
	// Took is how long it has been asked.
	Took time.Duration
	// Result is what it said; when it said nothing in time, only its Err is set.
	Result crm.Result
	// Dropped counts records that it returned although their numbers are not
	// the caller's, or that stand for the same thing as another.
	Dropped int
	// Origin is where the result comes from.
	Origin Origin
	// Age is how long ago the CRM said so, of a remembered result; Stale is set
	// when that is longer than it is taken to be fresh.
	Age   time.Duration
	Stale bool
	// fresh is how long another gateway takes it to be so; 0 if none said.
	fresh time.Duration
	// Left is set when the call did not wait for it any longer.
	Left bool
}

// Origin is where a result comes from.
type Origin string

// The origins.
const (
	// Asked: from the CRM, for this call.
	Asked Origin = ""
	// Joined: from the CRM, that was already being asked for another call.
	Joined Origin = "another call"
	// Cached: it is remembered from another call.
	Cached Origin = "cache"
	// Shared: another gateway remembers it.
	Shared Origin = "shared cache"
)

// found reports whether the CRM knows the caller.
func (r Report) found() bool { return len(r.Result.Records) > 0 }

// Find asks the CRMs. It returns as soon as the answer is decided, at latest
// shortly before the deadline or when the context ends; the CRMs are asked on,
// for the next call.
func (e *Engine) Find(ctx context.Context, query crm.Query, terms Terms) Finding {
	if terms.Arrived.IsZero() {
		terms.Arrived = time.Now()
	}
	inquiry := inquiry{query: query, terms: terms}
	if inquiry.ask(e.choose(terms.Ask)); !inquiry.isDecided() {
		inquiry.wait(ctx)
	}
	return inquiry.finding()
}

// finding puts the reports together.
func (q *inquiry) finding() Finding {
	finding := Finding{CRM: q.parts[0].source.connector, Reports: q.reports}
	var failures []error
	for i := range q.reports {
		if err := q.reports[i].Result.Err; err != nil {
			failures = append(failures, err)
		}
		if i == q.chosen {
			finding.Records, finding.CRM = q.reports[i].Result.Records, q.parts[i].source.connector
		}
	}
	finding.Err = errors.Join(failures...)
	return finding
}

// First returns the preferred CRM of the named ones, or of all.
func (e *Engine) First(ask ...string) crm.Connector { return e.choose(ask)[0].connector }

// Connectors returns the CRMs, in order of preference.
func (e *Engine) Connectors() []crm.Connector {
	var connectors []crm.Connector
	for _, source := range e.sources {
		connectors = append(connectors, source.connector)
	}
	return connectors
}

func (e *Engine) choose(names []string) []*Source {
	if len(names) == 0 {
		return e.sources
	}
	var chosen []*Source
	for _, name := range names {
		for _, source := range e.sources {
			if source.name == name {
				chosen = append(chosen, source)
			}
		}
	}
	return chosen
}
