package caddymodule

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// socketCRM is a CRM as seen from below HTTP: what it writes is up to the test.
type socketCRM struct {
	address string
	// accepted and asked count connections and requests.
	accepted, asked atomic.Int64
	behaviour       atomic.Pointer[behaviour]
	over            chan struct{}
}

// behaviour answers a request on its connection, and returns when the
// connection is to be closed. The channel is closed when the test is over.
type behaviour func(c net.Conn, request *http.Request, over <-chan struct{})

// found answers as a CRM should: with the person who has the number.
func found(c net.Conn, request *http.Request, _ <-chan struct{}) {
	body := fmt.Sprintf(`{"items":[{"id":"7","phone":%q}]}`, request.URL.Query().Get("phone"))
	fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

// written answers with a text, and hangs up.
func written(text string) behaviour {
	return func(c net.Conn, _ *http.Request, _ <-chan struct{}) { fmt.Fprint(c, text) }
}

// hanging reads the request and says nothing.
func hanging(c net.Conn, _ *http.Request, over <-chan struct{}) {
	gone := make(chan struct{})
	go func() { _, _ = c.Read(make([]byte, 1)); close(gone) }()
	select {
	case <-gone:
	case <-over:
		c.Close()
		<-gone
	}
}

func newSocketCRM(t testing.TB, first behaviour) *socketCRM {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	crm := &socketCRM{address: listener.Addr().String(), over: make(chan struct{})}
	crm.behave(first)
	var open sync.WaitGroup
	open.Go(func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			crm.accepted.Add(1)
			open.Go(func() { crm.serve(connection) })
		}
	})
	t.Cleanup(func() {
		close(crm.over)
		listener.Close()
		open.Wait()
	})
	return crm
}

func (s *socketCRM) behave(b behaviour) { s.behaviour.Store(&b) }

func (s *socketCRM) serve(c net.Conn) {
	ended := make(chan struct{})
	defer close(ended)
	defer c.Close()
	go func() { // a connection may never be used
		select {
		case <-s.over:
			c.Close()
		case <-ended:
		}
	}()
	request, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return
	}
	s.asked.Add(1)
	(*s.behaviour.Load())(c, request, s.over)
}

// site asks the CRM with the options, in a call that has the time.
func (s *socketCRM) site(deadline, options string) string {
	site := strings.Replace(faulty("http://"+s.address, ""), "deadline 300ms", "deadline "+deadline, 1)
	site = strings.Replace(site, "{number}", "{number.e164}", 1)
	return strings.Replace(site, "name faulty", "name faulty\n\t\t\t"+strings.ReplaceAll(options, "\n", "\n\t\t\t"), 1)
}

func repeatedly(text string) behaviour {
	return func(c net.Conn, _ *http.Request, over <-chan struct{}) {
		for {
			if _, err := fmt.Fprint(c, text); err != nil {
				return
			}
		}
	}
}

// dripping writes the beginning, and then little by little without an end: until
// whoever reads has had enough.
func dripping(begin, drop string) behaviour {
	return func(c net.Conn, _ *http.Request, over <-chan struct{}) {
		_, err := fmt.Fprint(c, begin)
		for err == nil {
			select {
			case <-time.After(5 * time.Millisecond):
				_, err = fmt.Fprint(c, drop)
			case <-over:
				return
			}
		}
	}
}

func reset(text string) behaviour {
	return func(c net.Conn, _ *http.Request, _ <-chan struct{}) {
		fmt.Fprint(c, text)
		_ = c.(*net.TCPConn).SetLinger(0)
	}
}

// limiting says that it was asked too often, with a further line of the heading.
func limiting(line func() string) behaviour {
	return func(c net.Conn, _ *http.Request, _ <-chan struct{}) {
		fmt.Fprintf(c, "HTTP/1.1 429 Too Many Requests\r\n%sConnection: close\r\nContent-Length: 0\r\n\r\n", line())
	}
}

const heading = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

// socketFault is a way to fail of a CRM that gets its requests.
type socketFault struct {
	name      string
	behaviour behaviour
	want      string
	tries     int64
}

var socketFaults = slices.Concat(brokenAnswers, limits)

var brokenAnswers = []socketFault{
	{"closes without a word", written(""), "broke off", 2},
	{"reset before the answer", reset(""), "broke off", 2},
	{"reset in the middle of the heading", reset("HTTP/1.1 200 OK\r\nContent-Ty"), "broke off", 2},
	{"reset in the middle of the body", reset(heading + "Content-Length: 100\r\n\r\n" + `{"items":[`), "the answer broke off", 2},
	{"slow heading", dripping("HTTP/1.1 200 OK\r\nX: ", "x"), "no answer within", 1},
	{"slow body", dripping(heading+"Content-Length: 1000000\r\n\r\n{", " "), "no answer within", 1},
	{"heading that stays away", hanging, "no answer within", 1},
	{"body that stays away", func(c net.Conn, r *http.Request, over <-chan struct{}) {
		fmt.Fprint(c, heading+"Content-Length: 100\r\n\r\n"+`{"items":`)
		hanging(c, r, over)
	}, "no answer within", 1},
	{"endless heading", func(c net.Conn, r *http.Request, over <-chan struct{}) {
		fmt.Fprint(c, "HTTP/1.1 200 OK\r\n")
		repeatedly("X: "+strings.Repeat("x", 1<<16)+"\r\n")(c, r, over)
	}, "broke off", 2},
	{"endless body", func(c net.Conn, r *http.Request, over <-chan struct{}) {
		fmt.Fprint(c, heading+"\r\n"+`{"items":[`)
		repeatedly(strings.Repeat(" ", 1<<16))(c, r, over)
	}, "the answer is larger than 4 MiB", 1},
	{"a length that is too long", written(heading + "Content-Length: 1000\r\n\r\n" + `{"items":[]}`), "the answer broke off: unexpected EOF", 2},
	{"a length that is too short", written(heading + "Content-Length: 5\r\n\r\n" + `{"items":[]}`), "not valid JSON", 1},
	{"a length that is none", written(heading + "Content-Length: many\r\n\r\n{}"), "broke off", 2},
	{"chunks that are none", written(heading + "Transfer-Encoding: chunked\r\n\r\nxyz\r\n{}"), "the answer broke off", 2},
	{"garbage", written("\x00\xff\x13 not HTTP \r\n\r\n"), "broke off", 2},
	{"failed", written("HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"), "500 Internal Server Error; the CRM itself failed", 1},
}

// limits are of a CRM that does not want to be asked for a while.
var limits = []socketFault{
	{"too often", written("HTTP/1.1 429 Too Many Requests\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"), "limits how often it may be asked", 1},
	{"too often, with a time", written("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 30\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"), "limits how often it may be asked", 1},
	{"too often, with a date", limiting(func() string {
		return "Retry-After: " + time.Now().Add(time.Hour).UTC().Format(http.TimeFormat) + "\r\n"
	}), "limits how often it may be asked", 1},
	{"too often, with a time that is none", limiting(func() string { return "Retry-After: soon\r\n" }), "limits how often it may be asked", 1},
	{"overloaded, with a time", written("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 30\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"), "503 Service Unavailable; the CRM itself failed", 1},
}

// No outcome is wrong, and each line of the log says what happened.
func TestEveryFaultOfAConnectionIsUnreachable(t *testing.T) {
	for _, fault := range socketFaults {
		t.Run(fault.name, func(t *testing.T) {
			crm := newSocketCRM(t, fault.behaviour)
			deadline := "300ms"
			if fault.name == "endless body" || fault.tries == 2 {
				deadline = "20s"
			}
			g := serve(t, crm.site(deadline, "timeout 10s"))
			g.unasked(t, "crm faulty: ", fault.want)
			if got := crm.asked.Load(); got != fault.tries {
				t.Errorf("it was asked %d times, want %d", got, fault.tries)
			}
			tries, _ := regexp.MatchString(`"tries":2`, g.log())
			if tries != (fault.tries == 2) {
				t.Errorf("the log tells of a second try: %t", tries)
			}
		})
	}
}

func TestAConnectionThatBrokeOnceIsNoFault(t *testing.T) {
	crm := newSocketCRM(t, nil)
	crm.behave(func(c net.Conn, r *http.Request, over <-chan struct{}) {
		crm.behave(found)
		reset(heading+"Content-Length: 100\r\n\r\n{")(c, r, over)
	})
	g := serve(t, crm.site("20s", ""))
	if got := g.ring("0427466347"); got.field("url") != "https://crm.example.com/contacts/7" {
		t.Errorf("answered %s", got.body)
	}
	if line := g.lastCall(); line["outcome"] != "one" || line["level"] != "info" {
		t.Errorf("logged %v", line)
	}
}

func TestACRMThatIsNotRunningIsLeftAloneUntilItRuns(t *testing.T) {
	address := freeAddress(t)
	crm := &socketCRM{address: address}
	g := serve(t, crm.site("20s", "protect {\n\tbreaker 2 50ms\n}"))
	g.unasked(t, "can't connect to http://"+address+" (connection refused)")
	g.unasked(t, "not asked: the CRM failed 2 times in a row and is left alone for 100ms; the last time: can't connect to http://"+address+" (connection refused); is the url right and the CRM running?")
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `{"items":[{"id":"7","phone":%q}]}`, r.URL.Query().Get("phone"))
	})}
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	t.Cleanup(func() { server.Close(); serving.Wait() })
	g.ringUntilFound(t)
	if log := g.log(); !strings.Contains(log, "a CRM fails and is left alone") || !strings.Contains(log, "a CRM answers again") {
		t.Errorf("the log does not tell:\n%s", log)
	}
}

// ringUntilFound rings until the caller is found, as agents do.
func (g *gateway) ringUntilFound(t *testing.T) {
	t.Helper()
	for range 3000 {
		if g.ring("0427466347").field("url") == "https://crm.example.com/contacts/7" {
			return
		}
	}
	t.Fatal("the caller is never found again")
}

func TestACRMThatLimitsIsNotAskedUntilItsTime(t *testing.T) {
	crm := newSocketCRM(t, written("HTTP/1.1 429 Too Many Requests\r\nRetry-After: 3600\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"))
	g := serve(t, crm.site("20s", ""))
	g.unasked(t, "429 Too Many Requests")
	crm.behave(found)
	g.unasked(t, "not asked: the CRM limits how often it may be asked, and wants to be left alone for another 1h0m0s")

	// A reload does not forget it, unless the CRM is another one or asked otherwise.
	if err := g.load(crm.site("21s", "")); err != nil {
		t.Fatal(err)
	}
	g.settle()
	g.unasked(t, "not asked: the CRM limits how often it may be asked")
	if got := crm.asked.Load(); got != 1 {
		t.Errorf("it was asked %d times", got)
	}
	if err := g.load(crm.site("20s", "protect {\n\tqueue 20\n}")); err != nil {
		t.Fatal(err)
	}
	g.settle()
	g.ringUntilFound(t)
}

// Meanwhile it is not, and nobody is called unknown.
func TestACRMThatLimitedIsAskedAgainWhenItsTimeHasCome(t *testing.T) {
	for name, line := range map[string]func() string{
		"in seconds": func() string { return "Retry-After: 2\r\n" },
		"by a date": func() string {
			return "Retry-After: " + time.Now().Add(3*time.Second).UTC().Format(http.TimeFormat) + "\r\n"
		},
		"by a date of a clock that is a day ahead": func() string {
			theirs := time.Now().UTC().Add(24 * time.Hour)
			return "Date: " + theirs.Format(http.TimeFormat) + "\r\nRetry-After: " + theirs.Add(2*time.Second).Format(http.TimeFormat) + "\r\n"
		},
		"without a time": func() string { return "" },
	} {
		t.Run(name, func(t *testing.T) {
			crm := newSocketCRM(t, limiting(line))
			g := serve(t, site("deadline 300ms", crm.block("crm", "")))
			g.ring(somebodysCall).want(t, http.StatusOK, opened(isUnreachable))
			crm.behave(directory)
			eventually(t, "it is asked again", func() bool {
				got := g.ring(somebodysCall)
				if got.body != opened(isUnreachable) {
					got.want(t, http.StatusOK, inDirectory("crm", somebodysCall))
				}
				return got.body != opened(isUnreachable)
			})
			if asked := crm.asked.Load(); asked != 2 {
				t.Errorf("it was asked %d times", asked)
			}
		})
	}
}

func TestTheRateAndTheQueueAreTold(t *testing.T) {
	crm := newSocketCRM(t, found)
	g := serve(t, crm.site("300ms", "protect {\n\trate 1 1h\n}"))
	_ = g.ring("0427466347")
	g.unasked(t, "not asked: more than 1 requests in 1h0m0s, and the next turn would come too late (protect rate)")

	crm.behave(hanging)
	if err := g.load(crm.site("300ms", "protect {\n\tconcurrent 1\n\tqueue 1\n\tbreaker off\n}")); err != nil {
		t.Fatal(err)
	}
	g.settle()
	var ringing sync.WaitGroup
	for range 8 {
		ringing.Go(func() {
			if got := g.ring("0199000001"); !strings.HasPrefix(fmt.Sprint(got.field("url")), "https://unreachable.example.com") {
				t.Errorf("answered %s", got.body)
			}
		})
	}
	ringing.Wait()
}
