package caddymodule

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// faulty is a directive over a CRM that does something else than answering.
func faulty(url, options string) string {
	return indent(`screen_pop {
	origins ` + agentOrigin + `
	region FR
	deadline 300ms
	crm rest ` + url + ` {
		name faulty
		lookup contact {
			GET /search
			query phone {number}
			records items
			phones {record.phone}
			url https://crm.example.com/contacts/{record.id}
		}
	}
	on unreachable popup https://unreachable.example.com/
	` + options + `
}`)
}

// unhurried is a site whose calls have the time for what comes at once on a
// machine that is not busy.
func unhurried(site string) string { return strings.Replace(site, "deadline 300ms", "deadline 20s", 1) }

// silent accepts connections and never says a word, until the test ends.
func silent(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var open sync.WaitGroup
	var connections []net.Conn
	open.Go(func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			connections = append(connections, connection)
		}
	})
	t.Cleanup(func() {
		listener.Close()
		open.Wait()
		for _, connection := range connections {
			connection.Close()
		}
	})
	return "http://" + listener.Addr().String()
}

// The CRM answers only when the test is over: an answer at all is one that did
// not wait for it.
func TestACRMThatHangsDoesNotHoldUpTheAnswer(t *testing.T) {
	serve(t, faulty(silent(t), "")).unasked(t, "no answer within the deadline of 300ms", "slow or hangs")
}

func TestACRMThatStopsInMidAnswerDoesNotHoldUpTheAnswer(t *testing.T) {
	over := make(chan struct{})
	crm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"items":[`))
		w.(http.Flusher).Flush()
		<-over
	}))
	t.Cleanup(func() { close(over); crm.Close() })
	serve(t, faulty(crm.URL, "")).unasked(t, "no answer within the deadline of 300ms")
}

func TestATimeoutOfOneRequestIsTold(t *testing.T) {
	site := strings.Replace(faulty(silent(t), ""), "name faulty", "name faulty\n\t\ttimeout 100ms", 1)
	serve(t, site).unasked(t, "no answer within 100ms (timeout)")
}

func TestEveryFaultOfACRMIsUnreachableAndSaysWhatToMend(t *testing.T) {
	for _, test := range []struct {
		name string
		crm  http.HandlerFunc
		want string
	}{
		{"down", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }, "503 Service Unavailable; the CRM itself failed"},
		{"a page", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>log in</html>")) }, "the answer is text/html, not JSON; is the url right?"},
		{"nothing with 200, as Caddy does for a foreign host", func(http.ResponseWriter, *http.Request) {}, "the answer is empty, not JSON"},
		{"another document", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"error":"license expired"}`)) }, `nothing at "items"`},
		{"a redirect to its log-in", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) }, "the CRM redirects"},
		{"rate limited", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }, "limits how often"},
		{"a wrong path", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, "miss status 404"},
		{"hangs up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "broke off"},
	} {
		t.Run(test.name, func(t *testing.T) {
			crm := httptest.NewServer(test.crm)
			t.Cleanup(crm.Close)
			serve(t, unhurried(faulty(crm.URL, ""))).unasked(t, test.want)
		})
	}
	t.Run("not running", func(t *testing.T) {
		serve(t, unhurried(faulty("http://"+freeAddress(t), ""))).unasked(t, "can't connect to http://127.0.0.1:", "connection refused", "is the url right")
	})
	t.Run("an untrusted certificate", func(t *testing.T) {
		crm := httptest.NewTLSServer(http.NotFoundHandler())
		t.Cleanup(crm.Close)
		serve(t, unhurried(faulty(crm.URL, ""))).unasked(t, "certificate", "tls_trust_pool")
	})
}

func TestTheTransportOfReverseProxyConfiguresTrust(t *testing.T) {
	crm := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"items":[{"id":"7","phone":"0427466347"}]}`))
	}))
	t.Cleanup(crm.Close)
	site := strings.Replace(unhurried(faulty(crm.URL, "")), "name faulty", "name faulty\n\t\ttransport http {\n\t\t\ttls_insecure_skip_verify\n\t\t}", 1)
	if got := serve(t, site).ring("0427466347"); got.field("url") != "https://crm.example.com/contacts/7" {
		t.Errorf("answered %s", got.body)
	}
}

func TestABrowserThatGoesAwayIsNoFaultAndTheNextOneProfits(t *testing.T) {
	asked, release := make(chan struct{}, 10), make(chan struct{})
	crm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked <- struct{}{}
		<-release
		_, _ = w.Write([]byte(`{"items":[{"id":"7","phone":"0427466347"}]}`))
	}))
	t.Cleanup(crm.Close)
	g := serve(t, strings.Replace(faulty(crm.URL, ""), "deadline 300ms", "deadline 1m", 1))
	ctx, goAway := context.WithCancel(t.Context())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+g.address+"/", strings.NewReader(payload(nil)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	go func() { <-asked; goAway() }()
	if response, err := client.Do(request); err == nil {
		response.Body.Close()
		t.Error("the browser got an answer after all")
	}
	if line := g.lastCall(); line["level"] != "info" || !strings.Contains(line["msg"].(string), "went away") {
		t.Errorf("logged %v", line)
	}
	close(release)
	if got := g.ring("0427466347"); got.field("url") != "https://crm.example.com/contacts/7" || len(asked) != 0 {
		t.Errorf("answered %s after %d more requests", got.body, len(asked))
	}
}

// Where phones names the wrong field, nobody is ever found: that must not look
// like a CRM that knows nobody.
func TestRecordsOfWhichNoneHasANumberAreWarnedOf(t *testing.T) {
	for name, test := range map[string]struct{ answer, level, says string }{
		"none has one":     {`{"items":[{"id":7,"tel":"0427466347"}]}`, "warn", "crm faulty: lookup contact: the CRM returned something, but no number is where phones says that they are"},
		"one has one":      {`{"items":[{"id":7,"phone":"0199000009"},{"id":8}]}`, "info", ""},
		"nothing returned": {`{"items":[]}`, "info", ""},
		"somebody found":   {`{"items":[{"id":7,"phone":"0427466347"},{"id":8}]}`, "info", ""},
	} {
		t.Run(name, func(t *testing.T) {
			crm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(test.answer))
			}))
			t.Cleanup(crm.Close)
			g := serve(t, strings.Replace(faulty(crm.URL, ""), "deadline 300ms", "deadline 5s", 1))
			g.ring("0427466347")
			line := g.lastCall()
			said, _ := line["error"].(string)
			if line["level"] != test.level || line["outcome"] == "unreachable" || (said != "") != (test.says != "") || strings.Count(said, "no number is where") > 1 || !strings.Contains(said, test.says) {
				t.Errorf("logged %v", line)
			}
		})
	}
}

func TestManyAgentsAtOnceGetTheirAnswers(t *testing.T) {
	g := serve(t, newPhonebook(t).site(""))
	var ringing sync.WaitGroup
	for i := range 64 {
		ringing.Go(func() {
			if i%2 == 1 {
				g.ring("0199000050").wantPage(t, g, "chooser")
				return
			}
			if got := g.ring("0427466347"); got.field("url") != "https://crm.example.com/contacts/7" {
				t.Errorf("answered %s", got.body)
			}
		})
	}
	ringing.Wait()
}
