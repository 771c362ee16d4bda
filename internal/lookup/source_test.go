package lookup

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/screenpop/caddy-screenpop/internal/crm"
	"github.com/screenpop/caddy-screenpop/internal/protect"
)

// office is a CRM that takes its time, counts, and says what a test wants.
type office struct {
	takes time.Duration
	key   func(crm.Query) string
	limit time.Duration

	asked atomic.Int32
	ended sync.WaitGroup
	mu    sync.Mutex
	says  crm.Result
}

func (o *office) Profile() crm.Profile      { return crm.Profile{Name: "office", Limit: o.limit} }
func (o *office) Links(crm.Query) crm.Links { return crm.Links{} }

func (o *office) Key(query crm.Query) string {
	if o.key != nil {
		return o.key(query)
	}
	return query.Number.E164()
}

func (o *office) Search(ctx context.Context, _ crm.Query) crm.Result {
	o.asked.Add(1)
	o.ended.Add(1)
	defer o.ended.Done()
	select {
	case <-time.After(o.takes):
	case <-ctx.Done():
		return crm.Result{Err: context.Cause(ctx)}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.says
}

func (o *office) say(result crm.Result) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.says = result
}

func (o *office) know(records ...crm.Record) { o.say(crm.Result{Records: records}) }

func (o *office) fail() { o.say(crm.Result{Err: errDown}) }

// was checks how often the CRM was asked.
func (o *office) was(t *testing.T, asked int32) {
	t.Helper()
	synctest.Wait()
	if got := o.asked.Load(); got != asked {
		t.Errorf("the CRM was asked %d times, want %d", got, asked)
	}
}

// defaults are how long answers are remembered in these tests.
var defaults = Settings{TTL: 5 * time.Minute, NotFound: 30 * time.Second, Stale: time.Hour, Size: 1000}

// desk asks one office, in a time of its own.
type desk struct {
	*Engine

	t      *testing.T
	behind []Report
}

// open runs a test with an engine that remembers.
func (o *office) open(t *testing.T, settings Settings, test func(*testing.T, *desk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		memory, d := NewMemory(settings), &desk{t: t}
		d.Engine = New(NewSource(o, Options{Memory: memory, Behind: func(r Report) { d.behind = append(d.behind, r) }}))
		test(t, d)
		d.Retire()
		memory.Close()
	})
}

// ring asks for 04 27 46 63 47, and returns the office's part.
func (d *desk) ring() Report {
	d.t.Helper()
	return d.Find(d.t.Context(), query(d.t), deadlined()).Reports[0]
}

// gets checks a report: who was found, where that comes from, and its age.
func gets(t *testing.T, r Report, records string, origin Origin, age time.Duration) {
	t.Helper()
	if names(r.Result.Records) != records || r.Origin != origin || r.Age != age {
		t.Errorf("got %q from %q, %s old, %v; want %q from %q, %s old", names(r.Result.Records), r.Origin, r.Age, r.Result.Err, records, origin, age)
	}
}

func TestSimultaneousCallsOfOneNumberAreOneLookup(t *testing.T) {
	o := &office{takes: 20 * time.Millisecond}
	o.know(person("Rosa"))
	o.open(t, defaults, func(t *testing.T, d *desk) {
		reports := make(chan Report)
		for range 200 {
			go func() { reports <- d.ring() }()
		}
		origins := map[Origin]int{}
		for range 200 {
			report := <-reports
			origins[report.Origin]++
			if names(report.Result.Records) != "Rosa" {
				t.Errorf("got %+v", report)
			}
		}
		if origins[Asked] != 1 || origins[Joined] != 199 {
			t.Errorf("answered from %v", origins)
		}
		o.was(t, 1)
	})
}

func TestCallsShareALookupEvenWhereNothingIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &office{takes: 20 * time.Millisecond}
		e := New(NewSource(o, Options{}))
		var calls sync.WaitGroup
		for range 20 {
			calls.Go(func() { e.Find(t.Context(), query(t), deadlined()) })
		}
		calls.Wait()
		o.was(t, 1)
		e.Find(t.Context(), query(t), deadlined())
		o.was(t, 2)
		e.Retire()
	})
}

func TestCallsWhoseAnswersMayDifferAreDifferentLookups(t *testing.T) {
	o := &office{key: func(query crm.Query) string { return query.Call.Caller }}
	o.know(person("Rosa"))
	o.open(t, defaults, func(t *testing.T, d *desk) {
		for _, text := range []string{"a", "b", "a"} {
			q := query(t)
			q.Call.Caller = text
			d.Find(t.Context(), q, deadlined())
		}
		o.was(t, 2)
	})
}

func TestAKeyThatPanicsIsAFailureOfItsCRM(t *testing.T) {
	o := &office{key: func(crm.Query) string { panic("with 0427466347") }}
	o.open(t, defaults, func(t *testing.T, d *desk) {
		if err := d.ring().Result.Err; err == nil || err.Error() != "crm office: the connector panicked: string" {
			t.Errorf("err = %v", err)
		}
	})
}

func TestWhoWasFoundIsAnsweredFromMemory(t *testing.T) {
	o := &office{takes: 20 * time.Millisecond}
	o.know(person("Rosa"), person("Rosa"))
	o.open(t, defaults, func(t *testing.T, d *desk) {
		gets(t, d.ring(), "Rosa", Asked, 0)
		time.Sleep(defaults.TTL - time.Millisecond)
		o.know(person("Camille"))
		report := d.ring()
		gets(t, report, "Rosa", Cached, defaults.TTL-time.Millisecond)
		if report.Stale || report.Took != 0 {
			t.Errorf("report = %+v", report)
		}
		o.was(t, 1)
	})
}

func TestWhoWasFoundIsRenewedBehindTheCall(t *testing.T) {
	o := &office{takes: 20 * time.Millisecond}
	o.know(person("Rosa"))
	o.open(t, defaults, func(t *testing.T, d *desk) {
		d.ring()
		o.know(person("Camille"))
		time.Sleep(defaults.TTL)
		for range 2 {
			report := d.ring()
			gets(t, report, "Rosa", Cached, defaults.TTL)
			if !report.Stale || report.Result.Err != nil {
				t.Errorf("report = %+v", report)
			}
		}
		o.was(t, 2)
		time.Sleep(20 * time.Millisecond)
		synctest.Wait()
		gets(t, d.ring(), "Camille", Cached, 0)
		if len(d.behind) != 1 || names(d.behind[0].Result.Records) != "Camille" {
			t.Errorf("told of %+v", d.behind)
		}
		o.was(t, 2)
	})
}

func TestAnOutageIsBridgedAndTold(t *testing.T) {
	o := &office{}
	o.know(person("Rosa"))
	o.open(t, defaults, func(t *testing.T, d *desk) {
		d.ring()
		o.fail()
		time.Sleep(30 * time.Minute)
		d.ring()
		synctest.Wait() // until it is known that it can't be renewed
		report := d.ring()
		gets(t, report, "Rosa", Cached, 30*time.Minute)
		stale, ok := errors.AsType[*StaleError](report.Result.Err)
		if !ok || !errors.Is(stale, errDown) || stale.Error() != "down; answered with what it said 30m0s ago" || !report.Stale {
			t.Errorf("report = %+v", report)
		}
		synctest.Wait()

		o.know(person("Camille"))
		d.ring()
		synctest.Wait()
		report = d.ring()
		gets(t, report, "Camille", Cached, 0)
		if report.Result.Err != nil || report.Stale {
			t.Errorf("after the outage: %+v", report)
		}
	})
}

func TestAnOutageIsBridgedForSoLongOnly(t *testing.T) {
	o := &office{}
	o.know(person("Rosa"))
	o.open(t, defaults, func(t *testing.T, d *desk) {
		d.ring()
		o.fail()
		time.Sleep(defaults.TTL + defaults.Stale)
		report := d.ring()
		gets(t, report, "", Asked, 0)
		if !errors.Is(report.Result.Err, errDown) {
			t.Errorf("err = %v", report.Result.Err)
		}
	})
}

func TestWithoutStaleACallerIsAskedForAnew(t *testing.T) {
	o := &office{}
	o.know(person("Rosa"))
	o.open(t, Settings{TTL: time.Minute, Size: 10}, func(t *testing.T, d *desk) {
		d.ring()
		o.know(person("Camille"))
		time.Sleep(time.Minute)
		gets(t, d.ring(), "Camille", Asked, 0)
	})
}

func TestNotFoundIsNeverStale(t *testing.T) {
	o := &office{}
	o.open(t, defaults, func(t *testing.T, d *desk) {
		gets(t, d.ring(), "", Asked, 0)
		time.Sleep(defaults.NotFound - time.Millisecond)
		gets(t, d.ring(), "", Cached, defaults.NotFound-time.Millisecond)
		o.was(t, 1)
		time.Sleep(time.Millisecond)
		o.know(person("Rosa"))
		gets(t, d.ring(), "Rosa", Asked, 0)

		o.know()
		time.Sleep(defaults.TTL)
		d.ring()
		synctest.Wait()
		gets(t, d.ring(), "", Cached, 0)
		time.Sleep(defaults.NotFound)
		o.fail()
		if report := d.ring(); report.Result.Err == nil || report.Origin != Asked {
			t.Errorf("with the CRM down: %+v", report)
		}
	})
}

func TestNotFoundNeedNotBeRemembered(t *testing.T) {
	o := &office{}
	o.open(t, Settings{TTL: time.Minute, Size: 10}, func(t *testing.T, d *desk) {
		d.ring()
		d.ring()
		o.was(t, 2)
	})
}

func TestWhatCouldNotBeAskedIsNotRemembered(t *testing.T) {
	o := &office{}
	o.open(t, defaults, func(t *testing.T, d *desk) {
		for _, said := range []crm.Result{{Err: errDown}, {Records: []crm.Record{person("Rosa")}, Err: errDown}} {
			o.say(said)
			d.ring()
			if report := d.ring(); report.Origin != Asked || !errors.Is(report.Result.Err, errDown) {
				t.Errorf("report = %+v", report)
			}
		}
		o.was(t, 4)
	})
}

func TestTheCRMsOwnFreshnessShortensOurs(t *testing.T) {
	for age, want := range map[time.Duration]time.Duration{time.Minute: time.Minute, time.Hour: defaults.TTL, 0: defaults.TTL} {
		o := &office{}
		o.say(crm.Result{Records: []crm.Record{person("Rosa")}, Requests: []crm.Request{{}, {MaxAge: age}, {MaxAge: 2 * age}}})
		o.open(t, defaults, func(t *testing.T, d *desk) {
			d.ring()
			time.Sleep(want - time.Millisecond)
			if d.ring().Stale {
				t.Errorf("max-age %s: stale before %s", age, want)
			}
			time.Sleep(time.Millisecond)
			if !d.ring().Stale {
				t.Errorf("max-age %s: not stale after %s", age, want)
			}
		})
	}
}

func TestACallCanAskAnew(t *testing.T) {
	o := &office{}
	o.open(t, defaults, func(t *testing.T, d *desk) {
		d.ring()
		o.know(person("Rosa"))
		terms := deadlined()
		terms.Anew = true
		gets(t, d.Find(t.Context(), query(t), terms).Reports[0], "Rosa", Asked, 0)
		gets(t, d.ring(), "Rosa", Cached, 0)
	})
}

func TestTheLookupGoesOnForTheNextCall(t *testing.T) {
	o := &office{takes: 2 * time.Second}
	o.know(person("Rosa"))
	o.open(t, defaults, func(t *testing.T, d *desk) {
		if report := d.ring(); !report.Left || report.Result.Err == nil || report.Took != 775*time.Millisecond {
			t.Errorf("report = %+v", report)
		}
		if report := d.ring(); !report.Left || report.Took != 1550*time.Millisecond {
			t.Errorf("the next one: %+v", report)
		}
		time.Sleep(450 * time.Millisecond)
		synctest.Wait()
		gets(t, d.ring(), "Rosa", Cached, 0)
		o.was(t, 1)
		if len(d.behind) != 1 || d.behind[0].Took != 2*time.Second {
			t.Errorf("told of %+v", d.behind)
		}
	})
}

func TestALookupGoesOnUpToItsLimit(t *testing.T) {
	o := &office{takes: time.Hour, limit: 3 * time.Second}
	o.open(t, defaults, func(t *testing.T, d *desk) {
		d.ring()
		time.Sleep(3 * time.Second)
		synctest.Wait()
		if len(d.behind) != 1 || d.behind[0].Result.Err == nil || d.behind[0].Result.Err.Error() != "no answer within 3s (limit)" {
			t.Errorf("told of %+v", d.behind)
		}
	})
}

func TestAPatientCallOutlastsTheLimit(t *testing.T) {
	o := &office{takes: 15 * time.Second, limit: 10 * time.Second}
	o.know(person("Rosa"))
	o.open(t, defaults, func(t *testing.T, d *desk) {
		if report := d.Find(t.Context(), query(t), Terms{Arrived: time.Now()}).Reports[0]; report.Result.Err == nil {
			t.Error("a search went on for longer than its limit")
		}
		patient := d.Find(t.Context(), query(t), Terms{Arrived: time.Now(), Patient: true}).Reports[0]
		gets(t, patient, "Rosa", Asked, 0)
		gets(t, d.ring(), "Rosa", Cached, 0) // and the next call has it
		o.was(t, 2)
	})
}

func TestAnEngineForOneCallLeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &office{takes: time.Hour}
		finding := Once(time.Second, o).Find(t.Context(), query(t), Terms{Arrived: time.Now(), Deadline: time.Second})
		if err := finding.Err; err == nil || err.Error() != "no answer within the deadline of 1s" {
			t.Errorf("err = %v", err)
		}
		if report := finding.Reports[0]; report.Left {
			t.Errorf("it goes on: %+v", report)
		}
	})
}

func TestAMemoryIsBounded(t *testing.T) {
	m := NewMemory(Settings{TTL: time.Hour, NotFound: time.Hour, Stale: time.Hour, Size: 50})
	defer m.Close()
	for i := range 1000 {
		m.keep(string(rune('a'+i%26))+string(rune('0'+i/26)), Report{Result: crm.Result{Records: []crm.Record{person("Rosa")}}})
	}
	m.entries.CleanUp()
	if size := m.entries.EstimatedSize(); size > 50 || size == 0 {
		t.Errorf("%d of 1000 callers are remembered", size)
	}
	large := person("Rosa")
	large.Fields = map[string]string{"notes": string(make([]byte, 60<<10))}
	m.keep("large", Report{Result: crm.Result{Records: []crm.Record{large}}})
	m.entries.CleanUp()
	if m.recall("large") != nil {
		t.Error("a caller of 60 KiB is remembered in a memory of 50")
	}
}

func TestSeveralCRMsAreRememberedEachByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		known, unknown := &office{takes: time.Millisecond}, &office{takes: time.Second}
		known.know(person("Rosa"))
		first, second := NewMemory(defaults), NewMemory(defaults)
		e := New(NewSource(known, Options{Memory: first}), NewSource(unknown, Options{Memory: second}))
		e.Find(t.Context(), query(t), deadlined())
		finding := e.Find(t.Context(), query(t), deadlined())
		if len(finding.Reports) != 1 || finding.Reports[0].Origin != Cached {
			t.Errorf("the CRM behind one that is known to know the caller was asked too: %+v", finding.Reports)
		}
		unknown.was(t, 1)
		e.Retire()
		first.Close()
		second.Close()
	})
}

// queued is a CRM that bears one request at a time, each of which takes a while.
func queued(takes time.Duration) guest {
	transport := protect.New(protect.Options{Concurrent: 1}).Transport(pause(takes), 1000)
	return guest{name: "queued", search: func(ctx context.Context) crm.Result {
		request, err := http.NewRequestWithContext(protect.WithTimeout(ctx, time.Minute, context.DeadlineExceeded), http.MethodGet, "http://crm.example.com/", nil)
		if err != nil {
			return crm.Result{Err: err}
		}
		response, err := transport.RoundTrip(request)
		if err != nil {
			return crm.Result{Err: err}
		}
		return crm.Result{Records: []crm.Record{person("Rosa")}, Err: response.Body.Close()}
	}}
}

type pause time.Duration

func (p pause) RoundTrip(*http.Request) (*http.Response, error) {
	time.Sleep(time.Duration(p))
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}

// occupy has another caller looked up.
func occupy(t *testing.T, e *Engine) {
	t.Helper()
	other := query(t)
	other.Number, _ = other.Region.Parse("0612345678")
	go func() { _ = e.Find(t.Context(), other, Terms{}) }()
	synctest.Wait()
}

// What has not been sent when its last call has to be answered is not sent at all.
func TestARequestDoesNotOutliveItsCallsInTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := engine(queued(3 * time.Second))
		defer e.Retire()
		occupy(t, e)
		began := time.Now()
		f := e.Find(t.Context(), query(t), Terms{Deadline: 800 * time.Millisecond})
		if refusal, ok := errors.AsType[*protect.Refusal](f.Err); !ok || refusal.Why != protect.Crowded || time.Since(began) >= 775*time.Millisecond {
			t.Errorf("%v after %s", f.Err, time.Since(began))
		}
		time.Sleep(time.Minute) // the other one ends
	})
}

func TestARequestWaitsInTheQueueForTheLastOfItsCalls(t *testing.T) {
	for name, second := range map[string]Terms{"a later call": {Deadline: 5 * time.Second}, "a page without hurry": {}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := engine(queued(2 * time.Second))
				defer e.Retire()
				occupy(t, e)
				var calls sync.WaitGroup
				calls.Go(func() {
					if f := e.Find(t.Context(), query(t), Terms{Deadline: 800 * time.Millisecond}); len(f.Records) > 0 || f.Err == nil {
						t.Errorf("the first: %v, %v", f.Records, f.Err)
					}
				})
				time.Sleep(500 * time.Millisecond)
				if f := e.Find(t.Context(), query(t), second); names(f.Records) != "Rosa" || f.Err != nil {
					t.Errorf("the second: %v, %v", f.Records, f.Err)
				}
				calls.Wait()
			})
		})
	}
}
