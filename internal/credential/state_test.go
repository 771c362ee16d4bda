package credential

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// reloaded runs a test with the Keepers of two configurations that share what
// they know.
func reloaded(t *testing.T, before, after *bank, test func(t *testing.T, old, next *Keeper)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		old, next := New(before.fetch, Options{Failed: before.report}), New(after.fetch, Options{Failed: after.report})
		next.Resume(old.State)
		test(t, old, next)
		old.Close()
		next.Close()
	})
}

func TestATokenOutlivesTheKeeperThatFetchedIt(t *testing.T) {
	before, after := &bank{lifetime: time.Hour}, &bank{lifetime: time.Hour}
	reloaded(t, before, after, func(t *testing.T, old, next *Keeper) {
		token := has(t, old, "t1")
		old.Close()
		has(t, next, "t1")
		after.was(t, 0, 0)
		next.Refused(token)
		has(t, next, "t1")
		before.was(t, 1, 0)
		after.was(t, 1, 0)
	})
}

func TestTwoKeepersFetchOneToken(t *testing.T) {
	before, after := &bank{takes: time.Second}, &bank{}
	reloaded(t, before, after, func(t *testing.T, old, next *Keeper) {
		go has(t, old, "t1")
		synctest.Wait()
		has(t, next, "t1")
		before.was(t, 1, 0)
		after.was(t, 0, 0)
	})
}

func TestAFetchThatEndsWithItsKeeperIsMadeByTheNext(t *testing.T) {
	before, after := &bank{takes: time.Hour}, &bank{}
	reloaded(t, before, after, func(t *testing.T, old, next *Keeper) {
		go func() {
			if _, err := old.Token(t.Context()); !errors.Is(err, ErrClosed) {
				t.Errorf("whoever waited for the old one gets %v", err)
			}
		}()
		synctest.Wait()
		go func() {
			synctest.Wait()
			old.Close()
		}()
		has(t, next, "t1")
		after.was(t, 1, 0)
	})
}

func TestCredentialsThatWereRejectedAreNotTriedAgainSoonAfterAReload(t *testing.T) {
	before, after := &bank{err: &Rejected{Status: 401}}, &bank{err: &Rejected{Status: 401}}
	reloaded(t, before, after, func(t *testing.T, old, next *Keeper) {
		lacks(t, old, "401")
		lacks(t, next, "401")
		before.was(t, 1, 1)
		after.was(t, 0, 0)
	})
}

func TestARefreshTokenThatCouldNotBeSavedOutlivesAReload(t *testing.T) {
	r := &rotating{valid: "first-refresh"}
	e := serve(t, r.grant)
	old := refreshing(e, nil)
	state := NewState()
	old.Resume(state)
	if _, err := old.Fetch(t.Context()); err == nil {
		t.Fatal("without a storage the next refresh token was saved")
	}
	next := refreshing(e, nil)
	next.Resume(state)
	token, err := next.Fetch(t.Context())
	if _, unsaved := errors.AsType[*Unsaved](err); !unsaved || token.member("access_token") != "access-2" {
		t.Errorf("got %s, %v", token.Answer, err)
	}
}
