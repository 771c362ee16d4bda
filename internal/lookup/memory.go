package lookup

import (
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/screenpop/caddy-screenpop/internal/crm"
)

// Settings are how long answers are remembered, and how many.
type Settings struct {
	// TTL is how long a found caller is fresh, and NotFound one who was not; 0:
	// not remembered. A CRM that calls its answer fresh for less long is obeyed.
	TTL, NotFound time.Duration
	// Stale is how long after that a found caller is still answered with, while
	// it is renewed.
	Stale time.Duration
	// Size bounds the memory: in entries, of which one that holds more than a
	// kibibyte counts as several.
	Size int
	// Shelf is where a fleet of gateways remembers too. Default: nowhere.
	Shelf Shelf
}

// Memory remembers what one CRM said. It outlives configurations. A nil Memory
// remembers nothing.
type Memory struct {
	settings Settings
	entries  *otter.Cache[string, *entry]
}

// entry is one answer.
type entry struct {
	// records are the caller's; none: not found.
	records packed
	since   time.Time
	// fresh is how long it is taken to be so, and stale how long after that it can
	// still be answered with.
	fresh, stale time.Duration
	// failed is why it could not be renewed.
	failed atomic.Pointer[error]
}

// NewMemory returns an empty Memory.
func NewMemory(settings Settings) *Memory {
	return &Memory{settings, otter.Must(&otter.Options[string, *entry]{
		MaximumWeight: uint64(max(1, settings.Size)), //nolint:gosec // not negative
		Weigher:       weigh,
		ExpiryCalculator: otter.ExpiryWritingFunc(func(e otter.Entry[string, *entry]) time.Duration {
			return max(e.Value.fresh+e.Value.stale-e.Value.age(time.Now()), time.Nanosecond)
		}),
	})}
}

// Close forgets everything.
func (m *Memory) Close() {
	m.entries.InvalidateAll()
	m.entries.StopAllGoroutines()
}

// recall returns what is remembered; nil if nothing is.
func (m *Memory) recall(key string) *entry {
	if m == nil {
		return nil
	}
	e, _ := m.entries.GetIfPresent(key)
	return e
}

// keep remembers what a CRM said. What it could not say, or not all of it, is
// only noted: it is why what is remembered is not renewed.
func (m *Memory) keep(key string, report Report) {
	if m == nil {
		return
	}
	if err := report.Result.Err; err != nil {
		if e := m.recall(key); e != nil {
			e.failed.Store(&err)
		}
		return
	}
	e := &entry{records: pack(report.Result.Records), since: time.Now().Add(-report.Age)}
	e.fresh, e.stale = m.lasting(report)
	if e.fresh <= 0 {
		m.entries.Invalidate(key)
		return
	}
	m.entries.Set(key, e)
}

// lasting is for how long an answer is fresh, and then stale.
func (m *Memory) lasting(report Report) (fresh, stale time.Duration) {
	fresh = m.settings.NotFound
	if report.found() {
		fresh, stale = m.settings.TTL, m.settings.Stale
	}
	for _, said := range []time.Duration{report.Result.MaxAge(), report.fresh} {
		if said > 0 {
			fresh = min(fresh, said)
		}
	}
	return fresh, stale
}

// age goes by both clocks: the one that can be set, because a machine that slept
// has no other, and the one that can't, because setting a clock back must not
// prolong anything.
func (e *entry) age(now time.Time) time.Duration {
	return max(now.Sub(e.since), now.Round(0).Sub(e.since.Round(0)), 0)
}

func (e *entry) isFresh(now time.Time) bool { return e.age(now) < e.fresh }

// isUsable reports whether it can be answered with.
func (e *entry) isUsable(now time.Time) bool { return e.age(now) < e.fresh+e.stale }

// report is the answer that is remembered.
func (e *entry) report(name string, now time.Time) Report {
	age := e.age(now)
	r := Report{CRM: name, Result: crm.Result{Records: e.records.records()}, Origin: Cached, Age: age, Stale: age >= e.fresh}
	if err := e.failed.Load(); r.Stale && err != nil {
		r.Result.Err = &StaleError{Age: age, Err: *err}
	}
	return r
}

// StaleError is why an answer that is past its freshness could not be renewed.
type StaleError struct {
	Age time.Duration
	Err error
}

func (s *StaleError) Error() string {
	return fmt.Sprintf("%s; answered with what it said %s ago", strings.ReplaceAll(s.Err.Error(), "\n", "; "), s.Age.Round(time.Second))
}

// Unwrap returns why it could not be renewed.
func (s *StaleError) Unwrap() error { return s.Err }

const (
	// unit is what counts as one entry, in bytes.
	unit = 1 << 10
	// entryBytes are those of an entry without its texts, in the cache's own
	// structures too.
	entryBytes = 250
)

// weigh returns the memory that an entry takes, in units.
func weigh(key string, e *entry) uint32 {
	return uint32(min(1+(entryBytes+len(key)+len(e.records))/unit, 1<<30)) //nolint:gosec // it fits
}
