package caddymodule

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// hostile is what a caller's phone, a dialplan or a browser may put anywhere.
var hostile = []string{
	`"`, `'`, `\`, `"}`, `'; drop table contacts; --`, `' or '1'='1`, `") or phone like ("`, `%`, `*`, `<script>alert(1)</script>`,
	`{call.user.token}`, `{number.e164}`, `{env.PATH}`, `{file./etc/passwd}`, `{contact.url}`, `{{.}}`, `${7*7}`, "a\r\nX-Evil: 1", "a\nb", "\x00", "\u202e",
	`javascript:alert(1)`, `https://evil.example.net/`, `//evil.example.net`, `../../admin`, `..`, `?a=b&c=d#e`, `&limit=9999`, `-rf`, `--config=/etc/passwd`, `; rm -rf /`, "`id`", `$(id)`,
	strings.Repeat("7", 500), strings.Repeat("é", 500), `+33` + strings.Repeat("4", 300), `sip:'; drop--@x`, `null`, `[]`, `{}`, `{"a":1}`,
}

// recorder is a CRM that keeps every request and knows nobody.
type recorder struct {
	*httptest.Server
	mu       sync.Mutex
	requests []recorded
}

type recorded struct {
	*http.Request
	body string
}

func newRecorder(t *testing.T) *recorder {
	r := &recorder{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, _ := io.ReadAll(request.Body)
		r.mu.Lock()
		r.requests = append(r.requests, recorded{request, string(body)})
		r.mu.Unlock()
		_, _ = w.Write([]byte(`[]`))
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *recorder) taken() []recorded {
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := r.requests
	r.requests = nil
	return taken
}

// Every place of a request that call data can be put into.
func everywhere(url string) string {
	return indent(`screen_pop {
	origins ` + agentOrigin + `
	region FR
	deadline 5s
	lookup_by {call.userData.USR_NUMBER} {call.caller}
	crm rest ` + url + ` {
		header X-Agent {call.user.fullName}
		lookup by_query {
			GET /query
			query number {number}
			query data {call.userData.USR_DATA}
			query mixed "data eq '{call.userData.USR_DATA}'"
			phones {record.phone}
		}
		lookup by_value {
			GET /value/{call.userData.USR_DATA}
			query data {call.userData.USR_DATA}
			phones {record.phone}
		}
		lookup by_json {
			POST /json
			json ` + "`" + `{"number":"{number.e164}","data":"{call.userData.USR_DATA}","bare":{call.userData.USR_DATA}}` + "`" + `
			phones {record.phone}
		}
		lookup by_form {
			POST /form
			form data {call.userData.USR_DATA}
			phones {record.phone}
		}
	}
	on none run "C:\erp.exe" {
		args --data {call.userData.USR_DATA} {call.caller}
		title "{call.userData.USR_DATA} {call.user.fullName}"
	}
	on unreachable popup https://pop.example.com/{call.userData.USR_DATA}?q={call.userData.USR_DATA}#{call.userData.USR_DATA}
}`)
}

func TestHostileDataReachesTheCRMAsDataOrNotAtAll(t *testing.T) {
	crm := newRecorder(t)
	g := serve(t, everywhere(crm.URL))
	for i, text := range hostile {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			got := g.post(payload(map[string]any{
				"caller":         text,
				"callee":         text,
				"callDataCallId": text,
				"user":           map[string]any{"userId": text, "agentId": text, "fullName": text, "token": agentToken},
				"queue":          map[string]any{"id": text, "name": text, "displayName": text},
				"userData":       map[string]any{"USR_NUMBER": "0427466347", "USR_DATA": text, text: text},
			}))
			if got.status != http.StatusOK || !json.Valid([]byte(got.body)) {
				t.Fatalf("answered %d %s", got.status, got.body)
			}
			for _, request := range crm.taken() {
				checkRequest(t, request, text)
			}
			checkAnswer(t, got, text)
		})
	}
}

// checkRequest makes sure that the text is one value, whole, and nothing else.
func checkRequest(t *testing.T, request recorded, text string) {
	t.Helper()
	query := request.URL.Query()
	if request.Header.Get("X-Evil") != "" || query.Has("limit") || query.Has("c") {
		t.Errorf("the text became part of the request: %s %v", request.RequestURI, request.Header)
	}
	switch {
	case request.URL.Path == "/query":
		if query.Get("data") != text || query.Get("mixed") != "data eq '"+text+"'" || len(query) != 3 {
			t.Errorf("query %q", query)
		}
		if strings.ContainsAny(text, `'"\*%(){}<>;&`) {
			t.Errorf("%q was sent inside a query language", text)
		}
	case strings.HasPrefix(request.URL.Path, "/value/"):
		if request.URL.Path != "/value/"+text || query.Get("data") != text || strings.Count(request.URL.EscapedPath(), "/") != 2 {
			t.Errorf("path %q query %q", request.URL.EscapedPath(), query)
		}
	case request.URL.Path == "/json":
		var document map[string]any
		if err := json.Unmarshal([]byte(request.body), &document); err != nil || len(document) != 3 || document["data"] != text || document["bare"] != text {
			t.Errorf("json %s (%v)", request.body, err)
		}
	case request.URL.Path == "/form":
		if form, err := url.ParseQuery(request.body); err != nil || len(form) != 1 || form.Get("data") != text {
			t.Errorf("form %q", request.body)
		}
	default:
		t.Errorf("the text led to another path: %s", request.RequestURI)
	}
}

// checkAnswer makes sure that the text decides neither what is opened nor run.
func checkAnswer(t *testing.T, got answer, text string) {
	t.Helper()
	switch got.field("action") {
	case "none":
	case "run":
		args, _ := got.field("executableArgs").([]any)
		if got.field("url") != `C:\erp.exe` || len(args) != 3 || args[0] != "--data" {
			t.Errorf("would run %s", got.body)
		}
		for _, arg := range args[1:] {
			if arg := arg.(string); strings.ContainsAny(arg, "\"'`;&|<>$(){}\\%*\n\r\x00") || strings.HasPrefix(arg, "-") || strings.HasPrefix(arg, "/") {
				t.Errorf("%q became the argument %q", text, arg)
			}
		}
	case "popup":
		address, err := url.Parse(got.field("url").(string))
		if err != nil || address.Scheme != "https" || address.Host != "pop.example.com" || address.Path != "/"+text || address.Query().Get("q") != text || address.Fragment != text {
			t.Errorf("%q became %s", text, got.body)
		}
	default:
		t.Errorf("answered %s", got.body)
	}
	if strings.Contains(got.body, agentToken) {
		t.Error("the answer holds the agent's token")
	}
}

// secrets that must not be found in any log line, at any level.
func secretsOf(caller string) []string {
	return []string{agentToken, agentToken[:20], "s3cret-api-key", "Tr0ub4dor", caller, strings.TrimPrefix(caller, "0"), "04 27 46", "04.27.46", "4%2027", "27 46 63", "0612345678", "612_345", "2,7,4,6", `"27","46"`, "*7*4*6*"}
}

func TestNoSecretTokenOrWholeNumberIsInAnyLog(t *testing.T) {
	t.Setenv("SCREENPOP_TEST_KEY", "s3cret-api-key")
	t.Setenv("SCREENPOP_TEST_PASSWORD", "Tr0ub4dor&3")
	for name, crm := range map[string]http.HandlerFunc{
		"found": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`[{"id":"7","name":"C","phone":"04 27 46 63 47"}]`))
		},
		"nobody": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`[]`)) },
		"keyed by number": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`[{"id":"0427466347","phone":"0427466347"}]`))
		},
		"keyed by another number": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`[{"id":"0612345678","phone":"0427466347"},{"id":"Camille-06_12_345_678","phone":"0427466347"}]`))
		},
		"echoes in odd notations": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"message":"0,4,2,7,4,6,6,3,4,7 \"04\",\"27\",\"46\",\"63\",\"47\" *4*2*7*4*6*6*3*4*7* %2B33%2D427%2D466%2D347"}`))
		},
		"redirects to the number": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://0427466347.example.com/", http.StatusFound)
		},
		"echoes everything in its error": func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.Header().Set("X-Status-Reason", "no match for "+r.RequestURI+" with "+fmt.Sprint(r.Header)+" +33 4 27 46 63 47 04.27.46.63.47")
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = w.Write(body)
		},
		"echoes in JSON": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]string{"message": "select * from c where phone like '" + r.URL.String() + "' key " + r.Header.Get("X-Key")}})
		},
		"redirects to itself": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://other.example.com"+r.RequestURI, http.StatusFound)
		},
		"hangs up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"speaks no HTTP": func(w http.ResponseWriter, r *http.Request) {
			connection, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				fmt.Fprintf(connection, "%s %s\r\n\r\n", r.RequestURI, r.Header.Get("X-Key"))
				connection.Close()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(crm)
			t.Cleanup(server.Close)
			g := serve(t, indent(`screen_pop {
	origins `+agentOrigin+`
	region FR
	deadline 5s
	crm rest `+server.URL+` {
		header X-Key {env.SCREENPOP_TEST_KEY}
		lookup contact {
			GET /search/{number.e164}
			query phone {number}
			query spaced {number.spaced}
			query password {env.SCREENPOP_TEST_PASSWORD}
			phones {record.phone}
			url https://crm.example.com/{record.id}?caller={number.e164}
		}
	}
	on none popup https://crm.example.com/new?phone={number.e164}
}`))
			number := "0427466347"
			g.post(payload(map[string]any{
				"caller": number, "callee": number, "callDataCallId": number,
				"queue": map[string]any{"name": "queue of " + number, "displayName": number}, "user": map[string]any{"agentId": number, "fullName": number, "token": agentToken},
			}))
			g.post(`{"caller":{"number":"` + number + `"},"user":{"token":"` + agentToken + `"}}`)
			g.post(`{"caller":"` + number + ` ` + number + `"}`)
			g.lastCall()
			log := g.log()
			for _, secret := range secretsOf(number) {
				if strings.Contains(log, secret) {
					t.Errorf("the log holds %q:\n%s", secret, log)
				}
			}
		})
	}
}

// A CRM that counts characters where it should count bytes sends more than it
// says, and Go's HTTP client tells the standard log.
func TestWhatACRMSendsBeyondItsAnswerIsNotLogged(t *testing.T) {
	heard, err := os.Create(filepath.Join(t.TempDir(), "standard.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer heard.Close()
	defer log.SetOutput(log.Writer())
	log.SetOutput(heard)
	crm := newSocketCRM(t, func(c net.Conn, r *http.Request, over <-chan struct{}) {
		fmt.Fprint(c, heading+"Content-Length: 12\r\n\r\n"+`{"items":[]}{"name":"Rosa Marin","phone":"+33427466347"}`)
		hanging(c, r, over)
	})
	withoutCache := site("cache off", crm.block("crm", ""))
	g := serve(t, withoutCache)
	for reloads := range 3 {
		g.ring(rosasCall).want(t, http.StatusOK, opened(isNobody))
		var said string
		eventually(t, "the log tells of it", func() bool {
			text, err := os.ReadFile(heard.Name())
			said = string(text)
			return err == nil && strings.Count(said, "Unsolicited response") > reloads
		})
		if strings.Contains(said, "Rosa Marin") || strings.Contains(said, "27466347") {
			t.Errorf("the log holds what the CRM sent: %s", said)
		}
		if err := g.load(withoutCache); err != nil {
			t.Fatal(err)
		}
		g.settle()
	}
}
