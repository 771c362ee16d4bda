package protect

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// crm answers requests as the test says.
type crm func(*http.Request) (*http.Response, error)

func (c crm) RoundTrip(request *http.Request) (*http.Response, error) { return c(request) }

func reply(status int, body string, header ...string) *http.Response {
	response := &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
	for i := 0; i < len(header); i += 2 {
		response.Header.Set(header[i], header[i+1])
	}
	return response
}

// hang answers nothing until the request is given up.
func hang(request *http.Request) (*http.Response, error) {
	<-request.Context().Done()
	return nil, request.Context().Err()
}

// asker makes requests through a state, and counts those that arrive.
type asker struct {
	*State
	*Transport
	arrived atomic.Int64
	answer  atomic.Pointer[crm]
}

func ask(o Options, answer crm) *asker {
	a := &asker{State: New(o)}
	a.answers(answer)
	a.Transport = a.State.Transport(crm(func(request *http.Request) (*http.Response, error) {
		a.arrived.Add(1)
		return (*a.answer.Load())(request)
	}), 1000)
	return a
}

func (a *asker) answers(answer crm) { a.answer.Store(&answer) }

// get makes a request that has a second.
func (a *asker) get(t *testing.T) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, _, err := a.send(ctx, "")
	return err
}

func (a *asker) send(ctx context.Context, body string) (int, string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://crm.example.com/", strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	response, err := a.RoundTrip(request)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	return response.StatusCode, string(read), err
}

// why is the reason of a refusal.
func why(t *testing.T, err error) *Refusal {
	t.Helper()
	refusal, ok := errors.AsType[*Refusal](err)
	if !ok {
		t.Errorf("%v is no refusal", err)
		return &Refusal{Why: -1}
	}
	return refusal
}

func (a *asker) hasArrived(t *testing.T, want int64) {
	t.Helper()
	if got := a.arrived.Load(); got != want {
		t.Errorf("%d requests arrived, want %d", got, want)
	}
}

var errReset = errors.New("connection reset by peer")

func TestACRMThatHangsIsLeftAloneAndTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := ask(Options{Failures: 3, Pause: 10 * time.Second}, hang)
		for range 3 {
			if err := a.get(t); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
		}
		refusal := why(t, a.get(t))
		if refusal.Why != Failing || refusal.Count != 3 || refusal.Wait != 10*time.Second || !errors.Is(refusal.Last, context.DeadlineExceeded) {
			t.Errorf("refused: %+v", refusal)
		}
		if got := a.Status().Breaker; got != "open" {
			t.Errorf("the breaker is %s", got)
		}
		a.hasArrived(t, 3)

		time.Sleep(10 * time.Second)
		a.answers(func(*http.Request) (*http.Response, error) { return reply(200, "{}"), nil })
		if err := a.get(t); err != nil {
			t.Errorf("after the pause: %v", err)
		}
		if got := a.Status().Breaker; got != "closed" {
			t.Errorf("the breaker is %s", got)
		}
	})
}

func TestACRMThatStillFailsAfterThePauseIsLeftAloneAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := ask(Options{Failures: 2}, func(*http.Request) (*http.Response, error) { return reply(500, ""), nil })
		for range 2 {
			_ = a.get(t)
		}
		for range 3 {
			time.Sleep(DefaultPause)
			for range 2 {
				if err := a.get(t); err != nil {
					t.Errorf("not tried again: %v", err)
				}
			}
			if got := fmt.Sprint(why(t, a.get(t)).Last); got != "500 Internal Server Error" {
				t.Errorf("last: %s", got)
			}
		}
		a.hasArrived(t, 8)
	})
}

// One call makes several requests at once: none of them is lost when the first
// of them shows that the CRM answers again.
func TestAsManyRequestsTryAgainAsFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := ask(Options{Failures: 3}, hang)
		for range 3 {
			_ = a.get(t)
		}
		time.Sleep(DefaultPause)
		answer := make(chan struct{})
		a.answers(func(*http.Request) (*http.Response, error) { <-answer; return reply(200, ""), nil })
		var trying sync.WaitGroup
		for range 3 {
			trying.Go(func() {
				if err := a.get(t); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if refusal := why(t, a.get(t)); refusal.Why != Failing || refusal.Wait != 0 {
			t.Errorf("refused: %+v", refusal)
		}
		close(answer)
		trying.Wait()
		if err := a.get(t); err != nil {
			t.Error(err)
		}
	})
}

func TestWhatIsAndIsNotAFailureOfTheCRM(t *testing.T) {
	normal := func(ctx context.Context) context.Context {
		return WithNormal(ctx, func(status int) bool { return status == 500 })
	}
	same := func(ctx context.Context) context.Context { return ctx }
	given := func(status int) crm {
		return func(*http.Request) (*http.Response, error) { return reply(status, ""), nil }
	}
	for _, test := range []struct {
		name   string
		answer crm
		with   func(context.Context) context.Context
		breaks bool
	}{
		{"found", given(200), same, false},
		{"not found", given(404), same, false},
		{"no credentials", given(401), same, false},
		{"failed", given(500), same, true},
		{"behind a proxy that can't reach it", given(502), same, true},
		{"overloaded", given(503), same, true},
		{"not implemented", given(501), same, false},
		{"a status that its lookup expects", given(500), normal, false},
		{"no connection", func(*http.Request) (*http.Response, error) { return nil, errReset }, same, true},
		{"no answer", hang, same, true},
		{"an answer that breaks off", func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(io.MultiReader(strings.NewReader("[1,"), failing{}))}, nil
		}, same, true},
		{"an answer that does not end", func(*http.Request) (*http.Response, error) { return reply(200, strings.Repeat("[", 1001)), nil }, same, true},
		{"an answer as long as one may be", func(*http.Request) (*http.Response, error) { return reply(200, strings.Repeat("[", 1000)), nil }, same, false},
		{"a request that is no longer wanted", func(request *http.Request) (*http.Response, error) {
			request.Context().Value(giveUp{}).(context.CancelFunc)()
			return hang(request)
		}, same, false},
		{"a log-in, which has a back-off of its own", given(500), Exempt, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := ask(Options{Failures: 2}, test.answer)
				for range 2 {
					ctx, cancel := context.WithTimeout(test.with(t.Context()), time.Second)
					_, _, _ = a.send(context.WithValue(ctx, giveUp{}, cancel), "")
					cancel()
				}
				if broken := a.Status().Breaker == "open"; broken != test.breaks {
					t.Errorf("left alone: %t", broken)
				}
			})
		})
	}
}

type giveUp struct{}

// failing breaks an answer off.
type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errReset }

// A slow search beside quick ones is no outage, however often it happens.
func TestFailuresAmongAnswersAreNoOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := ask(Options{Failures: 2}, nil)
		for range 20 {
			a.answers(func(*http.Request) (*http.Response, error) { return reply(200, ""), nil })
			_ = a.get(t)
			a.answers(hang)
			var slow sync.WaitGroup
			for range 3 {
				slow.Go(func() { _ = a.get(t) })
			}
			slow.Wait()
			time.Sleep(time.Second)
		}
		if got := a.Status().Breaker; got != "closed" {
			t.Errorf("the breaker is %s", got)
		}
	})
}

// What a request says that began before the CRM was left alone is old.
func TestALateFailureDoesNotCountAgainstACRMThatIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := ask(Options{Failures: 1, Pause: 10 * time.Millisecond}, hang)
		var late sync.WaitGroup
		for range 2 {
			late.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				_, _, _ = a.send(ctx, "")
			})
		}
		synctest.Wait()
		_ = a.get(t) // opens it
		time.Sleep(30 * time.Second)
		a.answers(func(*http.Request) (*http.Response, error) { return reply(200, ""), nil })
		_ = a.get(t) // closes it
		late.Wait()
		if got := a.Status().Breaker; got != "closed" {
			t.Errorf("the breaker is %s", got)
		}
	})
}

func TestNoMoreRequestsAtOnceThanTheCRMBears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const calls = 64
		var running, most atomic.Int64
		a := ask(Options{Concurrent: 4, Queue: calls}, func(*http.Request) (*http.Response, error) {
			now := running.Add(1)
			for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
			}
			time.Sleep(10 * time.Millisecond)
			running.Add(-1)
			return reply(200, "{}"), nil
		})
		var all sync.WaitGroup
		for range calls {
			all.Go(func() {
				note := &Note{}
				ctx, cancel := context.WithTimeout(WithNote(t.Context(), note), time.Second)
				defer cancel()
				if _, body, err := a.send(ctx, ""); err != nil || body != "{}" || note.Tries() != 1 || note.Waited() > time.Second {
					t.Errorf("%q, %v, after %d tries and %s", body, err, note.Tries(), note.Waited())
				}
			})
		}
		all.Wait()
		if most.Load() != 4 {
			t.Errorf("%d at once", most.Load())
		}
		if got := a.Status(); got.Running != 0 || got.Waiting != 0 {
			t.Errorf("left over: %+v", got)
		}
	})
}

func TestAQueueThatIsFullRefusesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := ask(Options{Concurrent: 1, Queue: 2, Failures: -1}, hang)
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() { _ = a.get(t) })
		}
		synctest.Wait()
		began := time.Now()
		if refusal := why(t, a.get(t)); refusal.Why != QueueFull || refusal.Count != 2 {
			t.Errorf("refused: %+v", refusal)
		}
		if time.Since(began) != 0 {
			t.Errorf("after %s", time.Since(began))
		}
		all.Wait()
	})
}

func TestACRMThatHangsIsNoticedBehindAQueueToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := ask(Options{Concurrent: 1, Failures: 3}, hang)
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() { _ = a.call(t, 9*time.Second) })
		}
		all.Wait()
		a.hasArrived(t, 3)
		if got := a.Status().Breaker; got != "open" {
			t.Errorf("the breaker is %s", got)
		}
	})
}

// A call may have spent its time elsewhere.
func TestARequestThatHadNoTimeTellsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := ask(Options{Failures: 1}, hang)
		ctx, cancel := context.WithTimeout(t.Context(), tooShort/2)
		defer cancel()
		_, _, _ = a.send(ctx, "")
		a.hasArrived(t, 1)
		if got := a.Status().Breaker; got != "closed" {
			t.Errorf("the breaker is %s", got)
		}
	})
}

func TestNobodyWaitsLongerThanTheirCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := ask(Options{Concurrent: 1, Failures: -1}, hang)
		var first sync.WaitGroup
		first.Go(func() { _, _, _ = a.send(t.Context(), "") }) // has no end of its own
		synctest.Wait()
		if refusal := why(t, a.get(t)); refusal.Why != Crowded || refusal.Count != 1 {
			t.Errorf("refused: %+v", refusal)
		}
		ctx, cancel := context.WithCancel(t.Context())
		var second sync.WaitGroup
		second.Go(func() {
			if _, _, err := a.send(ctx, ""); !errors.Is(err, context.Canceled) {
				t.Errorf("given up: %v", err)
			}
		})
		synctest.Wait()
		cancel()
		second.Wait()
		a.hasArrived(t, 1)
		a.answers(func(*http.Request) (*http.Response, error) { return reply(200, ""), nil })
	})
}

// Whoever waits while the CRM turns out to be down is told when their turn comes.
func TestTheQueueBehindACRMThatHangsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := ask(Options{Concurrent: 1, Failures: 1}, hang)
		var all sync.WaitGroup
		all.Go(func() { _ = a.get(t) })
		synctest.Wait()
		began := time.Now()
		for range 50 {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
				defer cancel()
				if _, _, err := a.send(ctx, ""); why(t, err).Why != Failing {
					t.Error(err)
				}
			})
		}
		all.Wait()
		a.hasArrived(t, 1)
		if time.Since(began) != time.Second {
			t.Errorf("after %s", time.Since(began))
		}
	})
}

func TestTheRateIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var mutex sync.Mutex
		perSecond := map[int]int{}
		a := ask(Options{Rate: 5, Per: time.Second}, func(*http.Request) (*http.Response, error) {
			mutex.Lock()
			defer mutex.Unlock()
			perSecond[int(time.Since(began).Seconds())]++
			return reply(200, ""), nil
		})
		var all sync.WaitGroup
		for range 15 {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				if _, _, err := a.send(ctx, ""); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if got := fmt.Sprint(perSecond); got != "map[0:5 1:5 2:5]" {
			t.Errorf("asked %s", got)
		}
	})
}

func TestARateThatLeavesNoTurnInTimeRefusesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := ask(Options{Rate: 1, Per: time.Minute}, func(*http.Request) (*http.Response, error) { return reply(200, ""), nil })
		_ = a.get(t)
		began := time.Now()
		if refusal := why(t, a.get(t)); refusal.Why != TooFast || refusal.Count != 1 || refusal.Per != time.Minute {
			t.Errorf("refused: %+v", refusal)
		}
		if time.Since(began) != 0 {
			t.Errorf("after %s", time.Since(began))
		}
		time.Sleep(time.Minute)
		if err := a.get(t); err != nil {
			t.Error(err)
		}
	})
}

func TestAConnectionThatBreaksIsTriedOnceMore(t *testing.T) {
	for _, test := range []struct {
		name   string
		broken crm
	}{
		{"before the answer", func(*http.Request) (*http.Response, error) { return nil, errReset }},
		{"within the answer", func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(failing{})}, nil
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := ask(Options{}, nil)
				a.answers(func(request *http.Request) (*http.Response, error) {
					body, _ := io.ReadAll(request.Body)
					if a.arrived.Load() == 1 {
						return test.broken(request)
					}
					return reply(200, string(body)), nil
				})
				note := &Note{}
				ctx, cancel := context.WithTimeout(WithNote(t.Context(), note), time.Second)
				defer cancel()
				if status, body, err := a.send(ctx, `{"q":1}`); status != 200 || body != `{"q":1}` || err != nil {
					t.Errorf("%d %q, %v", status, body, err)
				}
				if note.Tries() != 2 {
					t.Errorf("%d tries", note.Tries())
				}
			})
		})
	}
}

func TestAConnectionThatKeepsBreakingIsToldAsItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := ask(Options{Failures: -1}, func(*http.Request) (*http.Response, error) { return nil, errReset })
		if err := a.get(t); !errors.Is(err, errReset) {
			t.Error(err)
		}
		a.hasArrived(t, 2)
		a.answers(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(io.MultiReader(strings.NewReader("half"), failing{}))}, nil
		})
		status, body, err := a.send(t.Context(), "")
		if status != 200 || body != "half" || !errors.Is(err, errReset) {
			t.Errorf("%d %q, %v", status, body, err)
		}
	})
}

// The second try may be refused because the first was the last straw. Its
// caller wants to know of the first.
func TestAFailureIsNotHiddenByTheRefusalOfItsSecondTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := ask(Options{Failures: 1}, func(*http.Request) (*http.Response, error) { return nil, errReset })
		if err := a.get(t); !errors.Is(err, errReset) {
			t.Error(err)
		}
		a.hasArrived(t, 1)
	})
}

func TestWhatIsNotTriedAgain(t *testing.T) {
	given := func(status int) crm {
		return func(*http.Request) (*http.Response, error) { return reply(status, ""), nil }
	}
	reset := func(*http.Request) (*http.Response, error) { return nil, errReset }
	for _, test := range []struct {
		name    string
		options Options
		answer  crm
		with    func(context.Context) context.Context
		time    time.Duration
	}{
		{"an answer of 500", Options{}, given(500), nil, time.Second},
		{"an answer of 429", Options{}, given(429), nil, time.Second},
		{"a request that hangs", Options{}, hang, nil, time.Second},
		{"a certificate that is not trusted", Options{}, func(*http.Request) (*http.Response, error) {
			return nil, &tls.CertificateVerificationError{Err: errors.New("unknown authority")}
		}, nil, time.Second},
		{"a log-in", Options{}, reset, Exempt, time.Second},
		{"with retry off", Options{NoRetry: true}, reset, nil, time.Second},
		{"when there is no time", Options{}, reset, nil, 30 * time.Millisecond},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := ask(test.options, test.answer)
				ctx, cancel := context.WithTimeout(t.Context(), test.time)
				defer cancel()
				if test.with != nil {
					ctx = test.with(ctx)
				}
				_, _, _ = a.send(ctx, "")
				a.hasArrived(t, 1)
			})
		})
	}
}

func TestABodyThatCanBeReadOnlyOnceIsSentOnlyOnce(t *testing.T) {
	a := ask(Options{}, func(*http.Request) (*http.Response, error) { return nil, errReset })
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://crm.example.com/", io.NopCloser(strings.NewReader("x")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.RoundTrip(request); !errors.Is(err, errReset) { //nolint:bodyclose // there is none
		t.Error(err)
	}
	a.hasArrived(t, 1)
}

func TestARequestSlowerThanUsualIsMadeBesideASecondOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := ask(Options{Hedge: 95}, func(*http.Request) (*http.Response, error) {
			time.Sleep(10 * time.Millisecond)
			return reply(200, ""), nil
		})
		for range 2 * hedgeThreshold {
			if err := a.get(t); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		usual := a.arrived.Load()
		a.answers(func(request *http.Request) (*http.Response, error) {
			if a.arrived.Load() == usual+1 {
				return hang(request)
			}
			body, _ := io.ReadAll(request.Body)
			return reply(200, string(body)), nil
		})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, body, err := a.send(ctx, "again"); err != nil || body != "again" {
			t.Errorf("%q, %v", body, err)
		}
		a.hasArrived(t, usual+2)
		synctest.Wait()
		if got := a.Status(); got.Running != 0 {
			t.Errorf("left over: %+v", got)
		}
	})
}

func TestWithoutAPercentileNothingIsMadeTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := ask(Options{}, func(*http.Request) (*http.Response, error) { return reply(200, ""), nil })
		for range 2 * hedgeThreshold {
			_ = a.get(t)
		}
		a.answers(hang)
		_ = a.get(t)
		a.hasArrived(t, 2*hedgeThreshold+1)
	})
}

func TestACRMThatLimitsIsNotAskedUntilThen(t *testing.T) {
	const day = 24 * time.Hour
	synctest.Test(t, func(t *testing.T) {
		epoch := func(wait time.Duration) string { return strconv.FormatInt(time.Now().Add(wait).Unix(), 10) }
		date := func(wait time.Duration) string { return time.Now().Add(wait).UTC().Format(http.TimeFormat) }
		for _, test := range []struct {
			name   string
			status int
			header []string
			want   time.Duration
		}{
			{"Retry-After in seconds", 429, []string{"Retry-After", "30"}, 30 * time.Second},
			{"with a part of one", 429, []string{"Retry-After", "1.5"}, 1500 * time.Millisecond},
			{"as a date", 429, []string{"Retry-After", date(time.Minute)}, time.Minute},
			{"as a date of a CRM whose clock is a day ahead", 429, []string{"Retry-After", date(day + time.Minute), "Date", date(day)}, time.Minute},
			{"as a date of a CRM whose clock is a day behind", 429, []string{"Retry-After", date(time.Minute - day), "Date", date(-day)}, time.Minute},
			{"with 503", 503, []string{"Retry-After", "30"}, 30 * time.Second},
			{"with nothing", 429, nil, time.Second},
			{"with nonsense", 429, []string{"Retry-After", "soon"}, time.Second},
			{"with less than nothing", 429, []string{"Retry-After", "-5"}, time.Second},
			{"for a year", 429, []string{"Retry-After", "31536000"}, time.Hour},
			{"for ever", 429, []string{"Retry-After", "9999999999999999999999"}, time.Hour},
			{"Pipedrive", 429, []string{"X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "2"}, 2 * time.Second},
			{"Pipedrive, before it refuses", 200, []string{"X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "2"}, 2 * time.Second},
			{"Pipedrive, with some left", 200, []string{"X-RateLimit-Remaining", "9", "X-RateLimit-Reset", "2"}, 0},
			{"Zendesk", 200, []string{"X-Rate-Limit-Remaining", "0", "Ratelimit-Remaining", "0", "Ratelimit-Reset", "41"}, 41 * time.Second},
			{"ServiceNow", 429, []string{"X-RateLimit-Reset", epoch(20 * time.Minute)}, 20 * time.Minute},
			{"ServiceNow, every answer", 200, []string{"X-RateLimit-Reset", epoch(20 * time.Minute)}, 0},
			{"a moment in milliseconds", 429, []string{"X-RateLimit-Reset", epoch(time.Minute) + "000"}, time.Minute},
			{"a counter that is wrong", 200, []string{"X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "3600"}, time.Minute},
			{"in one field", 200, []string{"RateLimit", "limit=100, remaining=0, reset=5"}, 5 * time.Second},
			{"in one field of the newer draft", 200, []string{"RateLimit", `"default";r=0;t=5`}, 5 * time.Second},
			{"HubSpot's second", 429, []string{"X-HubSpot-RateLimit-Secondly-Remaining", "0"}, time.Second},
			{"HubSpot's ten seconds", 429, []string{"X-HubSpot-RateLimit-Remaining", "0", "X-HubSpot-RateLimit-Interval-Milliseconds", "10000"}, 10 * time.Second},
			{"HubSpot, before it refuses", 200, []string{"X-HubSpot-RateLimit-Remaining", "0", "X-HubSpot-RateLimit-Interval-Milliseconds", "10000"}, 0},
			{"nothing", 200, nil, 0},
			{"overload without a time", 503, nil, 0},
		} {
			a := ask(Options{}, func(*http.Request) (*http.Response, error) { return reply(test.status, "", test.header...), nil })
			if err := a.get(t); err != nil {
				t.Fatal(err)
			}
			if got := a.Status().Limited; got != test.want {
				t.Errorf("%s: %s, want %s", test.name, got, test.want)
			}
		}
	})
}

func TestALimitRefusesWhoHasNoTimeAndHoldsWhoHas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := ask(Options{}, func(*http.Request) (*http.Response, error) { return reply(429, "", "Retry-After", "5"), nil })
		_ = a.get(t)
		if refusal := why(t, a.get(t)); refusal.Why != Limited || refusal.Wait != 5*time.Second {
			t.Errorf("refused: %+v", refusal)
		}
		a.hasArrived(t, 1)
		a.answers(func(*http.Request) (*http.Response, error) { return reply(200, ""), nil })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		if _, _, err := a.send(ctx, ""); err != nil || time.Since(began) != 5*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
	})
}

// A CRM that says "too often" without a time is asked ever more rarely, and as
// before once it answers.
func TestALimitWithoutATimeGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limited := crm(func(*http.Request) (*http.Response, error) { return reply(429, ""), nil })
		a := ask(Options{}, limited)
		for _, seconds := range []int{1, 2, 4, 8, 16, 30, 30} {
			_ = a.get(t)
			got := a.Status().Limited
			if got.Seconds() != float64(seconds) {
				t.Errorf("limited for %s, want %ds", got, seconds)
			}
			time.Sleep(got)
		}
		a.answers(func(*http.Request) (*http.Response, error) { return reply(200, ""), nil })
		_ = a.get(t)
		a.answers(limited)
		_ = a.get(t)
		if got := a.Status().Limited; got != time.Second {
			t.Errorf("limited for %s", got)
		}
	})
}

// They were all made before the CRM said so.
func TestSeveralRequestsThatAreRefusedTogetherAreOneRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := ask(Options{}, func(*http.Request) (*http.Response, error) {
			time.Sleep(10 * time.Millisecond)
			return reply(429, ""), nil
		})
		together := func() {
			var all sync.WaitGroup
			for range DefaultConcurrent {
				all.Go(func() { _ = a.get(t) })
			}
			all.Wait()
		}
		for _, want := range []time.Duration{firstRestraint, 2 * firstRestraint, 4 * firstRestraint} {
			together()
			if got := a.Status().Limited; got != want {
				t.Errorf("limited for %s, want %s", got, want)
			}
			time.Sleep(want)
		}
	})
}

// A machine that slept, or whose clock was set, finds everything as it should be.
func TestAfterALongSleepTheCRMIsAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := ask(Options{Failures: 1, Rate: 1, Per: time.Hour}, func(*http.Request) (*http.Response, error) { return reply(503, "", "Retry-After", "3600"), nil })
		_ = a.get(t)
		_ = why(t, a.get(t))
		time.Sleep(365 * 24 * time.Hour)
		a.answers(func(*http.Request) (*http.Response, error) { return reply(200, ""), nil })
		if err := a.get(t); err != nil {
			t.Error(err)
		}
		if got := a.Status(); got.Breaker != "closed" || got.Limited != 0 {
			t.Errorf("%+v", got)
		}
	})
}

func TestAnAnswerIsReadOnlyAsFarAsItMayBe(t *testing.T) {
	for _, length := range []int64{-1, 0, 5, 1 << 40} {
		response := reply(200, strings.Repeat("x", 5000))
		response.ContentLength = length
		a := ask(Options{}, func(*http.Request) (*http.Response, error) { return response, nil })
		if _, body, err := a.send(t.Context(), ""); err != nil || len(body) != 1001 {
			t.Errorf("a length of %d: read %d bytes, %v", length, len(body), err)
		}
	}
}

func TestReadAllDoesNotReadTwice(t *testing.T) {
	response := reply(200, "answer")
	if err := readWhole(response, 100); err != nil {
		t.Fatal(err)
	}
	first, _ := ReadAll(response, 100)
	second, _ := ReadAll(response, 100)
	if !bytes.Equal(first, []byte("answer")) || &first[0] != &second[0] {
		t.Errorf("%q, %q", first, second)
	}
	if plain, err := ReadAll(reply(200, "answer"), 3); err != nil || string(plain) != "answ" {
		t.Errorf("%q, %v", plain, err)
	}
}

// A defect of a transport ends its request, and neither the server nor the
// places that there are.
func TestAPanicIsAFailure(t *testing.T) {
	for _, o := range []Options{{}, {Hedge: 95}, {NoRetry: true}} {
		o.Concurrent, o.Failures = 1, 10
		a := ask(o, func(*http.Request) (*http.Response, error) { panic("oh") })
		for range 3 {
			if err := a.get(t); err == nil || err.Error() != "the transport panicked: string" {
				t.Errorf("%+v: %v", o, err)
			}
		}
	}
}

func TestTheNewestTransportIsToldOfChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		listen := func(name string, to *Transport) {
			to.Listen(func(change Change) {
				if change.Refusal != nil {
					told = append(told, fmt.Sprintf("%s: %s", name, change.Refusal))
					return
				}
				told = append(told, name+": answers")
			})
		}
		a := ask(Options{Failures: 1}, func(*http.Request) (*http.Response, error) { return reply(500, ""), nil })
		listen("old", a.Transport)
		newest := a.State.Transport(a.next, 1000)
		listen("new", newest)
		_ = a.get(t)
		newest.Close()
		a.answers(func(*http.Request) (*http.Response, error) { return reply(200, ""), nil })
		time.Sleep(DefaultPause)
		_ = a.get(t)
		a.Close()
		a.answers(hang)
		time.Sleep(time.Minute)
		_ = a.get(t)
		want := "[new: 1 failures in a row (500 Internal Server Error), left alone for 2s old: answers]"
		if got := fmt.Sprint(told); got != want {
			t.Errorf("told %s\nwant %s", got, want)
		}
	})
}

func TestOptionsHaveDefaults(t *testing.T) {
	if got := New(Options{}).Options(); got != (Options{Concurrent: 16, Queue: 200, Failures: 5, Pause: 2 * time.Second}) {
		t.Errorf("%+v", got)
	}
	if got := New(Options{Failures: -1}).Status().Breaker; got != "off" {
		t.Errorf("the breaker is %s", got)
	}
}

// BenchmarkRequest is what the protection costs.
func BenchmarkRequest(b *testing.B) {
	answer := []byte(`{"items":[{"id":"7","phone":"0427466347"}]}`)
	next := crm(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, ContentLength: int64(len(answer)), Body: io.NopCloser(bytes.NewReader(answer))}, nil
	})
	for name, transport := range map[string]http.RoundTripper{
		"bare": next, "protected": New(Options{}).Transport(next, 1000), "without retry": New(Options{NoRetry: true}).Transport(next, 1000),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			ctx, cancel := context.WithTimeout(b.Context(), time.Hour)
			defer cancel()
			request, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://crm.example.com/", nil)
			for b.Loop() {
				response, err := transport.RoundTrip(request)
				if err != nil {
					b.Fatal(err)
				}
				_, _ = ReadAll(response, 1000)
			}
		})
	}
}
