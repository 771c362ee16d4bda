package credential

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// bank counts the fetches of a Keeper, and gives what a test wants.
type bank struct {
	fetches  int
	lifetime time.Duration
	takes    time.Duration
	err      error

	mutex   sync.Mutex
	reports []string
}

func (b *bank) report(err error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.reports = append(b.reports, err.Error())
}

func (b *bank) fetch(ctx context.Context) (Token, error) {
	b.fetches++
	n, err := b.fetches, b.err
	select {
	case <-time.After(b.takes):
	case <-ctx.Done():
		return Token{}, ctx.Err()
	}
	token := Token{Answer: fmt.Sprintf(`{"access_token":"t%d"}`, n)}
	if b.lifetime != 0 {
		token.Expiry = time.Now().Add(b.lifetime)
	}
	return token, err
}

// kept runs a test with a Keeper, in a time of its own. Whatever still runs
// after Close fails the test.
func kept(t *testing.T, b *bank, test func(*testing.T, *Keeper)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		k := New(b.fetch, Options{Failed: b.report})
		test(t, k)
		k.Close()
	})
}

// has checks which token there is.
func has(t *testing.T, k *Keeper, want string) Token {
	t.Helper()
	token, err := k.Token(t.Context())
	if err != nil || token.member("access_token") != want {
		t.Errorf("got %s, %v; want %s", token.Answer, err, want)
	}
	return token
}

// lacks checks why there is no token.
func lacks(t *testing.T, k *Keeper, want string) {
	t.Helper()
	token, err := k.Token(t.Context())
	if err == nil || !strings.Contains(err.Error(), want) || token.Answer != "" {
		t.Errorf("got %s, %v; want %s", token.Answer, err, want)
	}
}

func (b *bank) was(t *testing.T, fetches, reports int) {
	t.Helper()
	synctest.Wait()
	if b.fetches != fetches || len(b.reports) != reports {
		t.Errorf("fetched %d times, reported %q; want %d and %d", b.fetches, b.reports, fetches, reports)
	}
}

func TestATokenIsFetchedOnceForAllCallers(t *testing.T) {
	var requests atomic.Int32
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		<-release
		fmt.Fprint(w, answered)
	}))
	defer server.Close()
	k := New((&OAuth2{TokenURL: server.URL, ClientID: clientID}).Fetch, Options{})
	defer k.Close()

	left := errors.New("the call has to be answered")
	ctx, leave := context.WithCancelCause(t.Context())
	var leaving, group sync.WaitGroup
	leaving.Go(func() {
		if _, err := k.Token(ctx); !errors.Is(err, left) {
			t.Errorf("who leaves gets %v", err)
		}
	})
	for requests.Load() == 0 {
		time.Sleep(time.Millisecond) // polls
	}
	leave(left)
	leaving.Wait()
	for range 50 {
		group.Go(func() { has(t, k, "t0ken") })
	}
	close(release)
	group.Wait()
	if n := requests.Load(); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestATokenIsUsedUntilItExpires(t *testing.T) {
	tests := []struct {
		name     string
		lifetime time.Duration
		early    time.Duration // before expiry
	}{
		{"a tenth of a short lifetime before its end", 5 * time.Minute, 30 * time.Second},
		{"a minute before the end of a long one", 2 * time.Hour, time.Minute},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := &bank{lifetime: test.lifetime}
			kept(t, b, func(t *testing.T, k *Keeper) {
				has(t, k, "t1")
				b.takes = time.Second
				time.Sleep(test.lifetime - test.early)
				has(t, k, "t1")
				b.was(t, 1, 0)

				time.Sleep(time.Millisecond)
				has(t, k, "t1") // and another one is fetched behind
				has(t, k, "t1")
				b.was(t, 2, 0)
				time.Sleep(2 * time.Second)
				has(t, k, "t2")

				time.Sleep(2 * test.lifetime)
				has(t, k, "t3") // nobody asked in time: it is waited for
				b.was(t, 3, 0)
			})
		})
	}
	t.Run("without an end it is used until it is refused", func(t *testing.T) {
		b := &bank{}
		kept(t, b, func(t *testing.T, k *Keeper) {
			has(t, k, "t1")
			time.Sleep(1000 * time.Hour)
			has(t, k, "t1")
		})
	})
	t.Run("the old one is used although the next one can't be had", func(t *testing.T) {
		b := &bank{lifetime: time.Hour}
		kept(t, b, func(t *testing.T, k *Keeper) {
			has(t, k, "t1")
			b.err = &Rejected{Status: 401}
			time.Sleep(time.Hour - 10*time.Second)
			has(t, k, "t1")
			b.was(t, 2, 1)
			has(t, k, "t1")
			b.was(t, 2, 1)
			time.Sleep(10 * time.Second)
			lacks(t, k, "401 Unauthorized")
			b.was(t, 2, 1)
		})
	})
	t.Run("one that has expired on arrival is none", func(t *testing.T) {
		b := &bank{lifetime: -time.Second}
		kept(t, b, func(t *testing.T, k *Keeper) { lacks(t, k, "already expired") })
	})
}

func TestExpiryGoesByTheClockThatCanBeSetToo(t *testing.T) {
	now := time.Now()
	for name, test := range map[string]struct {
		expiry  time.Time
		expired bool
	}{
		"in a moment":              {now.Add(time.Second), false},
		"now":                      {now, true},
		"before now, by the wall":  {now.Round(0).Add(-time.Second), true},
		"in a moment, by the wall": {now.Round(0).Add(time.Second), false},
		"never":                    {time.Time{}, false},
	} {
		if (Token{Expiry: test.expiry}).expired(now) != test.expired {
			t.Errorf("%s: expired is not %t", name, test.expired)
		}
	}
}

func TestARefusedTokenIsFetchedAgain(t *testing.T) {
	b := &bank{}
	kept(t, b, func(t *testing.T, k *Keeper) {
		first := has(t, k, "t1")
		k.Refused(first)
		k.Refused(first)
		second := has(t, k, "t2")
		k.Refused(first) // by who used it for long
		k.Refused(Token{})
		k.Refused(Token{Answer: second.Answer})
		has(t, k, "t2")
		b.was(t, 2, 0)
	})
}

func TestTokensThatAreRefusedAgainAndAgainAreNotFetchedForEachCall(t *testing.T) {
	b := &bank{}
	kept(t, b, func(t *testing.T, k *Keeper) {
		for range 600 { // a call a second, for 10 minutes
			if token, err := k.Token(t.Context()); err == nil {
				k.Refused(token)
			} else if !strings.Contains(err.Error(), "gives tokens and then refuses them") || !strings.Contains(err.Error(), "does it last for 2m0s? If not, write lifetime") {
				t.Error(err)
			}
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if b.fetches > 10 || b.fetches < 5 {
			t.Errorf("fetched %d times in 10 minutes", b.fetches)
		}
		if len(b.reports) != 1 {
			t.Errorf("reported %q", b.reports)
		}
		time.Sleep(time.Hour)
		has(t, k, fmt.Sprintf("t%d", b.fetches+1)) // someone mended it
	})
}

func TestRejectedCredentialsAreTriedMoreAndMoreRarely(t *testing.T) {
	b := &bank{err: &Rejected{Status: 401, Code: "invalid_client"}}
	kept(t, b, func(t *testing.T, k *Keeper) {
		fetches := 0
		for _, seconds := range []int{30, 60, 120, 240, 480, 600, 600} {
			pause := time.Duration(seconds) * time.Second
			lacks(t, k, "invalid_client")
			fetches++
			time.Sleep(pause - time.Millisecond)
			lacks(t, k, "invalid_client") // at once
			if b.fetches != fetches {
				t.Fatalf("fetched %d times, want %d", b.fetches, fetches)
			}
			time.Sleep(time.Millisecond)
		}
		b.err = nil
		has(t, k, "t8")
	})
}

func TestOtherFailuresAreTriedAgainSoon(t *testing.T) {
	b := &bank{err: errors.New("502 Bad Gateway")}
	kept(t, b, func(t *testing.T, k *Keeper) {
		fetches := 0
		for _, seconds := range []int{1, 2, 4, 8, 16, 30, 30} {
			pause := time.Duration(seconds) * time.Second
			lacks(t, k, "502")
			fetches++
			time.Sleep(pause - time.Millisecond)
			lacks(t, k, "502")
			if b.fetches != fetches {
				t.Fatalf("fetched %d times, want %d", b.fetches, fetches)
			}
			time.Sleep(time.Millisecond)
		}
		b.err = nil
		has(t, k, "t8")
	})
}

func TestACRMThatSaysWhenToComeAgainIsObeyed(t *testing.T) {
	for name, test := range map[string]struct{ after, pause time.Duration }{
		"minutes":            {5 * time.Minute, 5 * time.Minute},
		"sooner than ours":   {time.Millisecond, time.Second},
		"later than an hour": {1000 * time.Hour, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			b := &bank{err: &Later{After: test.after, Err: errors.New("429")}}
			kept(t, b, func(t *testing.T, k *Keeper) {
				lacks(t, k, "429")
				b.err = nil
				time.Sleep(test.pause - time.Millisecond)
				lacks(t, k, "429")
				time.Sleep(time.Millisecond)
				has(t, k, "t2")
			})
		})
	}
}

func TestFailuresAreReportedRarely(t *testing.T) {
	t.Run("a rejection at once, and every ten minutes while it lasts", func(t *testing.T) {
		b := &bank{err: &Rejected{Status: 401}}
		kept(t, b, func(t *testing.T, k *Keeper) {
			lacks(t, k, "401")
			b.was(t, 1, 1)
			time.Sleep(8 * time.Minute) // until then it is tried twice more
			lacks(t, k, "401")
			b.was(t, 2, 1)
			time.Sleep(2 * time.Minute)
			lacks(t, k, "401")
			b.was(t, 3, 2)
		})
	})
	t.Run("another failure when it comes twice", func(t *testing.T) {
		b := &bank{err: errors.New("502")}
		kept(t, b, func(t *testing.T, k *Keeper) {
			lacks(t, k, "502")
			b.was(t, 1, 0)
			time.Sleep(time.Second)
			lacks(t, k, "502")
			b.was(t, 2, 1)
			time.Sleep(time.Minute)
			lacks(t, k, "502")
			b.was(t, 3, 1)
		})
	})
	t.Run("again at once after it has worked", func(t *testing.T) {
		b := &bank{err: &Rejected{Status: 401}}
		kept(t, b, func(t *testing.T, k *Keeper) {
			lacks(t, k, "401")
			time.Sleep(30 * time.Second)
			b.err = nil
			k.Refused(has(t, k, "t2"))
			b.err = &Rejected{Status: 401}
			lacks(t, k, "401")
			b.was(t, 3, 2)
		})
	})
	t.Run("a refresh token that is not saved, although there is a token", func(t *testing.T) {
		b := &bank{err: &Unsaved{Err: errors.New("disk is full")}}
		kept(t, b, func(t *testing.T, k *Keeper) {
			k.Refused(has(t, k, "t1"))
			has(t, k, "t2")
			b.was(t, 2, 1)
			if !strings.Contains(b.reports[0], "disk is full") {
				t.Errorf("reported %q", b.reports)
			}
		})
	})
}

func TestAFetchHasAnEnd(t *testing.T) {
	t.Run("after its time", func(t *testing.T) {
		b := &bank{takes: time.Hour}
		kept(t, b, func(t *testing.T, k *Keeper) { lacks(t, k, "no token within 10s") })
	})
	t.Run("when the Keeper is closed", func(t *testing.T) {
		b := &bank{takes: time.Hour}
		kept(t, b, func(t *testing.T, k *Keeper) {
			go func() {
				synctest.Wait()
				k.Close()
			}()
			if _, err := k.Token(t.Context()); !errors.Is(err, ErrClosed) {
				t.Errorf("got %v", err)
			}
			lacks(t, k, "has ended")
			b.was(t, 1, 0)
		})
	})
	t.Run("and a Keeper that is closed still gives what it has", func(t *testing.T) {
		b := &bank{lifetime: time.Hour}
		kept(t, b, func(t *testing.T, k *Keeper) {
			has(t, k, "t1")
			k.Close()
			time.Sleep(59*time.Minute + 30*time.Second)
			has(t, k, "t1")
			time.Sleep(30 * time.Second)
			lacks(t, k, "has ended")
			b.was(t, 1, 0)
		})
	})
	t.Run("when it panics", func(t *testing.T) {
		k := New(func(context.Context) (Token, error) { panic("oh") }, Options{})
		defer k.Close()
		lacks(t, k, "a bug in the program")
	})
}

func TestATokenIsNotPrinted(t *testing.T) {
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(format, Token{Answer: answered}); strings.Contains(text, "t0ken") {
			t.Errorf("%s prints %s", format, text)
		}
	}
}
