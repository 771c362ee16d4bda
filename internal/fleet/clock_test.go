package fleet

import (
	"errors"
	"testing"
	"time"

	"github.com/screenpop/caddy-screenpop/internal/clocktest"
)

func TestSettingTheClockDoesNotChangeHowLongAStoreIsLeftAlone(t *testing.T) {
	for _, by := range []time.Duration{-24 * time.Hour, -time.Minute, time.Minute, 24 * time.Hour} {
		s := &Store{life: t.Context(), changed: func(error) {}}
		s.note(errors.New("lost"))
		if s.mayTry(clocktest.Set(t, s.until.Add(-time.Millisecond), by)) {
			t.Errorf("set by %s: it is not left alone", by)
		}
		if !s.mayTry(clocktest.Set(t, s.until, by)) {
			t.Errorf("set by %s: it is left alone for longer", by)
		}
	}
}
