package protect

import (
	"net/http"
	"testing"
	"time"

	"github.com/screenpop/caddy-screenpop/internal/clocktest"
)

// settings are by how much a clock is set.
var settings = []time.Duration{-24 * time.Hour, -time.Minute, time.Minute, 24 * time.Hour}

func TestSettingTheClockDoesNotChangeHowLongALimitLasts(t *testing.T) {
	for _, header := range []http.Header{{"Retry-After": {"60"}}, {"Ratelimit": {"limit=100, remaining=0, reset=60"}}} {
		var limit restraint
		now := time.Now()
		limit.learn(http.StatusTooManyRequests, header, now)
		for _, by := range settings {
			if left := limit.left(clocktest.Set(t, now.Add(20*time.Second), by)); left != 40*time.Second {
				t.Errorf("set by %s: after 20s of a minute %s are left", by, left)
			}
			if left := limit.left(clocktest.Set(t, now.Add(time.Minute), by)); left != 0 {
				t.Errorf("set by %s: after a minute %s are left", by, left)
			}
		}
	}
}

// A moment that the CRM names is meant by its own clock, which may jump as well.
func TestALimitUntilAMomentGoesByTheCRMsClock(t *testing.T) {
	now := time.Now()
	for _, by := range settings {
		theirs := now.Add(by).UTC()
		var limit restraint
		limit.learn(http.StatusTooManyRequests, http.Header{
			"Date":        {theirs.Format(http.TimeFormat)},
			"Retry-After": {theirs.Add(time.Minute).Format(http.TimeFormat)},
		}, now)
		if left := limit.left(now); left != time.Minute {
			t.Errorf("with a clock %s from ours it is left alone for %s", by, left)
		}
	}
}

func TestSettingTheClockDoesNotHideThatTheCRMAnswers(t *testing.T) {
	h := newHealth(1, time.Minute, func(Change) {})
	p, err := h.admit()
	if err != nil {
		t.Fatal(err)
	}
	h.succeed(p)
	answered := time.Now()
	for _, by := range settings {
		if !h.hasAnsweredSince(clocktest.Set(t, answered.Add(-time.Second), by)) {
			t.Errorf("set by %s: the answer is not remembered", by)
		}
		if h.hasAnsweredSince(clocktest.Set(t, answered.Add(time.Second), by)) {
			t.Errorf("set by %s: the answer is newer than it is", by)
		}
	}
}
