package caddymodule

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/screenpop/caddy-screenpop/internal/protect"
)

// 64 agents ring and ring while the CRM hangs: each of their calls is answered
// as unreachable, the CRM is left alone, nothing piles up, and when it answers
// again so do we.
func TestAnOutageUnderLoadEndsWithTheOutage(t *testing.T) {
	const agents, calls = 64, 30
	crm := newSocketCRM(t, found)
	site := crm.site("200ms", "timeout 300ms\n\tprotect {\n\tbreaker 5 300ms\n}")
	g := serve(t, strings.Replace(site, "region FR", "region FR\n\tcache off", 1))
	g.ringUntilFound(t)

	crm.behave(hanging)
	before := crm.asked.Load()
	var callers atomic.Int64 // every call from another number: one lookup each
	outage := func() {
		var ringing sync.WaitGroup
		for range agents {
			ringing.Go(func() {
				for range calls {
					if got := g.ring(fmt.Sprintf("06%08d", callers.Add(1))); got.status != 200 || !strings.HasPrefix(fmt.Sprint(got.field("url")), "https://unreachable.example.com") {
						t.Errorf("answered %d %s", got.status, got.body)
					}
				}
			})
		}
		ringing.Wait()
	}
	outage()
	heap, goroutines := footprint()
	outage()
	laterHeap, laterGoroutines := footprint()
	if laterHeap > heap+8<<20 || laterGoroutines > goroutines+agents {
		t.Errorf("%d KiB and %d goroutines, and later %d KiB and %d", heap>>10, goroutines, laterHeap>>10, laterGoroutines)
	}
	if asked := crm.asked.Load() - before; asked > agents*calls {
		t.Errorf("%d calls asked the CRM that hangs %d times", 2*agents*calls, asked)
	} else {
		t.Logf("%d calls asked the CRM that hangs %d times; %d KiB, %d goroutines, and later %d KiB, %d", 2*agents*calls, asked, heap>>10, goroutines, laterHeap>>10, laterGoroutines)
	}
	if log := g.log(); !strings.Contains(log, "a CRM fails and is left alone") {
		t.Error("the log does not tell of the outage")
	}

	crm.behave(found)
	// An answer to a request from before its failures were counted ends nothing.
	eventually(t, "the log tells of its end", func() bool {
		g.ringUntilFound(t)
		return strings.Contains(g.log(), "a CRM answers again")
	})
	var ringing sync.WaitGroup
	for range agents {
		ringing.Go(func() { g.ringUntilFound(t) })
	}
	ringing.Wait()
}

func footprint() (heap uint64, goroutines int) {
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return memory.HeapInuse, runtime.NumGoroutine()
}

// A handshake goes on when its request has given up, so it needs an end of its
// own: here that of the configuration.
func TestNoFaultLeavesAnythingRunning(t *testing.T) {
	calm := func(site string) {
		g := serve(t, site)
		for range 3 {
			_ = g.ring("0199000001")
		}
		if err := caddy.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	calm(newPhonebook(t).site(""))
	sites := map[string]string{
		"hangs, and is asked twice": newSocketCRM(t, hanging).site("100ms", "protect {\n\thedge 50\n\tbreaker off\n}"),
		"is no web server":          newSocketCRM(t, repeatedly(strings.Repeat("x", 1<<16))).site("100ms", ""),
	}
	for _, fault := range everyFault() {
		sites[fault.name] = site("deadline 1s", fault.block(t, "timeout 200ms\n\t\tprotect {\n\t\t\tbreaker off\n\t\t}"))
	}
	for name, site := range sites {
		t.Run(name, func(t *testing.T) {
			calm(newPhonebook(t).site(""))
			before := settled(0)
			calm(site)
			if after := settled(before + 2); after > before+2 {
				stacks := make([]byte, 1<<20)
				t.Errorf("%d goroutines before, %d after:\n%s", before, after, stacks[:runtime.Stack(stacks, true)])
			}
		})
	}
}

// settled counts goroutines, once there are no more than wanted or they have
// had time to end. Go waits 5s for a name server that hangs, whatever becomes of
// the question.
func settled(wanted int) int {
	tries := 100
	if wanted > 0 {
		tries = 3000
	}
	count := runtime.NumGoroutine()
	for range tries {
		if count = runtime.NumGoroutine(); wanted > 0 && count <= wanted {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	return count
}

// 1,000 calls are under way when the configuration is replaced, and agents go on
// ringing meanwhile. Browsers make a request again whose connection was refused.
func TestAReloadLosesNoCall(t *testing.T) {
	const before, during = 1000, 200
	var waiting atomic.Int64
	answer := make(chan struct{})
	crm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		waiting.Add(1)
		<-answer
		phone := r.URL.Query().Get("phone")
		fmt.Fprintf(w, `{"items":[{"id":%q,"phone":%q}]}`, "c"+strings.Trim(phone, "+"), phone)
	}))
	t.Cleanup(crm.Close)
	site := func(page string) string {
		s := (&socketCRM{address: strings.TrimPrefix(crm.URL, "http://")}).site("1m", "timeout 1m\nlimit 1m\nprotect {\n\tconcurrent 2000\n}")
		return strings.Replace(s, "https://crm.example.com/contacts/", "https://crm.example.com/"+page+"/", 1)
	}
	g := serve(t, site("old"))
	var calls sync.WaitGroup
	var wrong atomic.Int64
	ring := func(i int) {
		caller := fmt.Sprintf("01990%05d", i)
		got := g.ringAgain(payload(map[string]any{"caller": caller}))
		address := fmt.Sprint(got.field("url"))
		if !strings.HasSuffix(address, "/c33"+caller[1:]) {
			wrong.Add(1)
			t.Errorf("caller %s: %d %s", caller, got.status, got.body)
		}
	}
	for i := range before {
		calls.Go(func() { ring(i) })
	}
	for waiting.Load() < before {
		time.Sleep(time.Millisecond)
	}
	loaded := make(chan error)
	go func() { loaded <- g.loadPatiently(site("new")) }()
	for i := range during {
		calls.Go(func() { ring(before + i) })
	}
	for waiting.Load() < before+during {
		time.Sleep(time.Millisecond)
	}
	close(answer)
	if err := <-loaded; err != nil {
		t.Fatal(err)
	}
	calls.Wait()
	if wrong.Load() == 0 {
		g.settle()
	}
	if got := g.ring("0199000000"); !strings.Contains(got.body, "/new/") {
		t.Errorf("after the reload: %s", got.body)
	}
}

// loadPatiently reloads with as much time for calls under way as Caddy gives
// them if nothing is configured.
func (g *gateway) loadPatiently(site string) error {
	return g.loadWith("grace_period 1m", site)
}

// ringAgain posts a call, again where no connection came about.
func (g *gateway) ringAgain(body string) answer {
	patient := &http.Client{Transport: client.Transport, Timeout: time.Minute}
	for {
		request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "http://"+g.address+"/", strings.NewReader(body))
		if err != nil {
			return answer{body: err.Error()}
		}
		request.Header.Set("Content-Type", "application/json")
		response, err := patient.Do(request)
		if err != nil {
			if isUnconnected(err) {
				continue
			}
			return answer{body: err.Error()}
		}
		content, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			return answer{status: response.StatusCode, body: err.Error()}
		}
		return answer{response.StatusCode, response.Header, string(content)}
	}
}

// isUnconnected reports whether nobody has read the request: the connection was
// refused, or reset while it was still in the queue of a listener that closed.
func isUnconnected(err error) bool {
	text := err.Error()
	return strings.Contains(text, "connection refused") || strings.Contains(text, "connection reset") || strings.HasSuffix(text, "EOF")
}

// countedCRM counts connections.
type countedCRM struct {
	*httptest.Server

	opened, asked atomic.Int64
	http2         atomic.Int64
	open          chan struct{}
}

// unverified is the option that accepts the certificate of a test's server.
const unverified = "transport http {\n\ttls_insecure_skip_verify\n}"

func newCountedCRM(t testing.TB, start func(*httptest.Server)) *countedCRM {
	t.Helper()
	crm := &countedCRM{open: make(chan struct{}, 10000)}
	crm.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		crm.asked.Add(1)
		if r.ProtoMajor == 2 {
			crm.http2.Add(1)
		}
		fmt.Fprintf(w, `{"items":[{"id":"7","phone":%q}]}`, r.URL.Query().Get("phone"))
	}))
	crm.Config.ErrorLog = log.New(io.Discard, "", 0)
	crm.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			crm.opened.Add(1)
			crm.open <- struct{}{}
		}
	}
	start(crm.Server)
	t.Cleanup(crm.Close)
	return crm
}

// transport is a new one that trusts the CRM.
func (c *countedCRM) transport() *http.Transport {
	return c.Client().Transport.(*http.Transport).Clone()
}

func (c *countedCRM) site(options string) string {
	s := (&socketCRM{address: strings.TrimPrefix(strings.TrimPrefix(c.URL, "https://"), "http://")}).site("20s", "timeout 20s\n"+options)
	if strings.HasPrefix(c.URL, "https://") {
		s = strings.Replace(s, "crm rest http://", "crm rest https://", 1)
	}
	return s
}

// load64 rings from 64 agents at once, round after round.
func (g *gateway) load64(rounds int) {
	var ringing sync.WaitGroup
	for agent := range 64 {
		ringing.Go(func() {
			for i := range rounds {
				caller := fmt.Sprintf("019%02d%05d", agent, i)
				if got := g.ring(caller); got.field("url") != "https://crm.example.com/contacts/7" {
					g.t.Errorf("caller %s: %s", caller, got.body)
				}
			}
		})
	}
	ringing.Wait()
}

func TestUnderLoadNoConnectionsAreOpenedAnew(t *testing.T) {
	for name, test := range map[string]struct {
		start   func(*httptest.Server)
		options string
		most    int64
	}{
		"HTTP/1":                {(*httptest.Server).Start, "", 2 * 16},
		"HTTP/1 with more room": {(*httptest.Server).Start, "protect {\n\tconcurrent 64\n}", 2 * 64},
		"HTTP/2": {func(s *httptest.Server) {
			s.EnableHTTP2 = true
			s.StartTLS()
		}, unverified, 1 + 16}, // those that were there before its handshake was over
	} {
		t.Run(name, func(t *testing.T) {
			crm := newCountedCRM(t, test.start)
			g := serve(t, crm.site(test.options))
			if strings.HasPrefix(crm.URL, "https:") {
				<-crm.open // the one that was opened ahead
			}
			g.load64(10)
			opened := crm.opened.Load()
			if opened > test.most {
				t.Errorf("%d connections for %d requests", opened, crm.asked.Load())
			}
			g.load64(10)
			if again := crm.opened.Load(); again > test.most {
				t.Errorf("%d connections, and under load again %d", opened, again)
			}
			if again := crm.opened.Load(); name == "HTTP/2" && again != opened {
				t.Errorf("%d connections, and under load again %d", opened, again)
			}
			if name == "HTTP/2" && crm.http2.Load() != crm.asked.Load() {
				t.Errorf("%d of %d requests with HTTP/2", crm.http2.Load(), crm.asked.Load())
			}
			t.Logf("%d connections for %d requests", crm.opened.Load(), crm.asked.Load())
		})
	}
}

func TestConnectionsAreOpenedAheadAndNothingIsSent(t *testing.T) {
	crm := newCountedCRM(t, (*httptest.Server).StartTLS)
	second := "\n\t\t\tlookup lead {\n\t\t\t\tGET /leads\n\t\t\t\tquery phone {number.e164}\n\t\t\t\trecords items\n\t\t\t\tphones {record.phone}\n\t\t\t\turl https://crm.example.com/contacts/{record.id}\n\t\t\t}\n"
	g := serve(t, strings.Replace(crm.site(unverified), "lookup contact", strings.TrimSpace(second)+"\n\t\t\tlookup contact", 1))
	<-crm.open
	<-crm.open
	if got := crm.asked.Load(); got != 0 {
		t.Errorf("%d requests before the first call", got)
	}
	_ = g.ring("0427466347")
	if got := crm.asked.Load(); got != 2 {
		t.Errorf("%d requests for two lookups", got)
	}
}

// countingTransport counts what it is asked for, and gives nothing.
type countingTransport struct{ asked atomic.Int64 }

func (c *countingTransport) RoundTrip(*http.Request) (*http.Response, error) {
	c.asked.Add(1)
	return nil, io.EOF
}

// A server with a process for each connection, as Request Tracker's own, waits
// there for minutes, and serves nobody else meanwhile.
func TestNoWorkerOfASmallServerIsHeldAhead(t *testing.T) {
	for address, want := range map[string]int64{"http://127.0.0.1:8080": 0, "https://crm.example.com": 4} {
		var transport countingTransport
		openAhead(t.Context(), &transport, address, 4)
		if got := transport.asked.Load(); got != want {
			t.Errorf("%d connections to %s, want %d", got, address, want)
		}
	}
}

// A CRM that bears one request at a time may have one worker.
func TestNoMoreIsOpenedAheadThanMayBeUsedAtOnce(t *testing.T) {
	for options, want := range map[string]int{"": 2, "protect off": 2, "protect {\n\tconcurrent 1\n}": 1} {
		site := newPhonebook(t).site("")
		from, to := strings.Index(site, "lookup contact"), strings.Index(site, "search_url")
		second := strings.Replace(site[from:to], "lookup contact", "lookup lead", 1)
		rest := provisioned(t, site[:from]+second+options+"\n"+site[from:]).engine.Connectors()[0].(*REST)
		if got := rest.warmer.most; got != want {
			t.Errorf("%q: %d connections, want %d", options, got, want)
		}
	}
}

// The connection is ready a moment after the server is trusted: a request in between
// opens another.
func TestTheFirstRequestUsesAConnectionThatWasOpenedAhead(t *testing.T) {
	crm := newCountedCRM(t, (*httptest.Server).StartTLS)
	for range 100 {
		transport := crm.transport()
		trusted := make(chan struct{}, 2)
		transport.TLSClientConfig.VerifyConnection = func(tls.ConnectionState) error {
			trusted <- struct{}{}
			return nil
		}
		openAhead(t.Context(), transport, crm.URL, 1)
		<-trusted
		wasReady := false
		trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) { wasReady = info.WasIdle }}
		request, err := http.NewRequestWithContext(httptrace.WithClientTrace(t.Context(), trace), http.MethodGet, crm.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := transport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		transport.CloseIdleConnections()
		if wasReady {
			return
		}
	}
	t.Error("it never does")
}

// A handshake goes on when its request has given up: without a limit of its own
// it would for ever.
func TestThePoolFitsTheProtection(t *testing.T) {
	for _, test := range []struct {
		state      *protect.State
		configured int
		want       int
	}{
		{protect.New(protect.Options{}), 0, 32},
		{protect.New(protect.Options{Concurrent: 100}), 0, 100},
		{protect.New(protect.Options{Concurrent: 100}), 8, 8},
		{nil, 0, 256},
	} {
		transport := &reverseproxy.HTTPTransport{KeepAlive: &reverseproxy.KeepAlive{MaxIdleConnsPerHost: test.configured}}
		if err := transport.Provision(caddy.Context{Context: t.Context()}); err != nil {
			t.Fatal(err)
		}
		pool(transport, test.state)
		if got := transport.Transport.MaxIdleConnsPerHost; got != test.want {
			t.Errorf("%d idle connections, want %d", got, test.want)
		}
		if transport.Transport.TLSHandshakeTimeout <= 0 {
			t.Error("a handshake has no limit")
		}
	}
}

func TestAConfigurationThatIsOnlyCheckedOpensNothing(t *testing.T) {
	crm := newCountedCRM(t, (*httptest.Server).Start)
	if err := validate(t, "http://localhost:1 {\n"+crm.site("")+"\n}"); err != nil {
		t.Fatal(err)
	}
	if got := crm.opened.Load(); got != 0 {
		t.Errorf("%d connections", got)
	}
}

// Both the start and the end of the configuration come although the connection
// never does.
func TestACRMThatHangsDelaysNeitherStartNorEnd(t *testing.T) {
	crm := newSocketCRM(t, hanging)
	g := serve(t, strings.Replace(crm.site("300ms", ""), "crm rest http://", "crm rest https://", 1))
	for crm.accepted.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	if err := g.load(newPhonebook(t).site("")); err != nil {
		t.Fatal(err)
	}
	g.settle()
	if got := g.ring("0427466347"); got.field("url") != "https://crm.example.com/contacts/7" {
		t.Errorf("answered %s", got.body)
	}
}

// A call may be faster than what opens connections ahead. Its connection is
// then not used for a request that nobody wants an answer to.
func TestOpeningAheadDoesNotUseACallsConnection(t *testing.T) {
	crm := newCountedCRM(t, (*httptest.Server).StartTLS)
	transport := crm.transport()
	t.Cleanup(transport.CloseIdleConnections)
	response, err := (&http.Client{Transport: transport}).Get(crm.URL)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, response.Body)
	response.Body.Close()
	openAhead(t.Context(), transport, crm.URL, 1)
	response, err = (&http.Client{Transport: transport}).Get(crm.URL)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if got := crm.asked.Load(); got != 2 {
		t.Errorf("%d requests", got)
	}
}
