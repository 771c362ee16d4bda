// Package clocktest makes moments of machines whose clock was set.
package clocktest

import (
	"testing"
	"time"
	"unsafe"
)

// reading is how a [time.Time] holds both clocks: that of the day, and, in ext,
// the one that can't be set.
type reading struct {
	wall uint64
	ext  int64
	loc  *time.Location
}

// Set is a moment as [time.Now] gives it on a machine whose clock was set forward
// by so much, or back, while the other clock went on. No function of Go makes one.
func Set(t testing.TB, moment time.Time, by time.Duration) time.Time {
	t.Helper()
	set := moment.Add(by)
	(*reading)(unsafe.Pointer(&set)).ext -= int64(by) //nolint:gosec // checked below
	if set.Sub(moment) != 0 || set.Round(0).Sub(moment.Round(0)) != by {
		t.Fatal("this Go holds its two clocks in another way, or the moment has only one of them")
	}
	return set
}
