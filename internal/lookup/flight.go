package lookup

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/screenpop/caddy-screenpop/internal/crm"
)

// flight is one search in one CRM, for all calls that want the same.
type flight struct {
	// name is what it is found by, and patient whether it has no timeouts.
	name    string
	patient bool
	started time.Time
	// life is its context, which abort ends.
	life  context.Context //nolint:containedctx // it is what the flight is about
	abort context.CancelCauseFunc

	mu     sync.Mutex
	landed bool
	report Report
	// until is up to when the calls wait, and endless whether somebody waits for as
	// long as it takes.
	until   time.Time
	endless bool
	// known is what the CRM has said so far.
	known crm.Result
	seats []seat
}

// seat is a call that waits for a flight: its channel is told the number of its
// part.
type seat struct {
	landed chan<- int
	part   int
}

// board waits for the flight up to a time, or with the zero one as long as it
// takes; it reports false when it has landed.
func (f *flight) board(s seat, until time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.landed {
		return false
	}
	if f.endless = f.endless || until.IsZero(); until.After(f.until) {
		f.until = until
	}
	f.seats = append(f.seats, s)
	return true
}

// awaited is up to when somebody waits for it; zero if there is no such time.
func (f *flight) awaited() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.endless {
		return time.Time{}
	}
	return f.until
}

// leave does not wait for it any longer.
func (f *flight) leave(landed chan<- int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seats = slices.DeleteFunc(f.seats, func(s seat) bool { return s.landed == landed })
}

// isEmpty reports whether nobody waits.
func (f *flight) isEmpty() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.seats) == 0
}

// tell notes what is known while the rest is still being asked.
func (f *flight) tell(known crm.Result) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.known = known
}

// soFar returns what is known.
func (f *flight) soFar() crm.Result {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.known
}

func (f *flight) result() Report {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.report
}

// land ends the flight and tells everybody. It reports how many waited, or that
// it had landed before.
func (f *flight) land(report Report) (waited int, first bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.landed {
		return 0, false
	}
	f.landed, f.report, f.known = true, report, crm.Result{}
	for _, s := range f.seats {
		s.landed <- s.part // has room for each of its parts
	}
	waited = len(f.seats)
	f.seats = nil
	return waited, true
}
