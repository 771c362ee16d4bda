package crm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/screenpop/caddy-screenpop/internal/credential"
)

// entry is how a CRM lets requests in. The zero one adds nothing to them.
type entry struct {
	crm *REST
	// headers and query go with every request.
	headers, query []param
	// derivations are made of each request, for its signature.
	derivations []derivation
	// keeper has the token or session, if the CRM wants one; expired is what
	// says, besides the status 401, that it is no longer good.
	keeper  *credential.Keeper
	expired condition
	// refresher fetches the token, if it is one of OAuth 2.
	refresher *credential.OAuth2
	// hidden is the answer whose secrets are kept out of messages.
	hidden atomic.Pointer[string]
	// baseURL is where the API is according to the token.
	baseURL *text
	// rights are what the token or session may do.
	rights rights
	// report is told of credentials that are no longer accepted.
	report func(error)
	alarm  alarm
}

// signed is a request that is being signed.
type signed struct {
	method, path string
	derived      map[string]string
}

func (e *entry) close() {
	if e.keeper != nil {
		e.keeper.Close()
	}
}

// key returns what lets requests in, fetching it if need be.
func (e *entry) key(ctx context.Context) (credential.Token, error) {
	if e.keeper == nil {
		return credential.Token{}, nil
	}
	token, err := e.keeper.Token(ctx)
	e.hide(token)
	return token, err
}

// hide keeps a token out of messages. It may have been fetched for another
// configuration.
func (e *entry) hide(token credential.Token) {
	if token.Answer == "" {
		return
	}
	if hidden := e.hidden.Load(); hidden == nil || *hidden != token.Answer {
		e.crm.secrets.give(token.Answer)
		e.hidden.Store(&token.Answer)
	}
}

// resume goes on with a token that was fetched for another configuration of the
// same credentials.
func (e *entry) resume(state *credential.State) {
	if e.keeper != nil {
		e.keeper.Resume(state)
	}
	if e.refresher != nil {
		e.refresher.Resume(state)
	}
}

// isRefused reports whether an answer says that the request was not let in.
func (e *entry) isRefused(x *exchange) bool {
	return x.status == http.StatusUnauthorized || e.expired.holds(x)
}

// base returns the address below which requests are made.
func (e *entry) base(v values) (string, error) {
	if e.baseURL == nil {
		return e.crm.api, nil
	}
	rendered, err := e.baseURL.Render(v)
	if err != nil {
		return "", err
	}
	base, err := checkBase(rendered, e.baseURL.String())
	switch {
	case err != nil:
		return "", errors.New("the token answer does not say where the API is (base_url)")
	case strings.HasPrefix(base, "http://") && strings.HasPrefix(e.crm.api, "https://"):
		return "", errors.New("the token answer names an address without https (base_url)")
	}
	return base, nil
}

// letIn adds to a request to an address below base what the CRM wants to see.
// What a signature is made of is left in the values.
func (e *entry) letIn(request *http.Request, base string, v *values) error {
	if len(e.derivations) > 0 {
		path := strings.TrimPrefix(request.URL.EscapedPath(), pathOf(base))
		v.signed = &signed{method: request.Method, path: path, derived: map[string]string{}}
		for _, d := range e.derivations {
			derived, err := d.of(*v)
			if err != nil {
				return fmt.Errorf("derive %s: %w", d.name, err)
			}
			v.signed.derived[d.name] = derived
		}
	}
	if err := setHeaders(request, *v, e.headers); err != nil {
		return err
	}
	query, err := encode("query", e.query, *v)
	if err != nil {
		return err
	}
	if query != "" {
		request.URL.RawQuery = strings.TrimPrefix(request.URL.RawQuery+"&"+query, "&")
	}
	return nil
}

func pathOf(base string) string {
	parsed, err := url.Parse(base)
	if err != nil {
		return ""
	}
	return parsed.EscapedPath()
}

// lose reports that the CRM no longer accepts the credentials, or soon will not.
func (e *entry) lose(err error) {
	if e.report == nil {
		return
	}
	_, unsaved := errors.AsType[*credential.Unsaved](err)
	e.report(&Failure{CRM: e.crm.profile.Name, Problem: e.crm.describeEntry(err), Unsaved: unsaved})
}

// watch reports, for credentials that go with every request, when the CRM no
// longer accepts them, and notes when it does. A keeper does so by itself.
func (e *entry) watch(a *ask, x *exchange) {
	if e.keeper != nil {
		return
	}
	if !e.isRefused(x) {
		e.alarm.reset(a)
		return
	}
	if e.alarm.rings(a, time.Now()) {
		e.lose(&badStatus{x.status, x.reason(), ""})
	}
}

// complain is the failure of a request that the CRM refuses although the token
// or session is new.
func (e *entry) complain(a *ask, x *exchange, token string) error {
	said := fmt.Sprintf("%d %s%s", x.status, http.StatusText(x.status), behind(": ", x.reason()))
	err := failf("%s; the CRM does not accept the token or session that it has just given", said)
	if e.rights.isProved(token) {
		err = failf("%s; the CRM accepts the token or session, but not for this request: give its user or application the right to it", said)
	}
	if e.alarm.rings(a, time.Now()) {
		e.lose(err)
	}
	return err
}

// rights tell a token that has ended from one that may not do everything: a new
// one for each call would not help, and the CRM gives only so many.
type rights struct {
	mu sync.Mutex
	// proved is the token answer with which a request was let in last.
	proved string
	// denied are requests that were refused with a token that was new.
	denied map[*ask]denial
}

// denial is a new token that did not help, and when that was.
type denial struct {
	token string
	at    time.Time
}

// denialPause is the time in which a request that was refused with a new token
// does not ask for another. As long as others are let in, it never does.
const denialPause = 2 * time.Minute

func (r *rights) grant(a *ask, token string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.proved = token
	delete(r.denied, a)
}

func (r *rights) deny(a *ask, token string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.denied == nil {
		r.denied = map[*ask]denial{}
	}
	r.denied[a] = denial{token, time.Now()}
}

// lacks reports whether another token than this one would not help a request.
func (r *rights) lacks(a *ask, token string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	before, denied := r.denied[a]
	return denied && before.token == token && (r.proved == token || time.Since(before.at) < denialPause)
}

func (r *rights) isProved(token string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.proved == token
}

// alarm rings at once, and then again only after a while, or when the request
// that was refused had been answered in between. That another one is answered
// says nothing: some credentials may read contacts, and no companies.
type alarm struct {
	mu    sync.Mutex
	last  time.Time
	about *ask
}

// alarmPause is the time between two rings about the same trouble.
const alarmPause = 10 * time.Minute

func (a *alarm) rings(about *ask, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.last.IsZero() && now.Sub(a.last) < alarmPause {
		return false
	}
	a.last, a.about = now, about
	return true
}

func (a *alarm) reset(about *ask) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.about == about {
		a.last = time.Time{}
	}
}
