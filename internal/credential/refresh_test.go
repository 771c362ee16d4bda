package credential

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// shelf is a store in memory.
type shelf struct {
	mutex   sync.Mutex
	locks   map[string]chan struct{}
	values  map[string][]byte
	broken  error // what Load and Save return
	noSave  error // what Save returns
	noLock  error // what Lock returns
	unlocks int
}

func newShelf() *shelf { return &shelf{locks: map[string]chan struct{}{}, values: map[string][]byte{}} }

func (s *shelf) lock(key string) chan struct{} {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.locks[key] == nil {
		s.locks[key] = make(chan struct{}, 1)
	}
	return s.locks[key]
}

func (s *shelf) Lock(ctx context.Context, key string) error {
	if s.noLock != nil {
		return s.noLock
	}
	select {
	case s.lock(key) <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *shelf) Unlock(ctx context.Context, key string) error {
	held := s.lock(key)
	s.mutex.Lock()
	s.unlocks++
	s.mutex.Unlock()
	<-held
	return ctx.Err()
}

func (s *shelf) Load(_ context.Context, key string) ([]byte, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	value, ok := s.values[key]
	if s.broken != nil {
		return nil, s.broken
	}
	if !ok {
		return nil, fmt.Errorf("%s: %w", key, fs.ErrNotExist)
	}
	return value, nil
}

func (s *shelf) Save(ctx context.Context, key string, value []byte) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if err := errors.Join(ctx.Err(), s.broken, s.noSave); err != nil {
		return err
	}
	s.values[key] = value
	return nil
}

// rotating is a grant whose refresh tokens are each good for one use.
type rotating struct {
	valid  string
	used   int
	uses   []string
	before func() // called before each answer
}

func (r *rotating) grant(p url.Values) (int, string) {
	token := p.Get("refresh_token")
	r.uses = append(r.uses, token)
	if r.before != nil {
		r.before()
	}
	if p.Get("grant_type") != "refresh_token" || token != r.valid {
		return http.StatusBadRequest, `{"error":"invalid_grant","error_description":"token ` + token + ` is used up"}`
	}
	r.used++
	r.valid = fmt.Sprintf("second-refresh-%d", r.used)
	return http.StatusOK, fmt.Sprintf(`{"access_token":"access-%d","refresh_token":%q}`, r.used, r.valid)
}

// refreshing is a client of the grant.
func refreshing(e *endpoint, store Store) *OAuth2 {
	return e.client(func(o *OAuth2) { o.Grant, o.RefreshToken, o.Store = RefreshToken, "first-refresh", store })
}

// gets checks which token a fetch returns.
func gets(t *testing.T, o *OAuth2, want string) {
	t.Helper()
	token, err := fetch(t, o)
	if err != nil || token.member("access_token") != want {
		t.Errorf("got %s, %v; want %s", token.Answer, err, want)
	}
}

func TestARefreshTokenThatStaysIsNotStored(t *testing.T) {
	e, store := serve(t, gives(answered)), newShelf()
	o := refreshing(e, store)
	gets(t, o, "t0ken")
	gets(t, o, "t0ken")
	if len(store.values) != 0 || store.unlocks != 2 {
		t.Errorf("stored: %s, unlocked %d times", store.values, store.unlocks)
	}
	t.Run("and does not need the storage any more", func(t *testing.T) {
		store.broken = errors.New("disk is gone")
		gets(t, o, "t0ken")
	})
}

func TestARotatedRefreshTokenIsUsedNextTime(t *testing.T) {
	r, store := &rotating{valid: "first-refresh"}, newShelf()
	e := serve(t, r.grant)
	o := refreshing(e, store)
	gets(t, o, "access-1")
	gets(t, o, "access-2")
	gets(t, refreshing(e, store), "access-3") // after a restart
	if got := strings.Join(r.uses, " "); got != "first-refresh second-refresh-1 second-refresh-2" {
		t.Errorf("used %s", got)
	}
}

func TestANewRefreshTokenIsSavedBeforeItsTokenIsHandedOut(t *testing.T) {
	r, store := &rotating{valid: "first-refresh"}, newShelf()
	e := serve(t, r.grant)
	ctx, cancel := context.WithCancel(t.Context())
	r.before = cancel // the configuration ends while the CRM is answering
	token, err := refreshing(e, store).Fetch(ctx)
	if err != nil || token.member("access_token") != "access-1" {
		t.Fatalf("got %s, %v", token.Answer, err)
	}
	r.before = nil
	gets(t, refreshing(e, store), "access-2")
}

func TestAnExchangeThatHasBegunIsNotBrokenOff(t *testing.T) {
	r, store := &rotating{valid: "first-refresh"}, newShelf()
	o := refreshing(serve(t, r.grant), store)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond) // as if the lock had been waited for
	defer cancel()
	r.before = func() { <-ctx.Done() }
	token, err := o.Fetch(ctx)
	if err != nil || token.member("access_token") != "access-1" {
		t.Errorf("got %s, %v", token.Answer, err)
	}
}

func TestARefreshTokenThatStaysLockedIsNotUsed(t *testing.T) {
	r, store := &rotating{valid: "first-refresh"}, newShelf()
	e := serve(t, r.grant)
	o := refreshing(e, store)
	if err := store.Lock(t.Context(), o.storeKey()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err := o.Fetch(ctx)
	says(t, err, "stayed locked", "another node")
	if len(e.asked()) != 0 {
		t.Error("the CRM was asked")
	}
}

func TestANewlyConfiguredRefreshTokenIsUsed(t *testing.T) {
	r, store := &rotating{valid: "first-refresh"}, newShelf()
	e := serve(t, r.grant)
	gets(t, refreshing(e, store), "access-1")
	r.valid = "another"
	o := refreshing(e, store)
	o.RefreshToken = "another"
	gets(t, o, "access-2")
	if got := strings.Join(r.uses, " "); got != "first-refresh another" {
		t.Errorf("used %s", got)
	}
}

func TestTheConfiguredRefreshTokenIsTriedOnceWhenTheStoredOneIsRejected(t *testing.T) {
	r, store := &rotating{valid: "first-refresh"}, newShelf()
	e := serve(t, r.grant)
	o := refreshing(e, store)
	gets(t, o, "access-1")
	r.valid = "first-refresh" // a CRM that was restored from a backup
	gets(t, o, "access-2")
	gets(t, o, "access-3")

	r.valid, r.uses = "nobody has it", nil
	_, err := fetch(t, o)
	says(t, err, "invalid_grant", "token *** is used up", "get a new one")
	if got := strings.Join(r.uses, " "); got != "second-refresh-3 first-refresh" {
		t.Errorf("used %s", got)
	}

	t.Run("but not when the application is", func(t *testing.T) {
		r.uses, o.ClientSecret = nil, "wrong"
		_, err := fetch(t, o)
		says(t, err, "invalid_client")
		if len(r.uses) != 0 {
			t.Errorf("used %s", r.uses)
		}
		if n := len(e.asked()); n != 7 {
			t.Errorf("asked %d times", n)
		}
	})
}

func TestARefreshTokenThatCanNotBeSavedGoesOnInMemory(t *testing.T) {
	r, store := &rotating{valid: "first-refresh"}, newShelf()
	store.noSave = errors.New("disk is full")
	e := serve(t, r.grant)
	o := refreshing(e, store)
	for _, want := range []string{"access-1", "access-2"} {
		token, err := fetch(t, o)
		if _, ok := errors.AsType[*Unsaved](err); !ok || token.member("access_token") != want {
			t.Errorf("got %s, %v", token.Answer, err)
		}
		says(t, err, "disk is full", "in memory", "a new refresh token must be got")
	}

	store.noSave, store.broken = nil, errors.New("disk is gone")
	token, err := fetch(t, o)
	if token.member("access_token") != "access-3" {
		t.Errorf("got %s, %v", token.Answer, err)
	}

	store.broken = nil
	gets(t, o, "access-4")
	gets(t, refreshing(e, store), "access-5") // after a restart
}

func TestARefreshTokenWithoutAStoreIsReported(t *testing.T) {
	r := &rotating{valid: "first-refresh"}
	o := refreshing(serve(t, r.grant), nil)
	for _, want := range []string{"access-1", "access-2"} {
		token, err := fetch(t, o)
		if token.member("access_token") != want {
			t.Errorf("got %s, %v", token.Answer, err)
		}
		says(t, err, "there is no storage")
	}
}

func TestARefreshTokenThatMayBeOldIsNotUsed(t *testing.T) {
	for name, breakDown := range map[string]func(*shelf){
		"the storage can't be read":   func(s *shelf) { s.broken = errors.New("disk is gone") },
		"the storage can't be locked": func(s *shelf) { s.noLock = errors.New("disk is gone") },
	} {
		t.Run(name, func(t *testing.T) {
			r, store := &rotating{valid: "first-refresh"}, newShelf()
			e := serve(t, r.grant)
			o := refreshing(e, store)
			gets(t, o, "access-1")
			breakDown(store) // another node may have used what this one knows
			_, err := fetch(t, o)
			says(t, err, "the storage can't be read (disk is gone)")
			if len(e.asked()) != 1 {
				t.Error("the CRM was asked")
			}
		})
	}
	t.Run("but one that is stored unreadably is no obstacle", func(t *testing.T) {
		r, store := &rotating{valid: "first-refresh"}, newShelf()
		o := refreshing(serve(t, r.grant), store)
		store.values[o.storeKey()] = []byte(`{"refresh_`)
		gets(t, o, "access-1")
	})
}

func TestTwoNodesShareTheirRefreshTokens(t *testing.T) {
	r, store := &rotating{valid: "first-refresh"}, newShelf()
	e := serve(t, r.grant)
	nodes := []*Keeper{New(refreshing(e, store).Fetch, Options{}), New(refreshing(e, store).Fetch, Options{})}
	var group sync.WaitGroup
	for _, node := range nodes {
		defer node.Close()
		group.Go(func() {
			for range 3 { // 3 refusals are replaced at once
				token, err := node.Token(t.Context())
				if err != nil {
					t.Error(err)
				}
				node.Refused(token)
			}
		})
	}
	group.Wait()
	if len(r.uses) != 6 || r.used != 6 {
		t.Errorf("used %s, %d times with success", r.uses, r.used)
	}
}
