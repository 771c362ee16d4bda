package protect

import (
	"context"
	"sync"
	"time"
)

// stretch is how many answers it takes to know a CRM's tempo, and after how many
// the ones before are forgotten.
const stretch = 32

// tempo is how quickly a CRM answers at its best, of late.
type tempo struct {
	mutex sync.Mutex
	count int
	// best is the quickest of this stretch, and before of the one before it; 0 while
	// there is none.
	best, before time.Duration
	// mean and deviation are those of the answers' times, as TCP estimates its own
	// (RFC 6298).
	mean, deviation time.Duration
}

// learn notes how long an answer took.
func (t *tempo) learn(took time.Duration) {
	took = max(took, 1)
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.best == 0 || took < t.best {
		t.best = took
	}
	if t.mean == 0 {
		t.mean, t.deviation = took, took/2
	} else {
		t.deviation += ((took - t.mean).Abs() - t.deviation) / 4
		t.mean += (took - t.mean) / 8
	}
	if t.count++; t.count == stretch {
		t.count, t.best, t.before = 0, 0, t.best
	}
}

// quickest is what no answer of late was quicker than; 0 while that is not known.
func (t *tempo) quickest() time.Duration {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.best == 0 || t.before == 0 {
		return t.before
	}
	return min(t.best, t.before)
}

// usual is what most answers of late took at most; 0 while that is not known.
func (t *tempo) usual() time.Duration {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.mean + 2*t.deviation
}

// Later is for requests that follow another one of the same search: one that the
// CRM, as quickly as it has answered of late, can't answer in the time that is
// left is not made. The first one always is: the CRM may have become quicker.
func Later(ctx context.Context) context.Context { return context.WithValue(ctx, laterKey, true) }

func isLater(ctx context.Context) bool { return ctx.Value(laterKey) != nil }

// inTime refuses a request that can't be answered any more.
func (s *State) inTime(ctx context.Context) error {
	if !isLater(ctx) {
		return nil
	}
	left, quickest := timeOf(ctx), s.tempo.quickest()
	if a := allowanceOf(ctx); a != nil {
		left = min(left, a.timeout)
	}
	if left < quickest {
		return &Refusal{Why: TooLate, Left: left, Quickest: quickest}
	}
	return nil
}
