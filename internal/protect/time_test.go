package protect

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var errSlow = errors.New("slow")

// call makes a request for a call that waits for so long; it may take two seconds,
// and the search it belongs to ten.
func (a *asker) call(t *testing.T, wait time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	until := time.Now().Add(wait)
	_, _, err := a.send(WithTimeout(Awaited(ctx, func() time.Time { return until }), 2*time.Second, errSlow), "")
	return err
}

// Calls that come faster than the CRM answers must not take each other's time
// until nobody is answered at all.
func TestACRMThatIsAskedTooMuchIsAskedAsMuchAsItBears(t *testing.T) {
	for name, test := range map[string]struct {
		takes, between time.Duration
		options        Options
		capacity       int64 // answers in 10 s
	}{
		"a quarter more than it bears":  {200 * time.Millisecond, 10 * time.Millisecond, Options{}, 800},
		"ten times what it bears":       {200 * time.Millisecond, time.Millisecond, Options{}, 800},
		"one that needs most of a call": {600 * time.Millisecond, 25 * time.Millisecond, Options{}, 266},
		"a short queue":                 {600 * time.Millisecond, 25 * time.Millisecond, Options{Queue: 8}, 266},
		"a rate":                        {200 * time.Millisecond, 10 * time.Millisecond, Options{Rate: 20, Per: time.Second}, 200},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := ask(test.options, taking(test.takes))
				var all sync.WaitGroup
				var answered, late atomic.Int64
				for began := time.Now(); time.Since(began) < 10*time.Second; time.Sleep(test.between) {
					all.Go(func() {
						arrived := time.Now()
						switch err := a.call(t, 775*time.Millisecond); {
						case err == nil && time.Since(arrived) <= 775*time.Millisecond:
							answered.Add(1)
						case err == nil || time.Since(arrived) > 775*time.Millisecond:
							late.Add(1)
						default:
							_ = why(t, err)
						}
					})
				}
				all.Wait()
				if got := answered.Load(); got < test.capacity*9/10 {
					t.Errorf("%d calls were answered, of %d that could have been", got, test.capacity)
				}
				if late.Load() > DefaultConcurrent { // while it is not known how long it takes
					t.Errorf("%d were answered late", late.Load())
				}
				if status := a.Status(); status.Breaker != "closed" || status.Running+status.Waiting != 0 {
					t.Errorf("%+v", status)
				}
			})
		})
	}
}

func TestARequestsTimeBeginsWithItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := ask(Options{Concurrent: 1}, taking(1500*time.Millisecond))
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if err := a.call(t, 9*time.Second); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		a.answers(hang)
		if err := a.call(t, 9*time.Second); !errors.Is(err, errSlow) {
			t.Errorf("one that takes too long: %v", err)
		}
	})
}

// A second try does not get the time anew.
func TestAllTriesHaveOneTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := ask(Options{}, nil)
		a.answers(func(request *http.Request) (*http.Response, error) {
			if a.arrived.Load() == 1 {
				time.Sleep(1500 * time.Millisecond)
				return nil, errReset
			}
			return hang(request)
		})
		began := time.Now()
		if err := a.call(t, 9*time.Second); !errors.Is(err, errReset) || time.Since(began) != 2*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		a.hasArrived(t, 2)
	})
}

// What can't be answered any more when its turn comes is refused as soon as that
// is known, with the reason.
func TestACallWithoutTheTimeToWaitIsToldAtOnce(t *testing.T) {
	for name, test := range map[string]struct {
		options Options
		before  func(*testing.T, *asker)
		why     Why
	}{
		"too often": {Options{}, func(t *testing.T, a *asker) {
			a.answers(func(*http.Request) (*http.Response, error) { return reply(429, "", "Retry-After", "1"), nil })
			_ = a.get(t)
		}, Limited},
		"the rate": {Options{Rate: 1, Per: time.Second}, func(t *testing.T, a *asker) { _ = a.get(t) }, TooFast},
		"no place, and a slow CRM": {Options{Concurrent: 1}, func(t *testing.T, a *asker) {
			a.answers(taking(900 * time.Millisecond))
			_ = a.get(t)
			go func() { _ = a.get(t) }()
			synctest.Wait()
		}, Crowded},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := ask(test.options, taking(time.Millisecond))
				test.before(t, a)
				began := time.Now()
				if refusal := why(t, a.call(t, 775*time.Millisecond)); refusal.Why != test.why || time.Since(began) != 0 {
					t.Errorf("%+v after %s", refusal, time.Since(began))
				}
				time.Sleep(time.Second)
			})
		})
	}
}

// Another call for the same number may wait for longer.
func TestARequestWaitsAsLongAsTheLastOfItsCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := ask(Options{Concurrent: 1}, taking(time.Second))
		go func() { _ = a.call(t, 9*time.Second) }()
		synctest.Wait()
		var until atomic.Int64
		until.Store(time.Now().Add(500 * time.Millisecond).UnixNano())
		time.AfterFunc(300*time.Millisecond, func() { until.Store(time.Now().Add(5 * time.Second).UnixNano()) })
		ctx := WithTimeout(Awaited(t.Context(), func() time.Time { return time.Unix(0, until.Load()) }), 2*time.Second, errSlow)
		if _, _, err := a.send(ctx, ""); err != nil {
			t.Error(err)
		}
	})
}

// Whoever has no hurry waits as long as the request may take, and so does what is
// asked behind the calls.
func TestWithoutACallARequestWaitsAsLongAsItMayTake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := ask(Options{Concurrent: 1, Failures: -1}, taking(1900*time.Millisecond))
		go func() { _ = a.call(t, 9*time.Second) }()
		synctest.Wait()
		nobody := func() context.Context {
			return WithTimeout(Awaited(t.Context(), func() time.Time { return time.Time{} }), 2*time.Second, errSlow)
		}
		var third sync.WaitGroup
		third.Go(func() {
			time.Sleep(time.Millisecond)
			if _, _, err := a.send(nobody(), ""); why(t, err).Why != Crowded {
				t.Error(err)
			}
		})
		if _, _, err := a.send(nobody(), ""); err != nil {
			t.Error(err)
		}
		third.Wait()
	})
}
