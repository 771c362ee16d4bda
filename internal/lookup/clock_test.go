package lookup

import (
	"context"
	"testing"
	"time"

	"github.com/screenpop/caddy-screenpop/internal/clocktest"
	"github.com/screenpop/caddy-screenpop/internal/crm"
)

func TestSettingTheClockBackProlongsNothing(t *testing.T) {
	since := time.Now()
	e := &entry{since: since, fresh: time.Minute, stale: time.Hour}
	for _, back := range []time.Duration{time.Second, time.Hour, 365 * 24 * time.Hour} {
		after := func(age time.Duration) time.Time { return clocktest.Set(t, since.Add(age), -back) }
		if age := e.age(after(10 * time.Second)); age != 10*time.Second {
			t.Errorf("set back by %s: after 10s it is %s old", back, age)
		}
		if !e.isFresh(after(time.Minute-1)) || e.isFresh(after(time.Minute)) {
			t.Errorf("set back by %s: it is not fresh for just a minute", back)
		}
		if !e.isUsable(after(time.Hour)) || e.isUsable(after(time.Hour+time.Minute)) {
			t.Errorf("set back by %s: it is not usable for just an hour more", back)
		}
	}
}

// A machine that slept looks the same.
func TestSettingTheClockForwardMakesOlder(t *testing.T) {
	since := time.Now()
	e := &entry{since: since, fresh: time.Minute, stale: time.Hour}
	if age := e.age(clocktest.Set(t, since.Add(time.Second), time.Minute)); age != 61*time.Second {
		t.Errorf("it is %s old", age)
	}
	if now := clocktest.Set(t, since, time.Minute); e.isFresh(now) || !e.isUsable(now) {
		t.Error("it is not stale after a minute")
	}
	if e.isUsable(clocktest.Set(t, since, 2*time.Hour)) {
		t.Error("it is still answered with after two hours")
	}
}

// What is remembered was noted by the clock as it was then.
func TestACallAfterAJumpOfTheClockGetsNothingOld(t *testing.T) {
	now := time.Now()
	for name, test := range map[string]struct {
		since  time.Time
		knew   []crm.Record
		origin Origin
	}{
		"not found, a minute before the clock was set back":       {clocktest.Set(t, now.Add(-time.Minute), time.Hour), nil, Asked},
		"not found, just before it was set forward":               {clocktest.Set(t, now, -time.Hour), nil, Asked},
		"found, two hours before it was set back":                 {clocktest.Set(t, now.Add(-2*time.Hour), 3*time.Hour), []crm.Record{person("Rosa")}, Asked},
		"found, just before it was set back":                      {clocktest.Set(t, now, time.Hour), []crm.Record{person("Camille")}, Cached},
		"found, two hours before it was set forward":              {clocktest.Set(t, now, -2*time.Hour), []crm.Record{person("Rosa")}, Asked},
		"found long ago, when the clock was a year ahead of that": {clocktest.Set(t, now.Add(-3*time.Hour), 365*24*time.Hour), []crm.Record{person("Rosa")}, Asked},
	} {
		t.Run(name, func(t *testing.T) {
			o, memory := &office{}, NewMemory(defaults)
			defer memory.Close()
			o.know(person("Camille"))
			e := New(NewSource(o, Options{Memory: memory}))
			defer e.Retire()
			known := &entry{records: pack(test.knew), since: test.since}
			known.fresh, known.stale = memory.lasting(Report{Result: crm.Result{Records: test.knew}})
			memory.entries.Set(query(t).Number.E164(), known)
			report := e.Find(t.Context(), query(t), Terms{Arrived: time.Now(), Deadline: time.Minute}).Reports[0]
			if names(report.Result.Records) != "Camille" || report.Origin != test.origin || report.Stale {
				t.Errorf("got %+v", report)
			}
		})
	}
}

// The clock is set between a call's arrival and its lookup.
func TestAJumpOfTheClockNeitherEndsACallNorHoldsItUp(t *testing.T) {
	for _, by := range []time.Duration{-time.Hour, time.Hour} {
		answers := guest{name: "a", search: func(ctx context.Context) crm.Result {
			select {
			case <-time.After(10 * time.Millisecond):
				return crm.Result{Records: []crm.Record{person("Rosa")}}
			case <-ctx.Done():
				return crm.Result{Err: context.Cause(ctx)}
			}
		}}
		e := engine(answers)
		arrived := clocktest.Set(t, time.Now(), by)
		expect(t, e.Find(t.Context(), query(t), Terms{Arrived: arrived, Deadline: time.Minute}), "Rosa", "a", false)
		e.Retire()

		released := make(chan struct{}) // only when the call has been answered
		e = engine(hangs("deaf", released), says("b", person("Camille")))
		arrived = clocktest.Set(t, time.Now(), by)
		expect(t, e.Find(t.Context(), query(t), Terms{Arrived: arrived, Deadline: 100 * time.Millisecond}), "Camille", "b", false)
		arrived = clocktest.Set(t, time.Now(), by)
		expect(t, e.Find(t.Context(), query(t), Terms{Arrived: arrived, Deadline: 100 * time.Millisecond, Ask: []string{"deaf"}}), "", "deaf", true)
		close(released)
		e.Retire()
	}
}
