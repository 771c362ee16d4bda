package protect

import (
	"context"
	"sync/atomic"
	"time"
)

// allowance is the time that a request has once it is made, all its tries
// together.
type allowance struct {
	since   time.Time // it waits for its turn
	timeout time.Duration
	cause   error
	ends    atomic.Pointer[time.Time]
}

// WithTimeout gives a request so much time from the moment in which its turn has
// come; it ends with the cause then. Its context may end before.
func WithTimeout(ctx context.Context, timeout time.Duration, cause error) context.Context {
	return context.WithValue(ctx, allowanceKey, &allowance{since: time.Now(), timeout: timeout, cause: cause})
}

func allowanceOf(ctx context.Context) *allowance {
	a, _ := ctx.Value(allowanceKey).(*allowance)
	return a
}

// begin is the context of a try, whose request's time begins with the first.
func (a *allowance) begin(ctx context.Context) (context.Context, context.CancelFunc) {
	if a == nil {
		return ctx, func() {}
	}
	a.ends.CompareAndSwap(nil, new(time.Now().Add(a.timeout)))
	return context.WithDeadlineCause(ctx, *a.ends.Load(), a.cause)
}

// isOver reports whether a request's time was used up.
func (a *allowance) isOver() bool {
	if a == nil {
		return false
	}
	ends := a.ends.Load()
	return ends != nil && !time.Now().Before(*ends)
}

// Awaited is for requests of a search that calls wait for: until is called to
// know up to when the last of them does. Such a request does not wait for its turn
// longer than it can still be answered in time. The zero time means that whoever
// waits has no hurry, or nobody does: it then waits as long as it may take.
func Awaited(ctx context.Context, until func() time.Time) context.Context {
	return context.WithValue(ctx, awaitedKey, until)
}

// leeway is what of a call's time is left for telling it why there is no answer.
const leeway = 10 * time.Millisecond

// patience is how long a request may wait for its turn.
func (s *State) patience(ctx context.Context) time.Duration {
	left := timeOf(ctx)
	var until time.Time
	if awaited, ok := ctx.Value(awaitedKey).(func() time.Time); ok {
		until = awaited()
	}
	switch a := allowanceOf(ctx); {
	case !until.IsZero():
		left = min(left, time.Until(until)-max(s.tempo.usual(), leeway))
	case a != nil:
		left = min(left, time.Until(a.since.Add(a.timeout)))
	}
	return max(0, left)
}
