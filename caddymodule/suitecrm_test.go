package caddymodule

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
)

// suiteCRMReplay answers the preset with what SuiteCRM 7.14.6 was recorded to
// say. The recorded searches are over some of the preset's fields.
type suiteCRMReplay struct {
	*httptest.Server
	t *testing.T
	recording

	mu       sync.Mutex
	replayed []string
	ended    bool
}

func newSuiteCRMReplay(t *testing.T) *suiteCRMReplay {
	t.Helper()
	content, err := os.ReadFile("../internal/crm/testdata/suitecrm-7.14.6.json")
	if err != nil {
		t.Fatal(err)
	}
	s := &suiteCRMReplay{t: t}
	if err := json.Unmarshal(content, &s.recording); err != nil {
		t.Fatal(err)
	}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *suiteCRMReplay) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodPost:
		s.replay(w, s.login(r))
	case r.Header.Get("Authorization") == "":
		s.replay(w, "no token")
	case r.Header.Get("Authorization") != "Bearer THE-ACCESS-TOKEN", s.ends():
		s.replay(w, "bad token")
	default:
		s.replay(w, s.search(r))
	}
}

// login is the recorded token request that is the same.
func (s *suiteCRMReplay) login(r *http.Request) string {
	body, _ := io.ReadAll(r.Body)
	var asked any
	if err := json.Unmarshal(body, &asked); err != nil {
		s.t.Errorf("the token request is %s", body)
	}
	for _, e := range s.Exchanges {
		var recorded any
		if json.Unmarshal([]byte(e.Request.Body), &recorded) == nil && e.Request.Target == r.RequestURI &&
			e.Request.Headers["Content-Type"] == r.Header.Get("Content-Type") && reflect.DeepEqual(asked, recorded) {
			return e.Name
		}
	}
	s.t.Errorf("no token request was recorded that is %s %s", r.RequestURI, body)
	return "token refused"
}

// search is the recorded search all of whose conditions a request has. A search
// that was not recorded found nobody.
func (s *suiteCRMReplay) search(r *http.Request) string {
	asked := r.URL.Query()
	if r.Header.Get("Accept") != "application/vnd.api+json" {
		s.t.Errorf("accepted is %s", r.Header.Get("Accept"))
	}
	best, most := "no contact", 0
	for _, e := range s.Exchanges {
		path, query, _ := strings.Cut(e.Request.Target, "?")
		recorded, err := url.ParseQuery(query)
		if err != nil {
			s.t.Fatal(err)
		}
		maps.DeleteFunc(recorded, func(name string, _ []string) bool { return !strings.HasPrefix(name, "filter[") })
		same := func(name string) bool { return slices.Equal(recorded[name], asked[name]) }
		if path == r.URL.Path && len(recorded) > most && !slices.ContainsFunc(slices.Collect(maps.Keys(recorded)), func(name string) bool { return !same(name) }) {
			best, most = e.Name, len(recorded)
		}
	}
	return best
}

// ends reports whether the token has ended, which it does once.
func (s *suiteCRMReplay) ends() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	ended := s.ended
	s.ended = false
	return ended
}

func (s *suiteCRMReplay) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended, s.replayed = true, nil
}

func (s *suiteCRMReplay) replay(w http.ResponseWriter, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.replayed = append(s.replayed, name)
	s.write(s.t, w, name)
}

func (s *suiteCRMReplay) site(secret, options string) string {
	return indent(`screen_pop {
	origins ` + agentOrigin + `
	region FR
	deadline 5s
	cache off
	crm suitecrm ` + s.URL + ` {
		client_id THE-CLIENT-ID
		client_secret ` + secret + `
		` + options + `
	}
	on one popup {contact.url} {
		title "{contact.name} ({contact.kind}, {contact.company})"
	}
	on many popup https://many.example.com/
	on none popup https://none.example.com/
	on unreachable popup https://unreachable.example.com/
}`)
}

func TestSuiteCRMCallersOpenTheirRecords(t *testing.T) {
	s := newSuiteCRMReplay(t)
	g := serve(t, s.site("THE-CLIENT-SECRET", ""))
	for _, test := range []struct {
		name, caller, want string
		records            []string
	}{
		{"by a mobile number", "0610000003", `{"action":"popup","event":"EventRinging","url":"` + s.URL +
			`/index.php?module=Contacts&action=DetailView&record=6f88661d-5f2d-7ee7-e4d4-6b02d677cef8","title":"David Yilmaz (contact, Yilmaz SARL)"}`, []string{"contact"}},
		{"contacts", "+33123456789", `{"action":"popup","event":"EventRinging","url":"https://many.example.com/"}`, slices.Repeat([]string{"contact"}, 7)}, // whose companies have the number too
		{"leads", "06 12 34 56 78", `{"action":"popup","event":"EventRinging","url":"https://many.example.com/"}`, slices.Repeat([]string{"lead"}, 5)},
		{"nobody", "0987654321", `{"action":"popup","event":"EventRinging","url":"https://none.example.com/"}`, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			g.ring(test.caller).want(t, http.StatusOK, test.want)
			logged, _ := g.lastCall()["records"].([]any)
			var kinds []string
			for _, record := range logged {
				kind, _, _ := strings.Cut(record.(string), " ")
				kinds = append(kinds, kind)
			}
			if !slices.Equal(kinds, test.records) {
				t.Errorf("logged %v", logged)
			}
		})
	}
	for _, name := range []string{"token", "contacts: like with wildcards between the digits", "contacts: two fields or-ed", "no contact", "leads", "accounts"} {
		if !slices.Contains(s.replayed, name) {
			t.Errorf("the recorded exchange %q was not asked for", name)
		}
	}
}

func TestSuiteCRMsTokenIsRenewed(t *testing.T) {
	s := newSuiteCRMReplay(t)
	g := serve(t, s.site("THE-CLIENT-SECRET", "lookup account off\n\t\tlookup lead off"))
	for range 2 {
		if got := g.ring("0610000003"); !strings.HasSuffix(got.field("url").(string), "record=6f88661d-5f2d-7ee7-e4d4-6b02d677cef8") {
			t.Errorf("answered %s", got.body)
		}
		s.end()
	}
	g.ring("0610000003")
	if want := []string{"bad token", "token", "contacts: two fields or-ed"}; !slices.Equal(s.replayed, want) {
		t.Errorf("replayed %q", s.replayed)
	}
}

func TestSuiteCRMFailuresAreNeverNotFound(t *testing.T) {
	s := newSuiteCRMReplay(t)
	t.Run("a wrong secret", func(t *testing.T) {
		serve(t, s.site("wrong", "")).unasked(t, "crm suitecrm", "invalid_client: Client authentication failed", "the client id or the client secret")
	})
}
