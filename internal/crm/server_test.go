package crm

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/screenpop/caddy-screenpop/internal/phone"
	"github.com/screenpop/caddy-screenpop/internal/xucmgt"
)

// callersNumber is who calls in these tests, unless a test says otherwise.
const callersNumber = "+33427466347"

// patient is longer than any test takes: it only ends one that hangs.
const patient = 30 * time.Second

// asked is a request as it arrived at the CRM.
type asked struct {
	method, target, host, body string
	header                     http.Header
}

// path is the target's path as it was sent, still encoded.
func (a asked) path() string {
	path, _, _ := strings.Cut(a.target, "?")
	return path
}

func (a asked) query() string {
	_, query, _ := strings.Cut(a.target, "?")
	return query
}

// pair is a parameter; a list of them keeps order and repetition.
type pair struct{ name, value string }

// pairs decodes a query or a form without losing its order.
func pairs(t testing.TB, encoded string) []pair {
	t.Helper()
	if encoded == "" {
		return nil
	}
	var list []pair
	for part := range strings.SplitSeq(encoded, "&") {
		name, value, _ := strings.Cut(part, "=")
		decodedName, err := url.QueryUnescape(name)
		if err != nil {
			t.Fatalf("%q: %v", part, err)
		}
		decodedValue, err := url.QueryUnescape(value)
		if err != nil {
			t.Fatalf("%q: %v", part, err)
		}
		list = append(list, pair{decodedName, decodedValue})
	}
	return list
}

// fakeCRM is a real HTTP server that remembers what it was asked.
type fakeCRM struct {
	*httptest.Server

	mutex    sync.Mutex
	requests []asked
}

func (f *fakeCRM) asked() []asked {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return f.requests
}

// only returns the one request that there must have been.
func (f *fakeCRM) only(t testing.TB) asked {
	t.Helper()
	requests := f.asked()
	if len(requests) != 1 {
		t.Fatalf("the CRM was asked %d times, want once: %+v", len(requests), requests)
	}
	return requests[0]
}

// targets lists what was asked for, in order.
func (f *fakeCRM) targets() []string {
	var targets []string
	for _, a := range f.asked() {
		targets = append(targets, a.target)
	}
	return targets
}

// unstarted returns a CRM that answers with the handler once it is started.
func unstarted(t testing.TB, answer http.HandlerFunc) *fakeCRM {
	t.Helper()
	f := &fakeCRM{}
	f.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the test ended the request
		}
		f.mutex.Lock()
		f.requests = append(f.requests, asked{r.Method, r.RequestURI, r.Host, string(body), r.Header.Clone()})
		f.mutex.Unlock()
		answer(w, r)
	}))
	f.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(f.Close)
	return f
}

func serve(t testing.TB, answer http.HandlerFunc) *fakeCRM {
	t.Helper()
	f := unstarted(t, answer)
	f.Start()
	return f
}

// answering says the same whatever is asked. Headers are name, value, ...
func answering(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// callers is an answer with one record that is the caller's.
const callers = `[{"id":"7","name":"Camille Moreau","phone":"04 27 46 63 47"}]`

// contactLookup is the least that a lookup needs, changed as a test wants.
func contactLookup(changes ...func(*Lookup)) Lookup {
	l := Lookup{
		Kind:   "contact",
		Search: Search{Ask: Ask{Path: "/contacts", Query: []Param{{"q", "{number.e164}"}}}},
		Phones: []string{"{record.phone}"},
	}
	for _, change := range changes {
		change(&l)
	}
	return l
}

// contacts is a CRM with one lookup.
func contacts(address string, changes ...func(*Lookup)) Definition {
	return Definition{Name: "legacy", URL: address, Lookups: []Lookup{contactLookup(changes...)}}
}

func compiled(t testing.TB, d Definition, options Options) *REST {
	t.Helper()
	if options.Timeout == 0 {
		options.Timeout = patient
	}
	if options.Transport == nil {
		transport := &http.Transport{}
		t.Cleanup(transport.CloseIdleConnections)
		options.Transport = transport
	}
	rest, err := Compile(d, options)
	if err != nil {
		t.Fatalf("compiling: %v", err)
	}
	return rest
}

func france(t testing.TB) phone.Region {
	t.Helper()
	region, err := phone.ParseRegion("FR")
	if err != nil {
		t.Fatal(err)
	}
	return region
}

// question asks who has a number, in France.
func question(t testing.TB, caller string) Query {
	t.Helper()
	region := france(t)
	number, err := region.Parse(caller)
	if err != nil {
		t.Fatalf("parsing %q: %v", caller, err)
	}
	return Query{Number: number, Region: region, Call: callWith(t, caller, nil)}
}

// callWith is a call as XucMgt posts it, with call data.
func callWith(t testing.TB, caller string, data map[string]string) xucmgt.Call {
	t.Helper()
	body, err := json.Marshal(map[string]any{
		"caller":   caller,
		"callee":   "1001",
		"user":     map[string]any{"userId": 4, "token": "the-agents-live-token"},
		"queue":    map[string]any{"name": "sales", "displayName": "Sales"},
		"userData": data,
	})
	if err != nil {
		t.Fatal(err)
	}
	call, err := xucmgt.Decode(body)
	if err != nil {
		t.Fatal(err)
	}
	return call
}

// searched compiles a definition and asks it who the usual caller is.
func searched(t testing.TB, d Definition) Result {
	t.Helper()
	return compiled(t, d, Options{}).Search(t.Context(), question(t, callersNumber))
}

// searchWith does so for a call that carries one datum, USR_X.
func searchWith(t testing.TB, d Definition, datum string) Result {
	t.Helper()
	query := question(t, callersNumber)
	query.Call = callWith(t, callersNumber, map[string]string{"USR_X": datum})
	return compiled(t, d, Options{}).Search(t.Context(), query)
}

// found returns the one record that there must be.
func found(t testing.TB, result Result) Record {
	t.Helper()
	if result.Err != nil {
		t.Fatalf("the search failed: %v", result.Err)
	}
	if len(result.Records) != 1 {
		t.Fatalf("found %d records, want one: %+v", len(result.Records), result.Records)
	}
	return result.Records[0]
}

// failure returns the words of the failure that there must be.
func failure(t testing.TB, result Result) string {
	t.Helper()
	if result.Err == nil {
		t.Fatalf("the search did not fail; it found %+v", result.Records)
	}
	return result.Err.Error()
}

// ids lists which records were found, in order.
func ids(result Result) []string {
	var list []string
	for _, record := range result.Records {
		list = append(list, record.ID)
	}
	return list
}

// hears fails unless a text holds all the parts.
func hears(t testing.TB, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q\nlacks %q", text, part)
		}
	}
}

// background is a context that outlives no test.
func background(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	t.Cleanup(cancel)
	return ctx
}
