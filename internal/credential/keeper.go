package credential

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// defaultTimeout is how long one fetch may take.
	defaultTimeout = 10 * time.Second

	// A new token is fetched when less than this is left of the old one, or
	// less than a tenth of its lifetime, whichever is shorter.
	earlyMargin   = time.Minute
	earlyFraction = 10

	// After a rejection nothing is tried for firstRejectedPause, after the next
	// one for twice as long, until it is lastRejectedPause: accounts get locked.
	firstRejectedPause = 30 * time.Second
	lastRejectedPause  = 10 * time.Minute

	// The same after any other failure.
	firstFailedPause = time.Second
	lastFailedPause  = 30 * time.Second

	// longestWait is how far a CRM's Retry-After is obeyed.
	longestWait = time.Hour

	// Tokens that are refused are replaced refusedBurst times at once, and then
	// once in refusedInterval: with the first one, nine in ten minutes (Zoho
	// allows ten).
	refusedBurst    = 3
	refusedInterval = 2 * time.Minute

	// reportInterval is how often a failure that lasts is reported.
	reportInterval = 10 * time.Minute
)

// Options are what can be left out of a Keeper.
type Options struct {
	// Timeout bounds one fetch. Default 10s. The exchange of a refresh token gets
	// 5s at least, and as long again to save the next one.
	Timeout time.Duration
	// Failed is told why there is no token, in words for an administrator: at
	// once when the CRM rejects the credentials, when fetching failed twice, or
	// when tokens are given and refused, and then every 10 minutes while it lasts.
	// It is also told of a refresh token that can't be saved. It may be called
	// from several goroutines, never after Close has returned. Default: nobody is
	// told.
	Failed func(error)
}

// Keeper holds one token for all callers and fetches a new one when it is
// needed: once for all of them, ahead of expiry where it can.
type Keeper struct {
	*State

	fetch   func(context.Context) (Token, error)
	options Options
	life    context.Context
	end     context.CancelCauseFunc
	flights sync.WaitGroup
}

// State is what a Keeper knows: its token, and what has gone wrong. It outlives
// the Keeper, for the one of the next configuration; while both are in use, they
// share it.
type State struct {
	rotation rotation

	mutex   sync.Mutex
	token   Token // usable if its serial is not 0
	renewal time.Time
	serial  uint64
	running *flight
	failing failing
	// refused is set from when a token is refused until there is another one.
	refused     bool
	replacement *rate.Limiter
	reported    map[trouble]time.Time
}

// NewState returns a State without a token.
func NewState() *State {
	return &State{
		replacement: rate.NewLimiter(rate.Every(refusedInterval), refusedBurst),
		reported:    map[trouble]time.Time{},
	}
}

// flight is one fetch.
type flight struct {
	done  chan struct{} // closed when token and err are there
	token Token
	err   error
}

// failing is what has gone wrong since the last success.
type failing struct {
	err                error
	until              time.Time // nothing is tried before
	rejections, others int
}

// trouble is a kind of failure; each is reported in its own time.
type trouble int

const (
	troubleRejected trouble = iota
	troubleFailing
	troubleRefused
	troubleUnsaved
)

// New returns a Keeper that has no token yet. The fetch must end when its
// context does. It may return a *Rejected, which is not tried again soon, a
// *Later, or together with a good token an *Unsaved.
func New(fetch func(context.Context) (Token, error), options Options) *Keeper {
	if options.Timeout <= 0 {
		options.Timeout = defaultTimeout
	}
	if options.Failed == nil {
		options.Failed = func(error) {}
	}
	life, end := context.WithCancelCause(context.Background())
	return &Keeper{State: NewState(), fetch: fetch, options: options, life: life, end: end}
}

// Resume goes on with what another Keeper of the same credentials knows. It is
// for a Keeper that was not used yet.
func (k *Keeper) Resume(state *State) { k.State = state }

// Token returns a token that has not expired, and waits for one if need be. It
// returns at once with what went wrong when it is too early to try again. A
// caller whose context ends gets its cause, and the fetch goes on for the next.
func (k *Keeper) Token(ctx context.Context) (Token, error) {
	for {
		token, running, err := k.take()
		if running == nil {
			return token, err
		}
		select {
		case <-running.done:
			if errors.Is(running.err, ErrClosed) && k.life.Err() == nil {
				continue // it was that of a Keeper that has ended
			}
			return running.token, running.err
		case <-ctx.Done():
			return Token{}, context.Cause(ctx)
		case <-k.life.Done():
			return Token{}, ErrClosed
		}
	}
}

// take returns the token, or the fetch to wait for, or why there is neither.
func (k *Keeper) take() (Token, *flight, error) {
	now := time.Now()
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if k.token.expired(now) {
		k.token = Token{}
	}
	if k.token.serial != 0 {
		if !k.renewal.IsZero() && now.After(k.renewal) && k.running == nil && k.mayFetch(now) == nil {
			k.start()
		}
		return k.token, nil, nil
	}
	if k.running == nil {
		if err := k.mayFetch(now); err != nil {
			return Token{}, nil, err
		}
		k.start()
	}
	return Token{}, k.running, nil
}

// mayFetch says why nothing can be fetched now.
func (k *Keeper) mayFetch(now time.Time) error {
	switch {
	case k.life.Err() != nil:
		return ErrClosed
	case now.Before(k.failing.until):
		return k.failing.err
	case k.refused:
		return k.mayReplace(now)
	}
	return nil
}

// mayReplace says why a token that was refused can't be replaced now.
func (k *Keeper) mayReplace(now time.Time) error {
	tokens := k.replacement.TokensAt(now)
	if tokens >= 1 {
		return nil
	}
	wait := time.Duration((1 - tokens) * float64(refusedInterval))
	err := fmt.Errorf("the CRM gives tokens and then refuses them: what may the user or application of this token do, "+
		"is it sent as the CRM wants it, and does it last for %s? If not, write lifetime. The next one is asked for in %s", refusedInterval, wait.Round(time.Second))
	k.report(troubleRefused, err, now)
	return err
}

// start fetches behind the callers' backs.
func (k *Keeper) start() {
	f := &flight{done: make(chan struct{})}
	k.running = f
	k.flights.Go(func() { k.fly(f) })
}

// fly makes one fetch and hands out what came of it.
func (k *Keeper) fly(f *flight) {
	started := time.Now()
	token, err := k.ask()
	k.mutex.Lock()
	k.land(f, token, err, started)
	k.running = nil
	k.mutex.Unlock()
	close(f.done)
}

// ask makes one fetch, within its time.
func (k *Keeper) ask() (token Token, err error) {
	slow := fmt.Errorf("no token within %s (timeout); the CRM is slow or hangs", k.options.Timeout)
	ctx, cancel := context.WithTimeoutCause(k.life, k.options.Timeout, slow)
	defer cancel()
	defer func() {
		if recovered := recover(); recovered != nil {
			err = fmt.Errorf("no token: a bug in the program: %v", recovered)
		}
	}()
	token, err = k.fetch(ctx)
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)) {
		return Token{}, context.Cause(ctx)
	}
	return token, err
}

// land notes what came of a fetch.
func (k *Keeper) land(f *flight, token Token, err error, started time.Time) {
	now := time.Now()
	unsaved, ok := errors.AsType[*Unsaved](err)
	if ok {
		err = nil
	}
	if err == nil && token.expired(now) {
		err = errors.New("the CRM gave a token that had already expired; are its clock and ours right?")
	}
	if err != nil {
		f.err = err
		k.failed(err, now)
		return
	}
	k.keep(token, started, now)
	f.token = k.token
	if unsaved == nil {
		delete(k.reported, troubleUnsaved)
		return
	}
	k.report(troubleUnsaved, unsaved, now)
}

// keep makes a token the current one.
func (k *Keeper) keep(token Token, started, now time.Time) {
	if k.refused {
		if k.replacement.TokensAt(now) >= refusedBurst { // they were accepted for long
			delete(k.reported, troubleRefused)
		}
		k.replacement.AllowN(now, 1)
	}
	k.serial++
	token.serial = k.serial
	k.renewal = time.Time{}
	if !token.Expiry.IsZero() {
		left := token.Expiry.Sub(now)
		token.Expiry = now.Add(left) // gives it both clocks
		k.renewal = token.Expiry.Add(-min(earlyMargin, token.Expiry.Sub(started)/earlyFraction))
	}
	k.token, k.refused, k.failing = token, false, failing{}
	delete(k.reported, troubleRejected)
	delete(k.reported, troubleFailing)
}

// failed notes when to try again.
func (k *Keeper) failed(err error, now time.Time) {
	if errors.Is(err, ErrClosed) {
		return
	}
	pause := doubled(firstFailedPause, lastFailedPause, k.failing.others)
	_, rejected := errors.AsType[*Rejected](err)
	if rejected {
		pause = doubled(firstRejectedPause, lastRejectedPause, k.failing.rejections)
		k.failing.rejections++
	} else {
		k.failing.others++
	}
	if later, ok := errors.AsType[*Later](err); ok {
		pause = max(pause, min(later.After, longestWait))
	}
	k.failing.err, k.failing.until = err, now.Add(pause)
	switch {
	case rejected:
		k.report(troubleRejected, err, now)
	case k.failing.others > 1:
		k.report(troubleFailing, err, now)
	}
}

// doubled is a pause that doubles with each failure before it.
func doubled(first, last time.Duration, before int) time.Duration {
	pause := first
	for range before {
		if pause *= 2; pause >= last {
			return last
		}
	}
	return pause
}

// report tells of a failure, unless it was told of lately. It does so behind
// the callers' backs: they have no time to wait for a log.
func (k *Keeper) report(kind trouble, err error, now time.Time) {
	if last, ok := k.reported[kind]; ok && now.Sub(last) < reportInterval {
		return
	}
	k.reported[kind] = now
	k.flights.Go(func() { k.options.Failed(err) })
}

// Refused says that the CRM did not accept a token that Token returned. If it
// is still the current one it is dropped; if it was already replaced, as when
// several callers report the same one, nothing happens.
func (k *Keeper) Refused(token Token) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if token.serial == 0 || token.serial != k.token.serial {
		return
	}
	k.token = Token{}
	k.refused = true
}

// Close ends what is being fetched and waits until it has ended. The exchange of
// a refresh token is not broken off, but waited for within its time. A token
// that is there is still handed out until it expires.
func (k *Keeper) Close() {
	k.mutex.Lock() // nothing may start between the end and the wait
	k.end(ErrClosed)
	k.mutex.Unlock()
	k.flights.Wait()
}
