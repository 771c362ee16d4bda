// Package lookup turns one call's number into records: it asks the configured
// CRMs at once and chooses among their answers within the time there is.
package lookup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/screenpop/caddy-screenpop/internal/crm"
	"github.com/screenpop/caddy-screenpop/internal/phone"
	"github.com/screenpop/caddy-screenpop/internal/template"
)

// Engine asks CRMs. It is safe for concurrent use.
type Engine struct {
	// connectors in order of preference.
	connectors []crm.Connector
}

// New returns an engine over at least one CRM, in order of preference.
func New(connectors ...crm.Connector) *Engine { return &Engine{connectors} }

// Finding is what the CRMs said together.
type Finding struct {
	// Records are those of the preferred CRM that had a match; each is the
	// caller's.
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
	CRM  string
	Took time.Duration
	// Result is what it said; when it said nothing in time, only its Err is set.
	Result crm.Result
	// Dropped counts records that it returned although their numbers are not
	// the caller's, or that stand for the same thing as another.
	Dropped int
}

// Find asks the named CRMs, or all if none is named. The connectors' time ends
// with the context; Find itself returns at latest when patience ends, whatever
// they do.
func (e *Engine) Find(ctx context.Context, patience <-chan time.Time, query crm.Query, ask ...string) Finding {
	connectors := e.choose(ask)
	reports := collect(ctx, patience, connectors, query)
	finding := Finding{Reports: reports, CRM: connectors[0]}
	var failures []error
	for i := range reports {
		if reports[i].Result.Err != nil {
			failures = append(failures, reports[i].Result.Err)
		}
		if len(finding.Records) == 0 && len(reports[i].Result.Records) > 0 {
			finding.Records, finding.CRM = reports[i].Result.Records, connectors[i]
		}
	}
	finding.Err = errors.Join(failures...)
	return finding
}

// First returns the preferred CRM of the named ones, or of all.
func (e *Engine) First(ask ...string) crm.Connector { return e.choose(ask)[0] }

func (e *Engine) choose(names []string) []crm.Connector {
	if len(names) == 0 {
		return e.connectors
	}
	var chosen []crm.Connector
	for _, name := range names {
		for _, connector := range e.connectors {
			if connector.Profile().Name == name {
				chosen = append(chosen, connector)
			}
		}
	}
	return chosen
}

// errSilent is for a connector that overran its time without saying why.
var errSilent = errors.New("no answer in time")

// collect asks all connectors at once and waits until the answer is decided,
// or patience ends.
func collect(ctx context.Context, patience <-chan time.Time, connectors []crm.Connector, query crm.Query) []Report {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	reports := make([]Report, len(connectors))
	answered := make([]bool, len(connectors))
	type indexed struct {
		at     int
		report Report
	}
	answers := make(chan indexed, len(connectors)) // nobody blocks when we leave early
	for i, connector := range connectors {
		name := connector.Profile().Name
		reports[i] = Report{CRM: name, Result: crm.Result{Err: fmt.Errorf("crm %s: %w", name, errSilent)}}
		go func() { answers <- indexed{i, search(ctx, connector, query)} }()
	}
	for !decided(reports, answered) {
		select {
		case answer := <-answers:
			reports[answer.at], answered[answer.at] = answer.report, true
		case <-patience:
			// An answer that came at the same moment counts.
			for range len(answers) {
				answer := <-answers
				reports[answer.at], answered[answer.at] = answer.report, true
			}
			return reports
		}
	}
	return leaveOut(reports, answered)
}

// decided reports whether no answer that is still out could change the choice:
// all have answered, or one has a match and all before it have none.
func decided(reports []Report, answered []bool) bool {
	for i := range reports {
		if !answered[i] {
			return false
		}
		if len(reports[i].Result.Records) > 0 {
			return true
		}
	}
	return true
}

// leaveOut clears the reports of CRMs that were no longer waited for, so that
// they do not look like failures.
func leaveOut(reports []Report, answered []bool) []Report {
	for i := range reports {
		if !answered[i] {
			reports[i].Result.Err = nil
		}
	}
	return reports
}

// search asks one connector. A connector is a guest: a panic in it is its
// failure, not the server's, and what it returns is checked.
func search(ctx context.Context, connector crm.Connector, query crm.Query) (report Report) {
	started := time.Now()
	name := connector.Profile().Name
	defer func() {
		report.CRM, report.Took = name, time.Since(started)
		if recovered := recover(); recovered != nil {
			report.Result = crm.Result{Err: fmt.Errorf("crm %s: the connector panicked: %T", name, recovered)}
		}
	}()
	report.Result = connector.Search(ctx, query)
	report.Result.Err = loggable(report.Result.Err)
	returned := len(report.Result.Records)
	report.Result.Records = distinct(verified(report.Result.Records, query))
	report.Dropped = returned - len(report.Result.Records)
	return report
}

// guestError is an error of a connector that is not the rest engine. It may
// repeat the request, so its text comes without numbers.
type guestError struct{ error }

func (g guestError) Error() string { return phone.MaskText(template.OneLine(g.error.Error())) }

func (g guestError) Unwrap() error { return g.error }

// loggable makes an error fit for the log. A [crm.Failure] is.
func loggable(err error) error {
	if _, ok := errors.AsType[*crm.Failure](err); ok || err == nil {
		return err
	}
	return guestError{err}
}

// verified keeps the records that are the caller's: the promise that no
// stranger's record opens does not rest on connectors.
func verified(records []crm.Record, query crm.Query) []crm.Record {
	return slices.DeleteFunc(slices.Clone(records), func(r crm.Record) bool {
		return !r.Unverified && !query.Matches(r.Phones)
	})
}

// distinct keeps each thing once, and leaves out a company that stands there
// only because one of its people does: it is that person who calls.
func distinct(records []crm.Record) []crm.Record {
	var kept []crm.Record
	for _, record := range records {
		if !slices.ContainsFunc(kept, record.Same) {
			kept = append(kept, record)
		}
	}
	return slices.DeleteFunc(kept, func(company crm.Record) bool {
		return slices.ContainsFunc(kept, func(person crm.Record) bool { return isCompanyOf(company, person) })
	})
}

// isCompanyOf reports whether one record is the company that another belongs
// to. A company's own record has its own name as its company, or none.
func isCompanyOf(company, person crm.Record) bool {
	return company.Kind != person.Kind && company.Name != "" && company.Name != person.Name &&
		company.Name == person.Company && (company.Company == "" || company.Company == company.Name)
}

// Connectors returns the CRMs, in order of preference.
func (e *Engine) Connectors() []crm.Connector { return e.connectors }
