package credential

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

// patient is longer than any test takes: it only ends one that hangs.
const patient = 30 * time.Second

const (
	clientID     = "app"
	clientSecret = "s3cr3t+/=&é"
)

// asked is a token request as it arrived.
type asked struct {
	params url.Values
	header http.Header
	host   string
}

// endpoint is a real token endpoint. It enforces how the client identifies
// itself and how the request is written, and leaves the grant to the test.
type endpoint struct {
	*httptest.Server

	inHeader, inJSON bool
	grant            func(url.Values) (int, string)

	mutex    sync.Mutex
	requests []asked
}

// serve starts an endpoint that a test can still set up.
func serve(t testing.TB, grant func(url.Values) (int, string)) *endpoint {
	t.Helper()
	e := &endpoint{grant: grant}
	e.Server = httptest.NewServer(e)
	t.Cleanup(e.Close)
	return e
}

// gives is a grant that always is given.
func gives(answer string) func(url.Values) (int, string) {
	return func(url.Values) (int, string) { return http.StatusOK, answer }
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	params, err := e.params(r)
	if err != nil {
		http.Error(w, `{"error":"invalid_request"}`, http.StatusBadRequest)
		return
	}
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.requests = append(e.requests, asked{params, r.Header, r.Host})
	status, answer := http.StatusUnauthorized, `{"error":"invalid_client","error_description":"Unknown client"}`
	if e.identified(r, params) {
		status, answer = e.grant(params)
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(status)
	fmt.Fprint(w, answer)
}

// params reads a request that is written as the endpoint wants it.
func (e *endpoint) params(r *http.Request) (url.Values, error) {
	if r.Method != http.MethodPost || r.Header.Get("Accept") != "application/json" {
		return nil, fmt.Errorf("%s", r.Method)
	}
	if !e.inJSON {
		if r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
			return nil, fmt.Errorf("no form")
		}
		return r.PostForm, r.ParseForm()
	}
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Header.Get("Content-Type") != "application/json" || !json.Valid(body) {
		return nil, fmt.Errorf("no JSON: %w", err)
	}
	params := url.Values{}
	for name, value := range gjson.ParseBytes(body).Map() {
		for _, one := range value.Array() {
			params.Add(name, one.String())
		}
	}
	return params, nil
}

func (e *endpoint) identified(r *http.Request, params url.Values) bool {
	if !e.inHeader {
		return params.Get("client_id") == clientID && params.Get("client_secret") == clientSecret
	}
	user, password, ok := r.BasicAuth()
	return ok && !params.Has("client_id") && !params.Has("client_secret") &&
		user == clientID && password == url.QueryEscape(clientSecret)
}

func (e *endpoint) asked() []asked {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	return slices.Clone(e.requests)
}

// client is who may ask an endpoint.
func (e *endpoint) client(change func(*OAuth2)) *OAuth2 {
	o := &OAuth2{TokenURL: e.URL + "/oauth/token", ClientID: clientID, ClientSecret: clientSecret, Client: e.Client()}
	if change != nil {
		change(o)
	}
	return o
}

// fetch asks for a token with a context that ends.
func fetch(t testing.TB, o *OAuth2) (Token, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	return o.Fetch(ctx)
}

// member is what a placeholder {token.<path>} would be.
func (t Token) member(path string) string { return gjson.Get(t.Answer, path).String() }

// says checks an error's words, and that it repeats nothing that is secret.
func says(t testing.TB, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("no error; want %q", words)
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%q does not say %q", err, word)
		}
	}
	for _, secret := range []string{clientSecret, url.QueryEscape(clientSecret), "s3cr3t", "passw0rd", "first-refresh", "second-refresh", "BEGIN"} {
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%q repeats a secret", err)
		}
	}
}
