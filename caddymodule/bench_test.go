package caddymodule

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// BenchmarkCall compares a call through the gateway with the request to the CRM
// that it causes, in one run: the difference is what the gateway adds.
func BenchmarkCall(b *testing.B) {
	book := newPhonebook(b)
	g := serve(b, book.site(""))
	keepAlive := &http.Client{}
	do := func(b *testing.B, request *http.Request) {
		response, err := keepAlive.Do(request)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			b.Fatal(response.Status)
		}
	}
	b.Run("the CRM alone", func(b *testing.B) {
		for b.Loop() {
			request, _ := http.NewRequest(http.MethodGet, book.URL+"/search?phone=427466347", nil)
			do(b, request)
		}
	})
	b.Run("through the gateway", func(b *testing.B) {
		body := payload(nil)
		for b.Loop() {
			request, _ := http.NewRequest(http.MethodPost, "http://"+g.address+"/", strings.NewReader(body))
			request.Header.Set("Content-Type", "application/json")
			do(b, request)
		}
	})
	b.Run("without asking the CRM", func(b *testing.B) {
		body := payload(map[string]any{"caller": "anonymous"})
		for b.Loop() {
			request, _ := http.NewRequest(http.MethodPost, "http://"+g.address+"/", strings.NewReader(body))
			request.Header.Set("Content-Type", "application/json")
			do(b, request)
		}
	})
}
