package lookup

import (
	"context"
	"time"

	"github.com/screenpop/caddy-screenpop/internal/crm"
)

// inquiry is one call's question to several CRMs.
type inquiry struct {
	query crm.Query
	terms Terms
	parts []part
	// reports are the parts', one each.
	reports []Report
	// chosen is the part whose records count; -1 when nobody was found.
	chosen int
	// landed tells of parts whose flight has landed.
	landed chan int
}

// part is one CRM's part in it.
type part struct {
	source *Source
	// flight is set until it has landed.
	flight *flight
	// joined is set when it was already on its way.
	joined bool
}

// longestReserve is the end of the deadline that is for writing the answer.
const longestReserve = 25 * time.Millisecond

// until is when the answer must be decided; zero if there is no deadline.
func (t Terms) until() time.Time {
	if t.Deadline <= 0 {
		return time.Time{}
	}
	return t.Arrived.Add(t.Deadline - reserve(t.Deadline))
}

func reserve(deadline time.Duration) time.Duration { return min(deadline/8, longestReserve) }

// ask asks all CRMs at once. Those behind one that is remembered to know the
// caller, and that is preferred to all that have to be waited for, are not.
func (q *inquiry) ask(sources []*Source) {
	q.parts, q.reports = make([]part, 0, len(sources)), make([]Report, 0, len(sources))
	for at, source := range sources {
		report, f, joined := source.ask(q, at)
		q.parts, q.reports = append(q.parts, part{source, f, joined}), append(q.reports, report)
		if q.choose(time.Time{}); q.chosen >= 0 {
			return
		}
	}
}

// seat is where a part is told that its flight has landed.
func (q *inquiry) seat(at int) seat {
	if q.landed == nil {
		q.landed = make(chan int, cap(q.parts)) // nobody who lands is held up
	}
	return seat{q.landed, at}
}

// isDecided reports whether nobody has to be waited for.
func (q *inquiry) isDecided() bool { return q.choose(time.Time{}) }

// choose looks for the preferred answer. It reports whether it is decided: all
// CRMs have answered, or one has a match, and those before it have none or have
// used up the time in which they are preferred.
func (q *inquiry) choose(now time.Time) (decided bool) {
	q.chosen = -1
	decided = true
	for i := range q.parts {
		switch part := &q.parts[i]; {
		case part.flight == nil && q.reports[i].found():
			q.chosen = i
			return true
		case part.flight == nil:
		case now.Before(q.windowOf(part)):
			return false
		default:
			decided = false // a later one may have a match, but nothing else can be said without it
		}
	}
	return decided
}

// windowOf is until when a part's answer is preferred to later ones'.
func (q *inquiry) windowOf(p *part) time.Time {
	switch {
	case p.source.window > 0:
		return q.terms.Arrived.Add(p.source.window)
	case q.terms.Deadline > 0:
		return q.terms.Arrived.Add(q.terms.Deadline / 2)
	default:
		return p.flight.started.Add(p.source.limit)
	}
}

// nextWindow is the time until the next window ends for which an answer is held
// back; 0 if there is none.
func (q *inquiry) nextWindow(now time.Time) (next time.Duration) {
	for i := range q.parts {
		part := &q.parts[i]
		if part.flight == nil && q.reports[i].found() {
			return next
		}
		if part.flight == nil {
			continue
		}
		if left := q.windowOf(part).Sub(now); left > 0 && (next == 0 || left < next) {
			next = left
		}
	}
	return 0 // nobody has a match that could be taken instead
}

// wait waits for flights, until the answer is decided.
func (q *inquiry) wait(ctx context.Context) {
	defer q.leave()
	var deadline <-chan time.Time
	if q.terms.Deadline > 0 {
		timer := time.NewTimer(time.Until(q.terms.until()))
		defer timer.Stop()
		deadline = timer.C
	}
	for {
		now := time.Now()
		if q.choose(now) {
			return
		}
		var window <-chan time.Time
		if next := q.nextWindow(now); next > 0 {
			window = time.After(next)
		}
		select {
		case at := <-q.landed:
			q.land(at)
		case <-window:
		case <-deadline:
			q.giveUp(&crm.DeadlineError{Deadline: q.terms.Deadline})
			return
		case <-ctx.Done():
			q.giveUp(leftBecause(ctx))
			return
		}
	}
}

// leftBecause tells a browser that went away from other ends of a context.
func leftBecause(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != context.Canceled { //nolint:errorlint // as it is, without a cause
		return cause
	}
	return crm.ErrLeft
}

// land takes over what came of a flight.
func (q *inquiry) land(at int) {
	part, report := &q.parts[at], &q.reports[at]
	*report, part.flight = part.flight.result(), nil
	if part.joined && report.Origin == Asked {
		report.Origin = Joined
	}
}

// giveUp takes what is known by now. An answer that came at the same moment
// counts.
func (q *inquiry) giveUp(cause error) {
	for len(q.landed) > 0 {
		q.land(<-q.landed)
	}
	for i := range q.parts {
		if part := &q.parts[i]; part.flight != nil {
			q.reports[i] = part.source.interim(part.flight, q.query, cause)
		}
	}
	q.chosen = -1
	for i := range q.reports {
		if q.reports[i].found() {
			q.chosen = i
			return
		}
	}
}

// leave gives up the seats in flights that go on.
func (q *inquiry) leave() {
	for i := range q.parts {
		part, report := &q.parts[i], &q.reports[i]
		if part.flight == nil {
			continue
		}
		part.source.leave(part.flight, q.landed)
		if report.CRM == "" { // another one's answer was taken
			*report = Report{CRM: part.source.name, Took: time.Since(part.flight.started)}
		}
		report.Left = true
	}
}
