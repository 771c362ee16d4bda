package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// register is a CRM that counts, holds answers back, and fails when it is told to.
type register struct {
	*httptest.Server

	asked atomic.Int32
	down  atomic.Bool
	// name is that of whoever has the number; "" for nobody.
	name atomic.Pointer[string]
	// held is closed when answers may leave.
	held atomic.Pointer[chan struct{}]
}

func newRegister(t testing.TB, name string) *register {
	t.Helper()
	c := &register{}
	c.name.Store(&name)
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *register) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.asked.Add(1)
	if held := c.held.Load(); held != nil {
		select {
		case <-*held:
		case <-r.Context().Done():
		}
	}
	name := *c.name.Load()
	switch {
	case c.down.Load():
		w.WriteHeader(http.StatusServiceUnavailable)
	case name == "":
		_, _ = io.WriteString(w, `{"items":[]}`)
	default:
		fmt.Fprintf(w, `{"items":[{"id":%q,"phone":%q}]}`, name, r.URL.Query().Get("phone"))
	}
}

// hold keeps answers back until they are released.
func (c *register) hold() (release func()) {
	held := make(chan struct{})
	c.held.Store(&held)
	return sync.OnceFunc(func() { close(held) })
}

func (c *register) become(name string) { c.name.Store(&name) }

// was checks how often the CRM was asked.
func (c *register) was(t *testing.T, asked int32) {
	t.Helper()
	if got := c.asked.Load(); got != asked {
		t.Errorf("the CRM was asked %d times, want %d", got, asked)
	}
}

// block describes the CRM.
func (c *register) block(name, options string) string {
	return `crm rest ` + c.URL + ` {
		name ` + name + `
		` + options + `
		lookup contact {
			GET /search
			query phone {number.e164}
			records items
			phones {record.phone}
			url https://` + name + `.example.com/{record.id}
		}
	}`
}

// site is a directive with options over CRMs.
func site(options string, crms ...string) string {
	return indent(`screen_pop {
	origins ` + agentOrigin + `
	region FR
	` + options + `
	` + strings.Join(crms, "\n\t") + `
	on none popup https://none.example.com/
	on unreachable popup https://unreachable.example.com/
}`)
}

// opened is what a caller opens.
func opened(address string) string {
	return `{"action":"popup","event":"EventRinging","url":"` + address + `"}`
}

const (
	rosasCall = "0427466347"
	isRosa    = "https://crm.example.com/rosa"
	isNobody  = "https://none.example.com/"
)

// eventually waits for something that happens behind the calls.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for range 1000 {
		if holds() {
			return
		}
		time.Sleep(10 * time.Millisecond) // polls
	}
	t.Fatalf("never: %s", what)
}

// lastCRM is what the newest call's log line says of a CRM.
func (g *gateway) lastCRM() map[string]any {
	g.t.Helper()
	crms, _ := g.lastCall()["crms"].([]any)
	if len(crms) == 0 {
		return nil
	}
	return crms[0].(map[string]any)
}

func TestTwoHundredSimultaneousCallsOfOneNumberAreOneRequest(t *testing.T) {
	crm := newRegister(t, "rosa")
	release := crm.hold()
	defer release()
	g := serve(t, site("deadline 30s", crm.block("crm", "")))
	keepAlive := &http.Client{Transport: &http.Transport{}}
	defer keepAlive.CloseIdleConnections()
	answers := make(chan string)
	for i := range 200 {
		go func() {
			body := payload(map[string]any{"queue": map[string]any{"name": fmt.Sprintf("queue-%d", i%5)}, "user": map[string]any{"agentId": i}})
			response, err := keepAlive.Post("http://"+g.address+"/", "application/json", strings.NewReader(body))
			if err != nil {
				answers <- err.Error()
				return
			}
			defer response.Body.Close()
			text, _ := io.ReadAll(response.Body)
			answers <- strings.TrimSpace(string(text))
		}()
	}
	eventually(t, "the CRM is asked", func() bool { return crm.asked.Load() > 0 })
	release()
	for range 200 {
		if got := <-answers; got != opened(isRosa) {
			t.Errorf("answered %s", got)
		}
	}
	crm.was(t, 1)
}

func TestTheLogSaysWhereAnAnswerComesFrom(t *testing.T) {
	crm := newRegister(t, "rosa")
	g := serve(t, site("", crm.block("crm", "")))
	g.ring(rosasCall).want(t, http.StatusOK, opened(isRosa))
	if said := g.lastCRM(); said["from"] != nil || said["requests"] == nil {
		t.Errorf("asked: logged %v", said)
	}
	g.ring(rosasCall).want(t, http.StatusOK, opened(isRosa))
	if said := g.lastCRM(); said["from"] != "cache" || said["age"] == nil || said["stale"] != nil || said["requests"] != nil {
		t.Errorf("remembered: logged %v", said)
	}
	crm.was(t, 1)
}

func TestNothingIsRememberedWithoutACache(t *testing.T) {
	crm := newRegister(t, "rosa")
	g := serve(t, site("cache off", crm.block("crm", "")))
	g.ring(rosasCall).want(t, http.StatusOK, opened(isRosa))
	crm.become("")
	g.ring(rosasCall).want(t, http.StatusOK, opened(isNobody))
	crm.was(t, 2)
}

func TestWhatDependsOnTheCallIsNotShared(t *testing.T) {
	crm := newRegister(t, "rosa")
	g := serve(t, site("", strings.Replace(crm.block("crm", ""), "records items", "query queue {call.queue.name}\n\t\t\trecords items", 1)))
	for _, queue := range []string{"sales", "support", "sales"} {
		g.post(payload(map[string]any{"queue": map[string]any{"name": queue}})).want(t, http.StatusOK, opened(isRosa))
	}
	crm.was(t, 2)
}

func TestAnOutageOfTheCRMIsBridgedAndMarked(t *testing.T) {
	crm := newRegister(t, "rosa")
	g := serve(t, site("cache {\n\t\tttl 1ms\n\t\tnot_found 1ms\n\t}", crm.block("crm", "")))
	g.ring(rosasCall).want(t, http.StatusOK, opened(isRosa))
	g.ring("0199000001").want(t, http.StatusOK, opened("https://crm.example.com/rosa"))
	crm.down.Store(true)
	eventually(t, "the log says why it is stale", func() bool {
		g.ring(rosasCall).want(t, http.StatusOK, opened(isRosa))
		line := g.lastCall()
		return line["level"] == "warn" && strings.Contains(fmt.Sprint(line["error"]), "503 Service Unavailable") &&
			strings.Contains(fmt.Sprint(line["error"]), "answered with what it said") && g.lastCRM()["stale"] == true && line["outcome"] == "one"
	})
	crm.down.Store(false)
	crm.become("camille")
	eventually(t, "the CRM's new answer is taken", func() bool {
		return g.ring(rosasCall).field("url") == "https://crm.example.com/camille"
	})
}

func TestNotFoundIsAskedAgainAndAnOutageIsNeverNotFound(t *testing.T) {
	crm := newRegister(t, "")
	g := serve(t, site("cache {\n\t\tnot_found 1ms\n\t}", crm.block("crm", "")))
	g.ring(rosasCall).want(t, http.StatusOK, opened(isNobody))
	time.Sleep(2 * time.Millisecond) // is what not_found says
	crm.down.Store(true)
	g.ring(rosasCall).want(t, http.StatusOK, opened("https://unreachable.example.com/"))
	crm.was(t, 2)
}

func TestASlowCRMsAnswerIsThereForTheNextCall(t *testing.T) {
	crm := newRegister(t, "rosa")
	release := crm.hold()
	defer release()
	g := serve(t, site("deadline 100ms", crm.block("crm", "timeout 30s\n\t\tlimit 30s")))
	g.ring(rosasCall).want(t, http.StatusOK, opened("https://unreachable.example.com/"))
	if line := g.lastCall(); g.lastCRM()["left"] != true || !strings.Contains(fmt.Sprint(line["error"]), "no answer within the deadline of 100ms") {
		t.Errorf("logged %v", line)
	}
	release()
	eventually(t, "the lookup's end is told", func() bool { return strings.Contains(g.log(), "a lookup ended after its call was answered") })
	g.ring(rosasCall).want(t, http.StatusOK, opened(isRosa))
	crm.was(t, 1)
}

func TestALookupThatHangsEndsWithItsLimit(t *testing.T) {
	crm := newRegister(t, "rosa")
	defer crm.hold()()
	g := serve(t, site("deadline 100ms", crm.block("crm", "timeout 30s\n\t\tlimit 200ms")))
	g.ring(rosasCall).want(t, http.StatusOK, opened("https://unreachable.example.com/"))
	eventually(t, "the lookup's end is told", func() bool {
		return strings.Contains(g.log(), "a lookup failed after its call was answered") && strings.Contains(g.log(), "no answer within 200ms (limit); the CRM is slow or hangs")
	})
}

func TestAnotherCRMIsTakenWhenTheWindowOfTheFirstIsOver(t *testing.T) {
	slow, fast := newRegister(t, "rosa"), newRegister(t, "camille")
	defer slow.hold()()
	g := serve(t, site("deadline 30s", slow.block("first", "window 50ms"), fast.block("second", "")))
	g.ring(rosasCall).want(t, http.StatusOK, opened("https://second.example.com/camille"))
	if said := g.lastCRM(); said["crm"] != "first" || said["left"] != true {
		t.Errorf("logged %v", said)
	}
	if line := g.lastCall(); line["level"] != "info" {
		t.Errorf("logged %v", line)
	}
}

func TestNotFoundNeedsEveryCRM(t *testing.T) {
	slow, fast := newRegister(t, ""), newRegister(t, "")
	defer slow.hold()()
	g := serve(t, site("deadline 200ms", slow.block("first", "window 50ms"), fast.block("second", "")))
	g.ring(rosasCall).want(t, http.StatusOK, opened("https://unreachable.example.com/"))
}

func TestAWindowIsShorterThanTheDeadline(t *testing.T) {
	crm := newRegister(t, "rosa")
	g := serve(t, site("", crm.block("crm", "")))
	t.Setenv("SCREENPOP_TEST_NAME", "x")
	err := g.load(site("deadline 300ms", crm.block("crm", "window 300ms")))
	if err == nil || !strings.Contains(err.Error(), "crm crm: window: 300ms is not shorter than the deadline of 300ms, at Caddyfile:") {
		t.Errorf("error: %v", err)
	}
}

func TestAReloadKeepsWhatIsRememberedIfItsSettingsStay(t *testing.T) {
	t.Setenv("SCREENPOP_TEST_SECRET", "one")
	crm, other := newRegister(t, "rosa"), newRegister(t, "")
	before := site("", crm.block("crm", "header X-Key {env.SCREENPOP_TEST_SECRET}"))
	for name, test := range map[string]struct {
		after string
		kept  bool
	}{
		"nothing changes":             {before, true},
		"lines are added":             {"\tlog\n\n\t# a comment\n" + before, true},
		"another option changes":      {strings.Replace(before, "region FR", "region FR\n\tdeadline 5s", 1), true},
		"a rule is added":             {strings.Replace(before, "on none", "when queue x {\n\t\ton one none\n\t}\n\ton none", 1), true},
		"another CRM is added":        {strings.Replace(before, "on none", other.block("other", "")+"\n\ton none", 1), true},
		"the defaults are written":    {strings.Replace(before, "region FR", "region FR\n\tcache {\n\t\tttl 5m\n\t}", 1), true},
		"the CRM's lookup changes":    {strings.Replace(before, "GET /search", "GET /search2", 1), false},
		"a timeout of it changes":     {strings.Replace(before, "name crm", "name crm\n\t\ttimeout 3s", 1), false},
		"the cache's options change":  {strings.Replace(before, "region FR", "region FR\n\tcache {\n\t\tttl 4m\n\t}", 1), false},
		"the country changes":         {strings.Replace(before, "region FR", "region BE", 1), false},
		"a header field is left out":  {strings.Replace(before, "header X-Key {env.SCREENPOP_TEST_SECRET}", "", 1), false},
		"nothing is to be remembered": {strings.Replace(before, "region FR", "region FR\n\tcache off", 1), false},
	} {
		t.Run(name, func(t *testing.T) {
			g := serve(t, before)
			asked := crm.asked.Load()
			g.ring("+33427466347").want(t, http.StatusOK, opened(isRosa))
			if err := g.load(test.after); err != nil {
				t.Fatal(err)
			}
			g.settle()
			g.ring("+33427466347").want(t, http.StatusOK, opened(isRosa))
			if kept := crm.asked.Load() == asked+1; kept != test.kept {
				t.Errorf("kept is %t", kept)
			}
		})
	}
	t.Run("a secret changes", func(t *testing.T) {
		g := serve(t, before)
		asked := crm.asked.Load()
		g.ring(rosasCall)
		t.Setenv("SCREENPOP_TEST_SECRET", "two")
		if err := g.load(before); err != nil {
			t.Fatal(err)
		}
		g.settle()
		g.ring(rosasCall).want(t, http.StatusOK, opened(isRosa))
		crm.was(t, asked+2)
	})
}

func TestAReloadThatFailsLosesNothing(t *testing.T) {
	crm := newRegister(t, "rosa")
	good := site("", crm.block("crm", ""))
	g := serve(t, good)
	g.ring(rosasCall).want(t, http.StatusOK, opened(isRosa))
	for _, bad := range []string{
		strings.Replace(good, "region FR", "region XX", 1),
		strings.Replace(good, "on none popup", "on none open {env.SCREENPOP_TEST_UNSET}#", 1),
		good + "\n\ttls /nonexistent.pem /nonexistent.key", // fails after ours was provisioned
		strings.Replace(good, "name crm", "name crm\n\t\theader X {env.SCREENPOP_TEST_UNSET}", 1),
	} {
		if err := g.load(bad); err == nil {
			t.Fatalf("was loaded: %s", bad)
		}
		g.ring(rosasCall).want(t, http.StatusOK, opened(isRosa))
	}
	if err := g.load(good); err == nil {
		g.settle()
	}
	g.ring(rosasCall).want(t, http.StatusOK, opened(isRosa))
	crm.was(t, 1)
}

// Whatever is taken from the pools is given back once.
func TestWhatIsRememberedGoesWithItsLastConfiguration(t *testing.T) {
	crm := newRegister(t, "rosa")
	good := site("", crm.block("crm", ""), crm.block("again", ""))
	taken := func() (count int) {
		for _, pool := range []*caddy.UsagePool{memories, credentials} {
			pool.Range(func(any, any) bool { count++; return true })
		}
		return count
	}
	g := serve(t, good)
	if got := taken(); got != 4 {
		t.Errorf("%d things are kept", got)
	}
	for range 2 {
		if err := g.load(good); err != nil {
			t.Fatal(err)
		}
		_ = g.load(good + "\n\ttls /nonexistent.pem /nonexistent.key")
	}
	if err := g.load("\trespond ok"); err != nil {
		t.Fatal(err)
	}
	if got := taken(); got != 0 {
		t.Errorf("%d things are kept of configurations that have ended", got)
	}
}

func TestAReloadInTheMiddleOfManyCallsLosesNone(t *testing.T) {
	crm := newRegister(t, "rosa")
	with := func(ttl string) string {
		return site("deadline 20s\n\tcache {\n\t\tttl "+ttl+"\n\t}", crm.block("crm", ""))
	}
	g := serve(t, with("1ms"))
	stop, calls := make(chan struct{}), make(chan string, 1000)
	var running sync.WaitGroup
	for i := range 8 {
		keepAlive := &http.Client{Transport: &http.Transport{}}
		defer keepAlive.CloseIdleConnections()
		running.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				body := payload(map[string]any{"caller": fmt.Sprintf("04274%d%04d", i, n%50)})
				response, err := keepAlive.Post("http://"+g.address+"/", "application/json", strings.NewReader(body))
				if err != nil {
					continue // a connection that the old listener had not accepted yet
				}
				text, _ := io.ReadAll(response.Body)
				response.Body.Close()
				if got := strings.TrimSpace(string(text)); got != opened(isRosa) {
					calls <- got
				}
			}
		})
	}
	for i := range 6 {
		if err := g.load(with(fmt.Sprintf("%dms", 1+i%2))); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	running.Wait()
	close(calls)
	for got := range calls {
		t.Errorf("answered %s", got)
	}
}
