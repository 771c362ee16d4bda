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
	records []crm.Record
	since   time.Time
	// fresh is how long it is taken to be so.
	fresh, stale time.Duration
	weight       uint32
	// failed is why it could not be renewed.
	failed atomic.Pointer[error]
}

// NewMemory returns an empty Memory.
func NewMemory(settings Settings) *Memory {
	return &Memory{settings, otter.Must(&otter.Options[string, *entry]{
		MaximumWeight: uint64(max(1, settings.Size)), //nolint:gosec // not negative
		Weigher:       func(_ string, e *entry) uint32 { return e.weight },
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
	e := &entry{records: compact(report.Result.Records), since: time.Now().Add(-report.Age)}
	e.fresh, e.stale = m.lasting(report)
	if e.fresh <= 0 {
		m.entries.Invalidate(key)
		return
	}
	e.weight = weightOf(key, e.records)
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
	r := Report{CRM: name, Result: crm.Result{Records: e.records}, Origin: Cached, Age: age, Stale: age >= e.fresh}
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

// The weight of entries.
const (
	unit       = 1 << 10
	entryBytes = 250 // of an entry with its key's header, in the cache's own structures too
	recordSize = 200 // of a record, without its texts
)

// weightOf is the memory that an entry takes, in units.
func weightOf(key string, records []crm.Record) uint32 {
	bytes := entryBytes + len(key)
	for _, r := range records {
		bytes += recordSize
		eachText(r, func(text string) { bytes += len(text) + 16 })
	}
	return uint32(min(1+bytes/unit, 1<<30)) //nolint:gosec // it fits
}

func eachText(r crm.Record, do func(string)) {
	for _, text := range []string{r.CRM, r.Kind, r.ID, r.Name, r.Company, r.Email, r.URL} {
		do(text)
	}
	for _, text := range r.Phones {
		do(text)
	}
	for name, text := range r.Fields {
		do(name)
		do(text)
	}
}

// compact copies records, so that they do not keep the whole answer in memory
// that their texts were cut out of.
func compact(records []crm.Record) []crm.Record {
	if len(records) == 0 {
		return nil
	}
	copies := make([]crm.Record, len(records))
	for i, r := range records {
		r.ID, r.Name, r.Company = strings.Clone(r.ID), strings.Clone(r.Name), strings.Clone(r.Company)
		r.Kind, r.Email, r.URL = strings.Clone(r.Kind), strings.Clone(r.Email), strings.Clone(r.URL)
		phones := make([]string, len(r.Phones))
		for j, text := range r.Phones {
			phones[j] = strings.Clone(text)
		}
		r.Phones = phones
		if r.Fields != nil {
			fields := make(map[string]string, len(r.Fields))
			for name, text := range r.Fields {
				fields[name] = strings.Clone(text)
			}
			r.Fields = fields
		}
		copies[i] = r
	}
	return copies
}
