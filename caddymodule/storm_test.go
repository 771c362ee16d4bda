package caddymodule

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// busyAgents are those who ring without a pause.
type busyAgents struct {
	stop   func()
	agents sync.WaitGroup
	calls  atomic.Int64
}

// ringOn has agents ring until they are stopped. Each call is of a number of its
// own, which the function rings and whose answer it checks.
func ringOn(t *testing.T, agents int, ring func(call int64)) *busyAgents {
	stopped := make(chan struct{})
	r := &busyAgents{stop: sync.OnceFunc(func() { close(stopped) })}
	t.Cleanup(r.end)
	for range agents {
		r.agents.Go(func() {
			for {
				select {
				case <-stopped:
					return
				default:
					ring(r.calls.Add(1))
				}
			}
		})
	}
	return r
}

// more waits for so many more calls.
func (r *busyAgents) more(t *testing.T, calls int64) {
	t.Helper()
	enough := r.calls.Load() + calls
	eventually(t, "the agents ring", func() bool { return r.calls.Load() > enough })
}

func (r *busyAgents) end() {
	r.stop()
	r.agents.Wait()
}

func mobile(call int64) string { return fmt.Sprintf("06%08d", call) }

// One fault comes after the other while agents ring: whoever is answered with a
// page gets their own, and whoever can't be asked for is never called unknown
// instead.
func TestUnderLoadNoFaultLosesACallOrAnswersWrongly(t *testing.T) {
	before := running()
	crm := newSocketCRM(t, directory)
	g := serve(t, site("deadline 2s", crm.block("crm", "timeout 300ms\n\t\tprotect {\n\t\t\tbreaker off\n\t\t}")))
	ringing := ringOn(t, 8, func(call int64) {
		got := g.ring(mobile(call))
		if got.body != inDirectory("crm", mobile(call)) && got.body != opened(isUnreachable) {
			t.Errorf("caller %s: answered %d %s", mobile(call), got.status, got.body)
		}
	})
	for _, fault := range brokenAnswers {
		asked := crm.asked.Load()
		crm.behave(fault.behaviour)
		eventually(t, fault.name, func() bool { return crm.asked.Load() > asked+10 })
		crm.behave(directory)
		ringing.more(t, 20)
	}
	ringing.end()

	g.ring(somebodysCall).want(t, http.StatusOK, inDirectory("crm", somebodysCall))
	g.ring(nobodysCall).want(t, http.StatusOK, inDirectory("crm", nobodysCall))
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	nothingRuns(t, before)
}

// 1,000 calls wait for the CRM when the configuration is replaced, and then all
// their connections break. They are made once more by the configuration that the
// calls came to.
func TestConnectionsThatBreakDuringAReloadLoseNoCall(t *testing.T) {
	const calls = 1000
	before := running()
	broken := make(chan struct{})
	crm := newSocketCRM(t, func(c net.Conn, request *http.Request, over <-chan struct{}) {
		select {
		case <-broken:
		case <-over:
		}
		reset(heading+"Content-Length: 100\r\n\r\n{")(c, request, over)
	})
	named := func(name string) string {
		return site("deadline 1m", crm.block(name, "timeout 1m\n\t\tlimit 1m\n\t\tprotect {\n\t\t\tconcurrent 2000\n\t\t\tbreaker off\n\t\t}\n\t\ttransport http {\n\t\t\tdial_timeout 1m\n\t\t}"))
	}
	g := serve(t, named("old"))
	var waiting sync.WaitGroup
	for call := range int64(calls) {
		waiting.Go(func() {
			got := g.ringAgain(payload(map[string]any{"caller": mobile(call)}))
			if got.status != http.StatusOK || strings.TrimSpace(got.body) != inDirectory("old", mobile(call)) {
				t.Errorf("caller %s: answered %d %s", mobile(call), got.status, got.body)
			}
		})
	}
	for crm.asked.Load() < calls {
		time.Sleep(time.Millisecond) // polls
	}
	crm.behave(directory)
	loaded := make(chan error)
	go func() { loaded <- g.loadPatiently(named("new")) }()
	eventually(t, "the new configuration serves", func() bool {
		return g.ringAgain(payload(map[string]any{"caller": somebodysCall})).field("url") == "https://new.example.com/33199000002"
	})
	close(broken)
	waiting.Wait()
	if err := <-loaded; err != nil {
		t.Fatal(err)
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	nothingRuns(t, before)
}
