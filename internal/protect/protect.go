// Package protect stands between the lookups and a CRM: it keeps the CRM from
// being asked more than it bears, and calls from waiting for one that does not
// answer. What it refuses, it refuses at once and with the reason.
package protect

import (
	"cmp"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/budget"
	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/hedgepolicy"
	"github.com/failsafe-go/failsafe-go/ratelimiter"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
)

// Defaults of [Options].
const (
	DefaultConcurrent = 16
	DefaultQueue      = 200
	DefaultFailures   = 5
	DefaultPause      = 2 * time.Second
)

// Options say how a CRM is protected. They are comparable: two CRMs with the
// same options and address may share a [State].
type Options struct {
	// Concurrent is how many requests are made at the same time. Default: 16.
	Concurrent int
	// Queue is how many more wait for their turn. Default: 200.
	Queue int
	// Rate is how many requests are made in each time of Per. Default: no limit.
	Rate int
	Per  time.Duration
	// Failures in a row after which the CRM is left alone, for a Pause. A negative
	// number never does. Default: 5, and 2s.
	Failures int
	Pause    time.Duration
	// NoRetry leaves a request whose connection broke at that.
	NoRetry bool
	// Hedge is the percentile of the CRM's own times after which a request that is
	// still unanswered is made a second time: 95. Default: never.
	Hedge float64
}

// The second try comes a little later, and not at the same moment for all
// requests that broke together.
const (
	soonestRetry = 10 * time.Millisecond
	latestRetry  = 50 * time.Millisecond
)

const (
	// A percentile is taken over about the last hedgeMemory answers, and not
	// before there were hedgeThreshold.
	hedgeMemory    = 100
	hedgeThreshold = 20
)

// State is what is known of one CRM: how it has answered of late, who is asking
// and who waits. It belongs to no configuration and no transport, has nothing in
// the background, and is safe for concurrent use.
type State struct {
	options Options
	places  bulkhead.Bulkhead[any]
	rate    ratelimiter.RateLimiter[any]
	health  *health
	limit   restraint
	tempo   tempo
	// repeat makes a request again where that helps; nil if nothing does.
	repeat failsafe.Executor[*http.Response]

	running, waiting atomic.Int64

	mutex     sync.Mutex
	listeners []*Transport
}

// New returns the state of a CRM that nothing is known of.
func New(o Options) *State {
	o.Concurrent = cmp.Or(o.Concurrent, DefaultConcurrent)
	o.Queue = cmp.Or(o.Queue, DefaultQueue)
	o.Failures = cmp.Or(o.Failures, DefaultFailures)
	o.Pause = cmp.Or(o.Pause, DefaultPause)
	s := &State{options: o, places: bulkhead.New[any](uint(o.Concurrent))}
	if o.Rate > 0 {
		s.rate = ratelimiter.NewBursty[any](uint(o.Rate), o.Per)
	}
	if o.Failures > 0 {
		s.health = newHealth(o.Failures, o.Pause, s.report)
	}
	s.repeat = repeater(o) //nolint:bodyclose // there is no answer yet
	return s
}

// repeater makes a request a second time: after a connection broke, or beside
// one that takes longer than usual.
//
//nolint:bodyclose // as above
func repeater(o Options) failsafe.Executor[*http.Response] {
	var policies []failsafe.Policy[*http.Response]
	if !o.NoRetry {
		policies = append(policies, retrypolicy.NewBuilder[*http.Response]().
			HandleErrorTypes((*brokenConnection)(nil)).
			WithMaxRetries(1).WithRandomDelay(soonestRetry, latestRetry).ReturnLastFailure().Build())
	}
	if o.Hedge > 0 {
		policies = append(policies, hedgepolicy.NewBuilderWithDelayQuantile[*http.Response](o.Hedge/100, hedgeMemory, hedgeThreshold).
			CancelIf(func(response *http.Response, err error) bool {
				return err == nil && response.StatusCode < http.StatusInternalServerError
			}).
			WithBudget(budget.New()).Build())
	}
	if len(policies) == 0 {
		return nil
	}
	return failsafe.With(policies...)
}

// Options returns what the state was made with, defaults filled in.
func (s *State) Options() Options { return s.options }

// Status is a moment of a [State].
type Status struct {
	// Breaker is "closed" while the CRM is asked, "open" while it is left alone
	// because it failed, "half-open" while it is tried again, "off" without one.
	Breaker string
	// Running requests are being made, Waiting ones wait for their turn.
	Running, Waiting int
	// Limited is for how long the CRM does not want to be asked.
	Limited time.Duration
}

// Status returns how things are.
func (s *State) Status() Status {
	return Status{
		Breaker: s.health.status(), Running: int(s.running.Load()), Waiting: int(s.waiting.Load()),
		Limited: s.limit.left(time.Now()),
	}
}

// Change is when a CRM begins to be left alone, or is asked again.
type Change struct {
	// Refusal is what requests get from now on; nil when the CRM answers again.
	Refusal *Refusal
}

// report tells the newest transport that wants to know: of two configurations
// during a reload, one is enough.
func (s *State) report(change Change) {
	s.mutex.Lock()
	var newest *Transport
	if len(s.listeners) > 0 {
		newest = s.listeners[len(s.listeners)-1]
	}
	s.mutex.Unlock()
	if newest != nil {
		newest.listener(change)
	}
}
