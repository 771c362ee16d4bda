package credential

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/screenpop/caddy-screenpop/internal/clocktest"
)

func TestSettingTheClockBackDoesNotProlongAToken(t *testing.T) {
	now := time.Now()
	k := New(nil, Options{})
	defer k.Close()
	k.keep(Token{Expiry: now.Round(0).Add(time.Hour)}, now, now)
	for _, test := range []struct {
		after, set time.Duration
		expired    bool
	}{
		{time.Minute, -24 * time.Hour, false},
		{time.Hour, -24 * time.Hour, true},
		{time.Minute, 30 * time.Minute, false},
		{time.Minute, time.Hour, true}, // a machine that slept looks the same
	} {
		if got := k.token.expired(clocktest.Set(t, now.Add(test.after), test.set)); got != test.expired {
			t.Errorf("after %s, with the clock set by %s: expired is %t", test.after, test.set, got)
		}
	}
}

func TestSettingTheClockDoesNotChangeWhenAFetchIsTriedAgain(t *testing.T) {
	for _, by := range []time.Duration{-24 * time.Hour, 24 * time.Hour} {
		now := time.Now()
		k := New(nil, Options{})
		k.failed(&Later{After: time.Minute, Err: errors.New("429")}, now)
		if k.mayFetch(clocktest.Set(t, now.Add(time.Minute-time.Millisecond), by)) == nil {
			t.Errorf("set by %s: it is tried sooner", by)
		}
		if err := k.mayFetch(clocktest.Set(t, now.Add(time.Minute), by)); err != nil {
			t.Errorf("set by %s: it is tried later: %v", by, err)
		}
		k.Close()
	}
}

// A moment that the endpoint names is meant by its own clock.
func TestATokenEndpointThatLimitsUntilAMomentGoesByItsClock(t *testing.T) {
	now := time.Now()
	for _, by := range []time.Duration{-24 * time.Hour, 0, 24 * time.Hour} {
		theirs := now.Add(by).UTC()
		wait, ok := retryAfter(http.Header{
			"Date":        {theirs.Format(http.TimeFormat)},
			"Retry-After": {theirs.Add(time.Minute).Format(http.TimeFormat)},
		}, now)
		if wait != time.Minute || !ok {
			t.Errorf("with a clock %s from ours it is left alone for %s (%t)", by, wait, ok)
		}
	}
}
