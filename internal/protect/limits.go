package protect

import (
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// longestWait is how far a CRM's wish to be left alone is obeyed.
	longestWait = time.Hour
	// longestAhead is the same for a CRM that has still answered, but says that it
	// will not the next time: some count wrongly.
	longestAhead = time.Minute

	// A CRM that says "too often" but not until when is left alone for
	// firstRestraint, after the next time for twice as long, until it is
	// lastRestraint.
	firstRestraint = time.Second
	lastRestraint  = 30 * time.Second
)

// restraint is until when the CRM does not want to be asked.
type restraint struct {
	mutex sync.Mutex
	until time.Time
	inRow int // refusals without a time since the last answer
}

// left is how long it still lasts.
func (r *restraint) left(now time.Time) time.Duration {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return max(0, r.until.Sub(now))
}

// learn reads what an answer says about limits.
func (r *restraint) learn(status int, header http.Header, now time.Time) {
	wait, said := limitOf(status, header, now)
	limited := status == http.StatusTooManyRequests
	if !said && !limited && status == http.StatusServiceUnavailable {
		return
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	switch {
	case limited && !said && now.Before(r.until):
		// It was asked before it said so: that is no other refusal.
	case limited && !said:
		wait = min(firstRestraint<<min(r.inRow, 10), lastRestraint)
		r.inRow++
	case !limited:
		r.inRow = 0
	}
	if until := now.Add(wait); wait > 0 && until.After(r.until) {
		r.until = until
	}
}

// families are the names under which APIs tell how many requests are left and
// when there are more: Pipedrive, Freshdesk and ServiceNow; Zendesk and drafts of
// the IETF; others.
var families = []struct{ remaining, reset string }{
	{"X-Ratelimit-Remaining", "X-Ratelimit-Reset"},
	{"Ratelimit-Remaining", "Ratelimit-Reset"},
	{"X-Rate-Limit-Remaining", "X-Rate-Limit-Reset"},
}

// limitOf is for how long an answer says not to ask.
func limitOf(status int, header http.Header, now time.Time) (time.Duration, bool) {
	refused := status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
	now = clockOf(header, now)
	if refused {
		for _, name := range []string{"Retry-After", "Api-Retry-After"} {
			if wait, ok := duration(header.Get(name), now); ok {
				return min(wait, longestWait), true
			}
		}
	}
	if status == http.StatusServiceUnavailable {
		return 0, false
	}
	longest := longestAhead
	if refused {
		longest = longestWait
	}
	for _, family := range families {
		if isUsedUp(header.Get(family.remaining), refused) {
			if wait, ok := duration(header.Get(family.reset), now); ok {
				return min(wait, longest), true
			}
		}
	}
	if text := header.Get("Ratelimit"); text != "" {
		if said := policy.FindStringSubmatch(text); said != nil && isUsedUp(said[1], refused) {
			wait, ok := duration(said[2], now)
			return min(wait, longest), ok
		}
	}
	return hubSpot(header, refused)
}

// policy is the form "limit=100, remaining=0, reset=5", or ";r=0;t=5".
var policy = regexp.MustCompile(`\br(?:emaining)?=(\d+).*\b(?:reset|t)=(\d+)`)

// isUsedUp reports whether no requests are left. A refusal says so too.
func isUsedUp(remaining string, refused bool) bool {
	remaining = strings.TrimSpace(remaining)
	return remaining == "0" || remaining == "" && refused
}

// hubSpot tells in which of its windows nothing is left, but not when that ends.
func hubSpot(header http.Header, refused bool) (time.Duration, bool) {
	if !refused {
		return 0, false
	}
	if header.Get("X-Hubspot-Ratelimit-Secondly-Remaining") == "0" {
		return time.Second, true
	}
	milliseconds, err := strconv.Atoi(header.Get("X-Hubspot-Ratelimit-Interval-Milliseconds"))
	if err != nil || milliseconds <= 0 || header.Get("X-Hubspot-Ratelimit-Remaining") != "0" {
		return 0, false
	}
	return min(time.Duration(milliseconds)*time.Millisecond, longestWait), true
}

// clockOf is what the CRM's clock shows: a moment that it names is meant by it.
func clockOf(header http.Header, now time.Time) time.Time {
	if said, err := http.ParseTime(header.Get("Date")); err == nil {
		return said
	}
	return now
}

// Numbers above these are moments since 1970, in seconds and in milliseconds.
const (
	epochSeconds      = 5e8
	epochMilliseconds = 5e11
)

// duration reads how long to wait: seconds, a date, or a moment since 1970.
func duration(text string, now time.Time) (time.Duration, bool) {
	text = strings.TrimSpace(text)
	if date, err := http.ParseTime(text); err == nil {
		return max(0, date.Sub(now)), true
	}
	number, err := strconv.ParseFloat(text, 64)
	switch {
	case err != nil || math.IsNaN(number) || number < 0:
		return 0, false
	case number >= epochMilliseconds:
		number = number/1000 - float64(now.Unix())
	case number >= epochSeconds:
		number -= float64(now.Unix())
	}
	return time.Duration(min(max(number, 0), longestWait.Seconds()) * float64(time.Second)), true
}
