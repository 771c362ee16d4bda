package realcrm

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
)

// api is a CRM's, as its administrator uses it to put records there.
type api struct {
	t       *testing.T
	address string
	// authorize adds what lets a request in.
	authorize func(*http.Request)
}

// post sends JSON and returns the answer.
func (a api) post(path string, body any) (*http.Response, string) {
	a.t.Helper()
	encoded, err := json.Marshal(body)
	if err != nil {
		a.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(a.t.Context(), http.MethodPost, a.address+path, bytes.NewReader(encoded))
	if err != nil {
		a.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	if a.authorize != nil {
		a.authorize(request)
	}
	response, err := client.Do(request)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return response, strings.TrimSpace(string(content))
}

// basic lets a user in.
func basic(user, password string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(user, password) }
}

// answers reports whether a server answers at an address.
func answers(address string) bool {
	response, err := client.Get(address)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode < 500
}
