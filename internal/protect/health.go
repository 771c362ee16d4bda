package protect

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
)

// fresh is how long an answer proves that the CRM answers: a failure of a
// request that was made within this time after it, or before it, is that
// request's own. A slow search among quick ones is no outage.
const fresh = time.Second

// health is whether the CRM answers. A nil one finds it healthy always.
type health struct {
	breaker  circuitbreaker.CircuitBreaker[any]
	failures int
	pause    time.Duration
	report   func(Change)
	born     time.Time
	// answered is when the CRM answered last, since born; 0 for never. It is a
	// time of the monotonic clock: that of the day may jump.
	answered atomic.Int64
	// era counts the breaker's changes: what a request says counts only in the
	// era in which it was let in.
	era atomic.Uint64

	mutex sync.Mutex
	last  error
}

// permit is leave to ask the CRM.
type permit struct{ era uint64 }

func newHealth(failures int, pause time.Duration, report func(Change)) *health {
	h := &health{failures: failures, pause: pause, report: report, born: time.Now()}
	h.breaker = circuitbreaker.NewBuilder[any]().
		WithFailureThreshold(uint(failures)).
		WithSuccessThresholdRatio(1, uint(failures)). // one call makes several requests: all of them may be the ones that try
		WithDelay(pause).
		OnStateChanged(h.changed).Build()
	return h
}

func (h *health) changed(event circuitbreaker.StateChangedEvent) {
	h.era.Add(1)
	switch {
	case event.OldState == circuitbreaker.ClosedState:
		refusal := h.refusal()
		refusal.Wait = h.pause
		h.report(Change{Refusal: refusal})
	case event.NewState == circuitbreaker.ClosedState:
		h.report(Change{})
	}
}

func (h *health) status() string {
	if h == nil {
		return "off"
	}
	return h.breaker.State().String()
}

// check says why the CRM is not asked now; nil when it may be.
func (h *health) check() error {
	if h == nil {
		return nil
	}
	if left := h.breaker.RemainingDelay(); left > 0 {
		return h.refusal()
	}
	return nil
}

// admit lets a request in. What comes of it must be told: by succeed, fail or
// unclear.
func (h *health) admit() (permit, error) {
	if h == nil {
		return permit{}, nil
	}
	if !h.breaker.TryAcquirePermit() {
		return permit{}, h.refusal()
	}
	return permit{h.era.Load()}, nil
}

func (h *health) refusal() *Refusal {
	wait := h.breaker.RemainingDelay()
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return &Refusal{Why: Failing, Count: h.failures, Wait: wait, Last: h.last}
}

// succeed notes an answer.
func (h *health) succeed(p permit) {
	if h == nil {
		return
	}
	h.answered.Store(int64(time.Since(h.born)))
	if h.era.Load() == p.era {
		h.breaker.RecordSuccess()
	}
}

// fail notes that a request that began then came to nothing.
func (h *health) fail(p permit, began time.Time, err error) {
	switch {
	case h == nil || h.era.Load() != p.era:
		return
	case h.breaker.IsClosed() && h.hasAnsweredSince(began.Add(-fresh)):
		return
	}
	h.mutex.Lock()
	h.last = err
	h.mutex.Unlock()
	h.breaker.RecordFailure()
}

// unclear notes that a request ended without telling anything. One that was to
// try whether the CRM answers has not shown that it does.
func (h *health) unclear(p permit) {
	if h == nil || h.era.Load() != p.era || h.breaker.IsClosed() {
		return
	}
	h.breaker.RecordFailure()
}

func (h *health) hasAnsweredSince(moment time.Time) bool {
	answered := h.answered.Load()
	return answered != 0 && time.Duration(answered) >= moment.Sub(h.born)
}
