package crm

import (
	"cmp"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/screenpop/caddy-screenpop/internal/protect"
)

// Witness sees every exchange of a [REST], for the person who sets it up.
// Credentials are masked; numbers are not.
type Witness struct {
	mu        sync.Mutex
	exchanges []witnessed
	dropped   []Record
}

// witnessed is an exchange with what must be hidden in it: that is known only
// once a login is over.
type witnessed struct {
	Exchange

	crm    *REST
	signed *signed
}

// Exchange is one request with its answer, as it was made.
type Exchange struct {
	// Lookup is the kind of record that was looked for, or "login".
	Lookup      string
	Method, URL string
	Header      http.Header
	Body        string
	// Status is 0 when there was no answer.
	Status int
	Took   time.Duration
	// Answer is its body; of an XML answer, what it is read as.
	Answer string
	// Err is why there was none.
	Err error
}

// Watch lets a witness see what is asked from now on.
func (r *REST) Watch(w *Witness) { r.witness.Store(w) }

// Exchanges returns what was seen so far, in the order of the answers.
func (w *Witness) Exchanges() []Exchange {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []Exchange
	for _, seen := range w.exchanges {
		list = append(list, seen.masked())
	}
	return list
}

// masked is the exchange without credentials.
func (w witnessed) masked() Exchange {
	hide := w.crm.secrets.hide
	if w.signed != nil {
		own := hideAll(slices.Collect(maps.Values(w.signed.derived)))
		hide = func(text string) string { return w.crm.secrets.hide(own.Replace(text)) }
	}
	e := w.Exchange
	e.URL, e.Body, e.Answer, e.Header = hide(e.URL), hide(e.Body), hide(e.Answer), http.Header{}
	for name, list := range w.Header {
		for _, value := range list {
			e.Header.Add(name, hide(value))
		}
	}
	return e
}

// Dropped returns the records that were not the caller's.
func (w *Witness) Dropped() []Record {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.dropped
}

// see notes an exchange.
func (w *Witness) see(r *REST, v values, request *http.Request, x *exchange, err error) {
	if w == nil {
		return
	}
	seen := witnessed{Exchange{
		Lookup: cmp.Or(v.lookup, "login"), Method: request.Method, URL: request.URL.String(), Header: request.Header.Clone(),
		Status: x.status, Took: x.took, Answer: x.body,
	}, r, v.signed}
	if request.GetBody != nil {
		if body, bodyErr := request.GetBody(); bodyErr == nil {
			text, _ := io.ReadAll(body) // from memory
			seen.Body = string(text)
		}
	}
	if err != nil {
		seen.Err = failf("%s", r.describe(err))
	}
	w.note(seen)
}

func (w *Witness) note(seen witnessed) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.exchanges = append(w.exchanges, seen)
}

// drop notes a record that is not the caller's.
func (w *Witness) drop(record Record) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.dropped = append(w.dropped, record)
}

// token notes a request for an access token, whose bodies are all secret.
func (w *Witness) token(r *REST, request *http.Request, response *http.Response, took time.Duration, err error) {
	if w == nil {
		return
	}
	seen := witnessed{Exchange{Lookup: "token", Method: request.Method, URL: request.URL.String(), Took: took}, r, nil}
	if err != nil {
		seen.Err = failf("%s", r.describe(err))
	} else {
		seen.Status = response.StatusCode
	}
	w.note(seen)
}

// tokenTransport shows the witness the requests for access tokens.
type tokenTransport struct{ crm *REST }

func (t tokenTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	started := time.Now()
	response, err := t.crm.transport.RoundTrip(request.WithContext(protect.Exempt(request.Context())))
	t.crm.witness.Load().token(t.crm, request, response, time.Since(started), err)
	return response, err
}
