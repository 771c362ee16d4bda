package crm

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
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
	// baseURL is where the API is according to the token.
	baseURL *text
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
	return e.keeper.Token(ctx)
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

// letIn adds to a request what the CRM wants to see. What a signature is made
// of is left in the values.
func (e *entry) letIn(request *http.Request, path string, v *values) error {
	if len(e.derivations) > 0 {
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
