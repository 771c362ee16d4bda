package framing

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// crm is a CRM's web pages, without a network between.
type crm struct {
	mu     sync.Mutex
	seen   []*http.Request
	answer func(*http.Request) (*http.Response, error)
}

func (c *crm) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	c.seen = append(c.seen, r)
	answer := c.answer
	c.mu.Unlock()
	return answer(r)
}

func (c *crm) says(answer func(*http.Request) (*http.Response, error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = answer
}

func (c *crm) asked() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.seen)
}

// page answers with a status and headers.
func page(status int, headers ...string) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		for i := 0; i < len(headers); i += 2 {
			w.Header().Add(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		response := w.Result()
		response.Request = r
		return response, nil
	}
}

// told are the things that an administrator was told.
type told struct {
	mu    sync.Mutex
	texts []string
}

func (l *told) tell(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.texts = append(l.texts, err.Error())
}

func (l *told) want(t *testing.T, texts ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.texts) != len(texts) {
		t.Fatalf("told %q, want %q", l.texts, texts)
	}
	for i, text := range texts {
		if !strings.Contains(l.texts[i], text) {
			t.Errorf("told %q, want %q", l.texts[i], text)
		}
	}
}

const record = "https://crm.example.com/contacts/7?tab=calls#notes"

func guarded(c *crm) (*Guard, *told) {
	log := &told{}
	return New(c, log.tell), log
}

func wantFramed(t *testing.T, g *Guard, address string, want bool) {
	t.Helper()
	if got := g.MayFrame(t.Context(), address, agent, gateway); got != want {
		t.Errorf("%s may be framed: %t, want %t", address, got, want)
	}
}

func TestACRMIsAskedOnceForManyCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &crm{answer: page(http.StatusOK)}
		g, log := guarded(c)
		defer g.Close()
		var calls sync.WaitGroup
		for range 50 {
			calls.Go(func() { wantFramed(t, g, record, true) })
		}
		calls.Wait()
		wantFramed(t, g, "https://crm.example.com/contacts/8", true)
		if c.asked() != 1 {
			t.Errorf("asked %d times", c.asked())
		}
		log.want(t)
	})
}

func TestItIsAskedAsABrowserThatIsNotLoggedIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &crm{answer: page(http.StatusOK)}
		g, _ := guarded(c)
		defer g.Close()
		wantFramed(t, g, record, true)
		request := c.seen[0]
		if request.Method != http.MethodGet || request.URL.String() != "https://crm.example.com/contacts/7?tab=calls" || request.Header.Get("Accept") != "text/html" {
			t.Errorf("asked for %s %s %v", request.Method, request.URL, request.Header)
		}
		if request.Header.Get("Authorization") != "" || request.Header.Get("Cookie") != "" || request.Header.Get("Referer") != "" {
			t.Errorf("the request has credentials: %v", request.Header)
		}
	})
}

func TestEachPartOfACRMHasItsOwnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &crm{}
		c.says(func(r *http.Request) (*http.Response, error) {
			if strings.HasPrefix(r.URL.Path, "/admin/") {
				return page(http.StatusOK, xfo, "DENY")(r)
			}
			return page(http.StatusOK)(r)
		})
		g, _ := guarded(c)
		defer g.Close()
		wantFramed(t, g, record, true)
		wantFramed(t, g, "https://crm.example.com/admin/7", false)
		wantFramed(t, g, "https://other.example.com/contacts/7", true)
		if c.asked() != 3 {
			t.Errorf("asked %d times", c.asked())
		}
	})
}

func TestWhatTheLoginPageSaysCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &crm{}
		c.says(func(r *http.Request) (*http.Response, error) {
			if r.URL.Path == "/login" {
				return page(http.StatusUnauthorized, xfo, "SAMEORIGIN")(r)
			}
			return page(http.StatusFound, "Location", "/login")(r)
		})
		g, log := guarded(c)
		defer g.Close()
		wantFramed(t, g, record, false)
		log.want(t, "pages of https://crm.example.com refuse to be framed")
	})
}

func TestTheAdministratorIsToldOnceWhatTheCRMWouldHaveToAllow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, log := guarded(&crm{answer: page(http.StatusOK, xfo, "DENY")})
		defer g.Close()
		for range 20 {
			wantFramed(t, g, record, false)
		}
		log.want(t, "Content-Security-Policy: frame-ancestors 'self' "+agent+" "+gateway+" (and no X-Frame-Options)")
	})
}

func TestAfterAWhileItIsAskedAgainBehindTheCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &crm{answer: page(http.StatusOK, xfo, "DENY")}
		g, log := guarded(c)
		defer g.Close()
		wantFramed(t, g, record, false)
		c.says(page(http.StatusOK))
		time.Sleep(freshness)
		wantFramed(t, g, record, false)
		if c.asked() != 1 {
			t.Errorf("asked %d times while the answer was fresh", c.asked())
		}
		time.Sleep(time.Second)
		wantFramed(t, g, record, false) // it does not wait for the new answer
		synctest.Wait()
		wantFramed(t, g, record, true)

		c.says(page(http.StatusOK, csp, "frame-ancestors 'self'"))
		time.Sleep(freshness + time.Second)
		wantFramed(t, g, record, true)
		synctest.Wait()
		wantFramed(t, g, record, false)
		log.want(t, "refuse to be framed", "refuse to be framed")
	})
}

func TestWhatIsNotKnownIsNotFramed(t *testing.T) {
	for why, answer := range map[string]func(*http.Request) (*http.Response, error){
		"If agents' browsers reach it and the gateway does not, and they may be framed: framed https://crm.example.com": func(*http.Request) (*http.Response, error) {
			return nil, errors.New("dial tcp: refused")
		},
		"it answered 502":    page(http.StatusBadGateway),
		"too many redirects": page(http.StatusFound, "Location", "/again"),
	} {
		synctest.Test(t, func(t *testing.T) {
			c := &crm{answer: answer}
			g, log := guarded(c)
			defer g.Close()
			wantFramed(t, g, record, false)
			log.want(t, why)
			c.says(page(http.StatusOK))
			time.Sleep(failedFreshness + time.Second)
			wantFramed(t, g, record, false)
			synctest.Wait()
			wantFramed(t, g, record, true)
			log.want(t, why)
		})
	}
}

func TestACallDoesNotWaitForACRMThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &crm{answer: func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}}
		g, log := guarded(c)
		defer g.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 800*time.Millisecond)
		defer cancel()
		started := time.Now()
		if g.MayFrame(ctx, record, agent) || time.Since(started) > 800*time.Millisecond {
			t.Errorf("the answer took %s", time.Since(started))
		}
		log.want(t)
		wantFramed(t, g, record, false)
		log.want(t, "no answer within 5s")
	})
}

func TestAClosedGuardDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &crm{answer: page(http.StatusOK)}
		g, log := guarded(c)
		g.Close()
		wantFramed(t, g, record, false)
		if c.asked() != 0 {
			t.Error("it asked nevertheless")
		}
		log.want(t)
	})
}

func TestWhatIsNoWebPageIsNotFramed(t *testing.T) {
	c := &crm{answer: page(http.StatusOK)}
	g, _ := guarded(c)
	defer g.Close()
	for _, address := range []string{"", "javascript:alert(1)", "data:text/html,x", "/contacts/7", "https://", "://", "ftp://crm.example.com/"} {
		wantFramed(t, g, address, false)
	}
	if c.asked() != 0 {
		t.Error("it was asked for")
	}
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, _ := guarded(&crm{answer: page(http.StatusOK)})
		defer g.Close()
		for i := range 3 * maxKnown {
			wantFramed(t, g, "https://crm.example.com/"+strings.Repeat("a", i)+"/7", true)
		}
		if len(g.known) > maxKnown {
			t.Errorf("%d kinds are remembered", len(g.known))
		}
	})
}
