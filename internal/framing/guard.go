package framing

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// freshness is how long what a CRM said is believed; it is asked again behind
	// the callers' backs.
	freshness = 10 * time.Minute
	// failedFreshness is the same for one that could not be asked.
	failedFreshness = 30 * time.Second
	// patience is how long a CRM may take to say it.
	patience = 5 * time.Second
	// maxRedirects is how many are followed: to a login page, mostly.
	maxRedirects = 5
	// maxKnown bounds what is remembered. Pages of one CRM are few kinds.
	maxKnown = 200
)

// Guard knows which pages may be framed. It asks for a page like the one that
// is to be opened, once for all of its kind, without credentials.
type Guard struct {
	client *http.Client
	// Refused is told, once for a kind of pages, that they can't be framed, in
	// words for an administrator.
	refused func(error)

	life   context.Context
	end    context.CancelFunc
	asking sync.WaitGroup

	mu    sync.Mutex
	known map[string]*kind
}

// kind is what is known of a kind of pages.
type kind struct {
	// chain are the policies of the page and of what redirected to it.
	chain []Policy
	err   error
	asked time.Time
	// done is closed when the first answer is there; running is set while one is
	// under way.
	done    chan struct{}
	running bool
	said    bool
}

// New returns a Guard. refused is told, once for each kind of pages, why they
// can't be framed.
func New(transport http.RoundTripper, refused func(error)) *Guard {
	life, end := context.WithCancel(context.Background())
	return &Guard{
		client:  &http.Client{Transport: transport},
		refused: refused, life: life, end: end, known: map[string]*kind{},
	}
}

// Close ends what is being asked.
func (g *Guard) Close() {
	g.mu.Lock()
	g.end()
	g.mu.Unlock()
	g.asking.Wait()
	g.client.CloseIdleConnections()
}

// MayFrame reports whether a page may be framed by pages of all these origins.
// It waits for what the CRM says until the context ends. What is not known is
// not allowed.
func (g *Guard) MayFrame(ctx context.Context, address string, origins ...string) bool {
	page, err := url.Parse(address)
	if err != nil || page.Host == "" || page.Scheme != "https" && page.Scheme != "http" {
		return false
	}
	k := g.kind(page)
	select {
	case <-k.done:
	case <-ctx.Done():
		return false
	case <-g.life.Done():
		return false
	}
	g.mu.Lock()
	reason := k.reason(page, origins)
	tell := reason != nil && !k.said
	k.said = k.said || tell
	g.mu.Unlock()
	if tell {
		g.refused(reason)
	}
	return reason == nil
}

// reason is why pages may not be framed, and what an administrator could do.
func (k *kind) reason(page *url.URL, origins []string) error {
	if k.err != nil {
		return fmt.Errorf("%s could not be asked whether its pages may be framed (%w); they don't open in the pane until it can be. "+
			"If agents' browsers reach it and the gateway does not, and they may be framed: framed %[1]s", originOf(page), k.err)
	}
	for _, policy := range k.chain {
		switch {
		case slices.ContainsFunc(origins, policy.IsMixed):
			return fmt.Errorf("pages of %s are plain http (%s), which browsers don't show inside https; serve them by https", originOf(page), policy.origin)
		case !policy.Allows(origins...):
			return fmt.Errorf("pages of %s refuse to be framed; for them to open in the pane, the CRM would have to send for them: "+
				"Content-Security-Policy: frame-ancestors 'self' %s (and no X-Frame-Options); docs/framing.md tells how to do that without changing the CRM",
				originOf(page), strings.Join(origins, " "))
		}
	}
	return nil
}

// kind returns what is known of pages like this one, and asks if need be.
func (g *Guard) kind(page *url.URL) *kind {
	name := kindOf(page)
	g.mu.Lock()
	defer g.mu.Unlock()
	k, ok := g.known[name]
	if !ok {
		if len(g.known) >= maxKnown {
			clear(g.known)
		}
		k = &kind{done: make(chan struct{})}
		g.known[name] = k
	}
	if !k.running && time.Since(k.asked) > k.freshness() && g.life.Err() == nil {
		k.running = true
		g.asking.Go(func() { g.ask(page, k) })
	}
	return k
}

func (k *kind) freshness() time.Duration {
	if k.err != nil {
		return failedFreshness
	}
	return freshness
}

// kindOf is the same for pages that one part of a CRM serves. A page's id is
// mostly in its query, its fragment or the end of its path.
func kindOf(page *url.URL) string {
	directory, _, _ := strings.Cut(strings.TrimPrefix(page.Path, "/"), "/")
	return originOf(page) + "/" + directory
}

// ask notes what a page says.
func (g *Guard) ask(page *url.URL, k *kind) {
	chain, err := g.read(page)
	g.mu.Lock()
	defer g.mu.Unlock()
	first := k.asked.IsZero()
	if !first && ((err == nil) != (k.err == nil) || !reflect.DeepEqual(chain, k.chain)) {
		k.said = false // there is something else to tell
	}
	k.chain, k.err, k.asked, k.running = chain, err, time.Now(), false
	if first {
		close(k.done)
	}
}

// read asks for a page as a browser does that nobody has logged in with. It
// may be sent to a login page; where the way there refuses to be framed, so
// will the page that somebody gets who is logged in.
func (g *Guard) read(page *url.URL) ([]Policy, error) {
	ctx, cancel := context.WithTimeout(g.life, patience)
	defer cancel()
	plain := *page
	plain.Fragment = ""
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, plain.String(), nil)
	if err != nil {
		return nil, errors.New("its address can't be asked for")
	}
	request.Header.Set("User-Agent", "caddy-screenpop")
	request.Header.Set("Accept", "text/html")
	var chain []Policy
	client := *g.client
	client.CheckRedirect = func(next *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return errTooManyRedirects
		}
		chain = append(chain, PolicyOf(via[len(via)-1].URL, next.Response.Header))
		return nil
	}
	response, err := client.Do(request)
	switch {
	case errors.Is(err, errTooManyRedirects):
		return nil, errTooManyRedirects
	case ctx.Err() != nil:
		return nil, fmt.Errorf("no answer within %s", patience)
	case err != nil:
		return nil, errors.New("no connection") // the cause repeats the address
	}
	defer response.Body.Close()
	last := PolicyOf(response.Request.URL, response.Header)
	switch status := response.StatusCode; {
	case status >= http.StatusInternalServerError:
		return nil, fmt.Errorf("it answered %d", status)
	case status >= http.StatusBadRequest && last.IsSilent():
		return nil, fmt.Errorf("it answered %d to somebody who is not logged in, which says nothing of its other pages", status)
	}
	return append(chain, last), nil
}

var errTooManyRedirects = errors.New("too many redirects")
