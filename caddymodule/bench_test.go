package caddymodule

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/screenpop/caddy-screenpop/internal/crm"
	"github.com/screenpop/caddy-screenpop/internal/pop"
	"github.com/screenpop/caddy-screenpop/internal/xucmgt"
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

// BenchmarkAnswer is what a call costs besides HTTP and the lookup: decoding it,
// reading its number, choosing its rule, and encoding the answer.
func BenchmarkAnswer(b *testing.B) {
	h := provisioned(b, newPhonebook(b).site(`
		on one popup {contact.url} {
			title "{contact.name}"
		}
		when queue support {
			on one open {contact.url}
		}
		when data USR_LEVEL gold {
			on one popup {contact.url}?vip
		}`))
	records := []crm.Record{{CRM: "phonebook", Kind: "contact", ID: "4711", Name: "Rosa Marin", URL: "https://crm.example.com/contacts/4711"}}
	body := []byte(`{"user":{"userId":4,"agentId":29,"firstName":"James","lastName":"Bond","fullName":"James Bond","token":"x"},` +
		`"callee":"1000","caller":"0427466347","userData":{"XIVO_CONTEXT":"default","XIVO_DSTNUM":"3000","XIVO_SRCNUM":"0427466347"},` +
		`"callDataCallId":"1469709757.74","queue":{"id":2,"name":"bluesky","displayName":"Blue sky","number":"3001"}}`)
	answer := func() {
		call, err := xucmgt.Decode(body)
		if err != nil {
			b.Fatal(err)
		}
		who := h.identify(call)
		t := h.begin(call, time.Time{}, who)
		t.situation.Outcome, t.situation.Records = pop.One, records
		chosen, err := h.rules.For(&t.situation.Call).Answer(&t.situation)
		if err != nil {
			b.Fatal(err)
		}
		if body, err := chosen.MarshalJSON(); err != nil || !bytes.Contains(body, []byte("4711")) {
			b.Fatalf("%s, %v", body, err)
		}
	}
	b.Run("a caller who rings at several agents", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			answer()
		}
	})
	b.Run("another caller each time", func(b *testing.B) {
		b.ReportAllocs()
		before, _, _ := bytes.Cut(body, []byte("0427466347"))
		caller := body[len(before):len(before)]
		for n := 0; b.Loop(); n++ {
			_ = fmt.Appendf(caller, "06%08d", 10_000_000+n%60_000_000) // in its place
			answer()
		}
	})
}

// provisioned is the handler of a site, without a server.
func provisioned(b testing.TB, site string) *Handler {
	b.Helper()
	file := filepath.Join(b.TempDir(), "Caddyfile")
	if err := os.WriteFile(file, []byte("http://localhost {\n"+site+"\n}\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	handlers, done, err := loadHandlers(file, "caddyfile")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(done)
	return handlers[0]
}
