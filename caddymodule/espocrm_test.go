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

// recording is a file of real exchanges with a running CRM.
type recording struct {
	Exchanges []struct {
		Name    string
		Request struct {
			Method, Target string
			Headers        map[string]string
			Body           string
		}
		Response struct {
			Status  int
			Headers map[string]string
			Body    string
		}
	}
}

// write answers with an exchange as it was recorded, byte for byte.
func (r recording) write(t *testing.T, w http.ResponseWriter, name string) {
	for _, exchange := range r.Exchanges {
		if exchange.Name != name {
			continue
		}
		for header, value := range exchange.Response.Headers {
			w.Header().Set(header, value)
		}
		w.WriteHeader(exchange.Response.Status)
		_, _ = w.Write([]byte(exchange.Response.Body))
		return
	}
	t.Errorf("there is no recorded exchange %q", name)
}

// espocrm replays the recorded exchanges with EspoCRM 9.2.7.
type espocrm struct {
	*httptest.Server
	t *testing.T
	recording
	// secondary is a number by which the search finds a record of another
	// primary number, as the recorded one has.
	secondary map[string]string

	mu       sync.Mutex
	replayed []string
}

const recordedKey = "THE-API-KEY"

func newEspoCRM(t *testing.T) *espocrm {
	t.Helper()
	content, err := os.ReadFile("../internal/crm/testdata/espocrm-9.2.7.json")
	if err != nil {
		t.Fatal(err)
	}
	e := &espocrm{t: t, secondary: map[string]string{"33699000002": "one contact: in numeric digits"}}
	if err := json.Unmarshal(content, &e.recording); err != nil {
		t.Fatal(err)
	}
	e.Server = httptest.NewServer(e)
	t.Cleanup(e.Close)
	return e
}

// comparable is a request's path and parameters in their order, without the
// number of records wanted, which differs between recordings.
func comparable(target string) string {
	path, query, _ := strings.Cut(target, "?")
	parameters := slices.DeleteFunc(strings.Split(query, "&"), func(p string) bool { return strings.HasPrefix(p, "maxSize=") })
	return path + "?" + strings.Join(parameters, "&")
}

func (e *espocrm) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Api-Key") != recordedKey {
		e.replay(w, "wrong key")
		return
	}
	for _, exchange := range e.Exchanges {
		if exchange.Request.Headers["X-Api-Key"] == recordedKey && exchange.Request.Method == r.Method &&
			comparable(exchange.Request.Target) == comparable(r.RequestURI) {
			e.replay(w, exchange.Name)
			return
		}
	}
	values := r.URL.Query()["where[0][value][]"]
	if r.URL.Query().Get("where[0][type]") == "endsWith" && digits(r.URL.Query().Get("where[0][value]")) != "" {
		e.replay(w, "no contact")
		return
	}
	for number, name := range e.secondary {
		if slices.Contains(values, number) && r.URL.Path == "/api/v1/Contact" {
			e.replay(w, name)
			return
		}
	}
	if len(values) == 3 && r.URL.Query().Get("where[0][type]") == "in" {
		e.replay(w, "no contact")
		return
	}
	w.Header().Set("X-Status-Reason", "not recorded")
	w.WriteHeader(http.StatusNotFound)
}

func (e *espocrm) replay(w http.ResponseWriter, name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.replayed = append(e.replayed, name)
	e.write(e.t, w, name)
}

// site is a directive with the espocrm preset.
func (e *espocrm) site(key, options string) string {
	return indent(`screen_pop {
	origins ` + agentOrigin + `
	region FR
	deadline 5s
	cache off
	crm espocrm ` + e.URL + ` {
		api_key ` + key + `
	}
	on one popup {contact.url} {
		title "{contact.name} ({contact.kind}, {contact.company})"
	}
	on many popup {crm.search_url}
	on none popup https://none.example.com/
	on unreachable popup https://unreachable.example.com/?crm={crm.name}
	` + options + `
}`)
}

func TestEspoCRMCallersOpenTheirRecords(t *testing.T) {
	e := newEspoCRM(t)
	g := serve(t, e.site(recordedKey, ""))
	rosa := `{"action":"popup","event":"EventRinging","url":"` + e.URL + `/#Contact/view/6b02d465ccd8602e1","title":"Rosa Schmidt (contact, Olsen & Jonas SARL)"}`
	for _, test := range []struct{ name, caller, want string }{
		{"one contact", "0199000001", rosa},
		{"the same in E.164", "+33199000001", rosa},
		{"the same from abroad", "0033199000001", rosa},
		{"by the contact's second number", "06 99 00 00 02", rosa},
		{"several contacts and accounts", "0123456789", `{"action":"popup","event":"EventRinging","url":"` + e.URL + `/#Contact"}`},
		{"nobody", "0987654321", `{"action":"popup","event":"EventRinging","url":"https://none.example.com/"}`},
	} {
		t.Run(test.name, func(t *testing.T) { g.ring(test.caller).want(t, http.StatusOK, test.want) })
	}
	for _, name := range []string{"one contact: in numeric digits", "many contacts: in numeric digits", "no contact", "accounts", "record with all its numbers"} {
		if !slices.Contains(e.replayed, name) {
			t.Errorf("the recorded exchange %q was not asked for", name)
		}
	}
	if slices.Contains(e.replayed, "wrong key") {
		t.Error("a request lacked the key")
	}
}

// A preset's lookup that a site writes again asks as recorded: here the lead
// search with the two spellings of the recording.
func TestEspoCRMLookupsCanBeOverridden(t *testing.T) {
	e := newEspoCRM(t)
	g := serve(t, strings.Replace(e.site(recordedKey, ""), "api_key "+recordedKey, "api_key "+recordedKey+`
			lookup lead {
				GET /Lead
				query where[0][type] in
				query where[0][attribute] phoneNumberNumeric
				query where[0][value][] {number.digits}
				query where[0][value][] {number.national}
				query select id,name,accountName,emailAddress,phoneNumber
				query maxSize 20
				records list
				phones {record.phoneNumber}
				url {crm.url}/#Lead/view/{record.id}
			}`, 1))
	g.ring("0612345678").want(t, http.StatusOK, `{"action":"popup","event":"EventRinging","url":"`+e.URL+`/#Contact"}`)
	line := g.lastCall()
	if records, _ := line["records"].([]any); len(records) != 4 || !strings.HasPrefix(records[0].(string), "lead ") {
		t.Errorf("logged %v", line["records"])
	}
}

// unasked checks that a call could not be looked up, that the answer says so
// and that the log tells what to mend.
func (g *gateway) unasked(t *testing.T, want ...string) {
	t.Helper()
	got := g.ring("0199000001")
	if address, err := url.Parse(got.field("url").(string)); err != nil || address.Host != "unreachable.example.com" {
		t.Errorf("answered %s", got.body)
	}
	line := g.lastCall()
	if line["outcome"] != "unreachable" || line["level"] != "error" {
		t.Errorf("logged %v", line)
	}
	for _, words := range want {
		if text, _ := line["error"].(string); !strings.Contains(text, words) {
			t.Errorf("the log says %q, without %q", line["error"], words)
		}
	}
}

func TestEspoCRMFailuresAreNeverNotFound(t *testing.T) {
	e := newEspoCRM(t)
	t.Run("a wrong key is a 401 with an empty body", func(t *testing.T) {
		serve(t, e.site("wrong", "")).unasked(t, "crm espocrm", "401 Unauthorized", "does not accept the credentials")
	})
	t.Run("an unknown attribute is a 400 with its reason in a header", func(t *testing.T) {
		g := serve(t, strings.Replace(e.site(recordedKey, ""), "api_key "+recordedKey, "api_key "+recordedKey+`
			lookup contact {
				GET /Contact
				query where[0][type] equals
				query where[0][attribute] nofield
				query where[0][value] 1
				header X-Caller {number.last7}
				query select id,name,accountName,emailAddress,phoneNumber
				query maxSize 5
				records list
				phones {record.phoneNumber}
			}`, 1))
		g.unasked(t, "400 Bad Request", "Not existing attribute 'nofield' in where.", "check the lookup")
	})
	t.Run("an entity without read access is a 403", func(t *testing.T) {
		g := serve(t, strings.Replace(e.site(recordedKey, ""), "api_key "+recordedKey, "api_key "+recordedKey+`
			lookup opportunity {
				GET /Opportunity
				query maxSize 1
				header X-Caller {number.last7}
				records list
				phones {record.phoneNumber}
			}`, 1))
		got := g.ring("0987654321")
		if got.field("url") != "https://unreachable.example.com/?crm=espocrm" {
			t.Errorf("answered %s", got.body)
		}
		if line := g.lastCall(); !strings.Contains(line["error"].(string), "403 Forbidden: No read access.") {
			t.Errorf("logged %v", line["error"])
		}
		// A caller who is known elsewhere is opened all the same, with a warning.
		if got := g.ring("0199000001"); !strings.HasSuffix(got.field("url").(string), "/#Contact/view/6b02d465ccd8602e1") {
			t.Errorf("answered %s", got.body)
		}
	})
}
