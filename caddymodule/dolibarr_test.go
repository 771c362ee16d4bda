package caddymodule

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

// recordedDolibarr replays the recorded exchanges with Dolibarr 16.0.3, byte
// for byte.
type recordedDolibarr struct {
	*httptest.Server
	t *testing.T
	recording

	mu       sync.Mutex
	replayed []string
}

func newRecordedDolibarr(t *testing.T) *recordedDolibarr {
	t.Helper()
	content, err := os.ReadFile("../internal/crm/testdata/dolibarr-16.0.3.json")
	if err != nil {
		t.Fatal(err)
	}
	d := &recordedDolibarr{t: t}
	if err := json.Unmarshal(content, &d.recording); err != nil {
		t.Fatal(err)
	}
	d.Server = httptest.NewServer(d)
	t.Cleanup(d.Close)
	return d
}

func (d *recordedDolibarr) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	key := r.Header.Get("DOLAPIKEY")
	switch {
	case key == "":
		d.replay(w, "no key")
		return
	case key != recordedKey:
		d.replay(w, "wrong key")
		return
	}
	for _, exchange := range d.Exchanges {
		if exchange.Request.Headers["DOLAPIKEY"] == recordedKey && exchange.Request.Method == r.Method && exchange.Request.Target == r.RequestURI {
			d.replay(w, exchange.Name)
			return
		}
	}
	d.search(w, r)
}

// search answers for a search over several columns with what was recorded for
// one of them: each was searched alone.
func (d *recordedDolibarr) search(w http.ResponseWriter, r *http.Request) {
	for criterion := range strings.SplitSeq(r.URL.Query().Get("sqlfilters"), " or ") {
		alone := r.URL.Path + "?sqlfilters=" + url.QueryEscape(strings.TrimSuffix(criterion, "%')")+"')") + "&"
		for _, exchange := range d.Exchanges {
			if strings.HasPrefix(exchange.Request.Target, alone) && exchange.Response.Status == http.StatusOK {
				d.replay(w, exchange.Name)
				return
			}
		}
	}
	switch r.URL.Path {
	case "/api/index.php/contacts":
		d.replay(w, "no contact")
	case "/api/index.php/thirdparties":
		dolibarrError(w, http.StatusNotFound, "Not Found: Thirdparties not found") // not recorded; the words are those of the source
	default:
		d.t.Errorf("%s was not recorded", r.RequestURI)
	}
}

func (d *recordedDolibarr) replay(w http.ResponseWriter, name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.replayed = append(d.replayed, name)
	d.write(d.t, w, name)
}

// site is a directive with the preset; options stand in its block.
func (d *recordedDolibarr) site(key, options string) string {
	return indent(`screen_pop {
	origins ` + agentOrigin + `
	region FR
	deadline 5s
	cache off
	crm dolibarr ` + d.URL + ` {
		api_key ` + key + `
		` + options + `
	}
	on one popup {contact.url} {
		title "{contact.name} ({contact.kind}, {contact.company})"
	}
	on many popup https://many.example.com/?count={contact.count}
	on none popup https://none.example.com/
	on unreachable popup https://unreachable.example.com/?crm={crm.name}
}`)
}

func TestDolibarrsCallersOpenTheirRecords(t *testing.T) {
	d := newRecordedDolibarr(t)
	g := serve(t, d.site(recordedKey, ""))
	for _, test := range []struct{ name, caller, want string }{
		{"one contact, by its mobile number", "0610000003", `{"action":"popup","event":"EventRinging","url":"` + d.URL + `/contact/card.php?id=4","title":"David Yilmaz (contact, Yilmaz SARL)"}`},
		{"three contacts, and their companies, which do not count", "+33 1 23 45 67 89", `{"action":"popup","event":"EventRinging","url":"https://many.example.com/?count=3"}`},
		{"nobody", "0987654321", `{"action":"popup","event":"EventRinging","url":"https://none.example.com/"}`},
	} {
		t.Run(test.name, func(t *testing.T) { g.ring(test.caller).want(t, http.StatusOK, test.want) })
	}
	for _, name := range []string{"contacts: one, by mobile", "contacts: like with wildcards between the digits", "third parties", "no contact"} {
		if !slices.Contains(d.replayed, name) {
			t.Errorf("the recorded exchange %q was not asked for", name)
		}
	}
}

func TestDolibarrsFailuresAreNeverNotFound(t *testing.T) {
	d := newRecordedDolibarr(t)
	t.Run("a wrong key", func(t *testing.T) {
		serve(t, d.site("wrong", "")).unasked(t, "crm dolibarr", "401 Unauthorized", "does not accept the credentials")
	})
	t.Run("an unknown column is a 503 with the query in it", func(t *testing.T) {
		g := serve(t, d.site(recordedKey, `lookup contact {
			GET /api/index.php/contacts
			query sqlfilters (t.phone_pro:=:'1')
			header X-Caller {number.last7}
		}`))
		g.unasked(t, "503 Service Unavailable: Service Unavailable: Error when retrieve contacts", "the CRM itself failed")
	})
}
