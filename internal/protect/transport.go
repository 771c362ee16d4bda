package protect

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go"
)

// Transport asks a CRM as its [State] allows. An answer that it returns has been
// read to its end.
type Transport struct {
	state    *State
	next     http.RoundTripper
	longest  int64
	listener func(Change)
}

// Transport protects a CRM's transport. Of an answer no more than one byte
// beyond the longest is read.
func (s *State) Transport(next http.RoundTripper, longest int64) *Transport {
	return &Transport{state: s, next: next, longest: longest}
}

// Adopt goes on with a state that there was before. It is called before the
// transport is used.
func (t *Transport) Adopt(state *State) { t.state = state }

// Listen has changes told from now on until Close: to the newest transport of
// those that listen.
func (t *Transport) Listen(listener func(Change)) {
	t.state.mutex.Lock()
	defer t.state.mutex.Unlock()
	t.listener = listener
	t.state.listeners = append(t.state.listeners, t)
}

// Close ends Listen.
func (t *Transport) Close() {
	t.state.mutex.Lock()
	defer t.state.mutex.Unlock()
	t.state.listeners = slices.DeleteFunc(t.state.listeners, func(other *Transport) bool { return other == t })
}

// Queues reports whether requests with a context wait for their turn, and have
// their time from then, as [WithTimeout] says.
func (t *Transport) Queues(ctx context.Context) bool { return !isExempt(ctx) }

// RoundTrip makes a request, when its turn has come, and reads the answer.
func (t *Transport) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx := request.Context()
	if isExempt(ctx) {
		return t.next.RoundTrip(request)
	}
	note := noteOf(ctx)
	canRepeat := t.state.repeat != nil && (request.Body == nil || request.GetBody != nil)
	if canRepeat && t.state.options.Hedge > 0 {
		return t.repeated(request, note, nil)
	}
	response, err := t.attempt(request, note)
	broken, ok := errors.AsType[*brokenConnection](err)
	if ok && canRepeat {
		return t.repeated(request, note, broken) // costs something, and is seldom needed
	}
	return whatIsLeft(response, err)
}

// repeated makes a request as often as the policies want, or goes on with it
// after its first connection broke.
func (t *Transport) repeated(request *http.Request, note *Note, broken *brokenConnection) (*http.Response, error) {
	var first firstFailure
	response, err := t.state.repeat.WithContext(request.Context()).GetWithExecution(func(x failsafe.Execution[*http.Response]) (*http.Response, error) {
		if broken != nil && x.IsFirstAttempt() {
			return nil, first.instead(broken)
		}
		again, err := repetition(request, x)
		if err != nil {
			return nil, err
		}
		response, err := t.attempt(again, note)
		return response, first.instead(err)
	})
	if known := first.get(); known != nil && (request.Context().Err() != nil || allowanceOf(request.Context()).isOver()) {
		err = known // the policies only see that the time is over
	}
	return whatIsLeft(response, err)
}

// repetition is a request for one of its executions.
func repetition(request *http.Request, x failsafe.Execution[*http.Response]) (*http.Request, error) {
	again := request.WithContext(x.Context())
	if request.GetBody == nil {
		return again, nil
	}
	body, err := request.GetBody()
	again.Body = body
	return again, err
}

// firstFailure remembers why a request is made again: if the next one is not
// made at all, that is what its caller wants to know.
type firstFailure struct {
	mutex sync.Mutex
	err   error
}

func (f *firstFailure) instead(err error) error {
	if err == nil {
		return nil
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	if _, refused := errors.AsType[*Refusal](err); refused && f.err != nil {
		return f.err
	}
	if f.err == nil {
		f.err = err
	}
	return err
}

func (f *firstFailure) get() error {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.err
}

// brokenConnection is a failure that may not happen again. If the answer had
// begun there is a response, whose body ends in the error.
type brokenConnection struct {
	err      error
	response *http.Response
}

func (b *brokenConnection) Error() string { return b.err.Error() }

// whatIsLeft is what the caller gets of a request.
func whatIsLeft(response *http.Response, err error) (*http.Response, error) {
	broken, ok := errors.AsType[*brokenConnection](err)
	switch {
	case !ok:
		return response, err
	case broken.response != nil:
		return broken.response, nil
	}
	return nil, broken.err
}

// attempt makes a request once.
func (t *Transport) attempt(request *http.Request, note *Note) (response *http.Response, err error) {
	ctx := request.Context()
	p, err := t.state.enter(ctx, note)
	if err != nil {
		closeBody(request)
		return nil, err
	}
	defer t.state.leave()
	ctx, cancel := allowanceOf(ctx).begin(ctx)
	defer cancel()
	began := time.Now()
	defer func() {
		if recovered := recover(); recovered != nil { // it may be in a goroutine of its own
			response, err = nil, fmt.Errorf("the transport panicked: %T", recovered)
		}
		t.state.judge(ctx, p, began, response, err)
	}()
	note.tries.Add(1)
	response, err = t.next.RoundTrip(request.WithContext(ctx))
	if err == nil {
		err = readWhole(response, t.longest)
	}
	if err != nil && request.Context().Err() == nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if t.state.mayPass(ctx, err) {
		return nil, &brokenConnection{err, response}
	}
	if response != nil {
		return response, nil // whoever reads the body finds the error
	}
	return nil, err
}

// A RoundTripper closes the body also of a request that it does not make.
func closeBody(request *http.Request) {
	if request.Body != nil {
		_ = request.Body.Close()
	}
}

// mayPass reports whether a request that failed is worth a second try: the
// connection broke, and there is time.
func (s *State) mayPass(ctx context.Context, err error) bool {
	if err == nil || s.options.NoRetry || ctx.Err() != nil || timeOf(ctx) < latestRetry {
		return false
	}
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	return !untrusted
}

// tooShort is a time in which no CRM need answer.
const tooShort = 100 * time.Millisecond

// judge notes what an attempt tells of the CRM.
func (s *State) judge(ctx context.Context, p permit, began time.Time, response *http.Response, err error) {
	if broken, ok := errors.AsType[*brokenConnection](err); ok {
		response, err = broken.response, broken.err
	} else if response != nil {
		err = brokenOff(response)
	}
	now := time.Now()
	if response != nil {
		s.limit.learn(response.StatusCode, response.Header, now)
	}
	switch {
	case err == nil && isFailure(ctx, response.StatusCode):
		s.health.fail(p, began, &StatusError{response.StatusCode})
	case err == nil && isTooLong(response):
		s.health.fail(p, began, ErrTooLong)
	case err == nil:
		s.health.succeed(p)
		s.tempo.learn(now.Sub(began))
	case errors.Is(ctx.Err(), context.Canceled):
		s.health.unclear(p) // the answer was no longer wanted
	case ctx.Err() != nil && now.Sub(began) < tooShort:
		s.health.unclear(p)
	case ctx.Err() != nil:
		s.health.fail(p, began, context.Cause(ctx))
	default:
		s.health.fail(p, began, err)
	}
}

// isFailure reports whether a status means that the CRM itself failed.
func isFailure(ctx context.Context, status int) bool {
	return status >= http.StatusInternalServerError && status != http.StatusNotImplemented && !isNormal(ctx, status)
}
