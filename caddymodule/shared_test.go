package caddymodule

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/screenpop/caddy-screenpop/internal/fleet/fleettest"
)

// fleetSite has two gateways over one CRM, at /one and /two, with memories of
// their own and a shared cache.
func fleetSite(shared, crm string) string {
	gateway := func(endpoint string, size int) string {
		return site(fmt.Sprintf("deadline 5s\n\tendpoint %s\n\tcache {\n\t\tsize %d\n\t\tshared %s\n\t}", endpoint, size, shared), crm)
	}
	return gateway("/one", 1000) + "\n" + gateway("/two", 1001)
}

func (g *gateway) ringAt(endpoint, caller string) answer {
	g.t.Helper()
	return g.request(http.MethodPost, endpoint, payload(map[string]any{"caller": caller}), http.Header{"Content-Type": {"application/json"}})
}

func TestAFleetAsksACRMOnce(t *testing.T) {
	crm, server := newRegister(t, "rosa"), fleettest.Run(t)
	g := serve(t, fleetSite("redis://"+server.Address(), crm.block("crm", "")))
	release := crm.hold()
	defer release()
	var calls sync.WaitGroup
	for i := range 40 {
		calls.Go(func() { g.ringAt([]string{"/one", "/two"}[i%2], rosasCall).want(t, http.StatusOK, opened(isRosa)) })
	}
	eventually(t, "the CRM is asked", func() bool { return crm.asked.Load() > 0 })
	release()
	calls.Wait()
	crm.was(t, 1)
	if !strings.Contains(g.log(), `"from":"shared cache"`) {
		t.Error("the log does not say where the other gateway's answer came from")
	}
}

func TestAGatewayGoesOnWithoutTheSharedCache(t *testing.T) {
	for name, test := range map[string]struct{ lose, find func(*fleettest.Server) }{
		"that is down": {(*fleettest.Server).Kill, (*fleettest.Server).Start},
		"that hangs":   {(*fleettest.Server).Freeze, (*fleettest.Server).Thaw},
	} {
		t.Run(name, func(t *testing.T) {
			crm, server := newRegister(t, "rosa"), fleettest.Run(t)
			g := serve(t, fleetSite("redis://"+server.Address(), crm.block("crm", "")))
			g.ringAt("/one", rosasCall).want(t, http.StatusOK, opened(isRosa))
			test.lose(server)
			calls := 0
			ring := func() {
				calls++
				g.ringAt([]string{"/one", "/two"}[calls%2], fmt.Sprintf("0427466%03d", calls)).want(t, http.StatusOK, opened(isRosa))
			}
			eventually(t, "the log says that it is lost", func() bool {
				ring()
				return strings.Contains(g.log(), "the shared cache can't be reached")
			})
			test.find(server)
			eventually(t, "the log says that it is found", func() bool {
				ring()
				return strings.Contains(g.log(), `"the shared cache can be reached"`)
			})
		})
	}
}

// Agents ring at both gateways while the shared cache is killed, started, frozen
// and thawed: each call is answered, with what its CRM says of its caller.
func TestASharedCacheThatIsLostAndFoundUnderLoadLosesNoCall(t *testing.T) {
	crm, server := newSocketCRM(t, directory), fleettest.Run(t)
	before := running()
	g := serve(t, fleetSite("redis://"+server.Address(), crm.block("crm", "")))
	ringAtBoth := func(call int64) {
		for _, endpoint := range []string{"/one", "/two", "/one"} {
			g.ringAt(endpoint, mobile(call)).want(t, http.StatusOK, inDirectory("crm", mobile(call)))
		}
	}
	ringing := ringOn(t, 8, ringAtBoth)
	for _, outage := range []struct{ lose, find func(*fleettest.Server) }{
		{(*fleettest.Server).Kill, (*fleettest.Server).Start},
		{(*fleettest.Server).Freeze, (*fleettest.Server).Thaw},
		{(*fleettest.Server).Kill, (*fleettest.Server).Start},
	} {
		lost, found := g.says("the shared cache can't be reached"), g.says(`"the shared cache can be reached"`)
		outage.lose(server)
		eventually(t, "it is lost", func() bool { return g.says("the shared cache can't be reached") > lost })
		ringing.more(t, 40)
		outage.find(server)
		eventually(t, "it is found", func() bool { return g.says(`"the shared cache can be reached"`) > found })
		ringing.more(t, 40)
	}
	ringing.end()

	eventually(t, "a CRM is asked once for both gateways again", func() bool {
		asked := crm.asked.Load()
		ringAtBoth(ringing.calls.Add(1))
		return crm.asked.Load() == asked+1
	})
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	nothingRuns(t, before)
}

// says counts how often the log says something.
func (g *gateway) says(text string) int { return strings.Count(g.log(), text) }

func TestASharedCacheWhoseClockIsSetBackAnswersWithNothingOld(t *testing.T) {
	crm, server := newRegister(t, ""), fleettest.Run(t)
	site := strings.ReplaceAll(fleetSite("redis://"+server.Address(), crm.block("crm", "")), "cache {", "cache {\n\t\tttl 2s\n\t\tstale off\n\t\tnot_found 2s")
	g := serve(t, site)
	for _, test := range []struct{ knew, knows, was, is string }{
		{"", "rosa", isNobody, isRosa},
		{"rosa", "camille", isRosa, "https://crm.example.com/camille"},
	} {
		crm.become(test.knew)
		var caller string
		eventually(t, "what was shared is kept for longer", func() bool {
			caller = mobile(int64(crm.asked.Load()))
			g.ringAt("/one", caller).want(t, http.StatusOK, opened(test.was))
			return server.SetBack(time.Hour) > 0
		})
		crm.become(test.knows)
		time.Sleep(2 * time.Second) // is what ttl and not_found say
		g.ringAt("/two", caller).want(t, http.StatusOK, opened(test.is))
	}
}

func TestTheSharedCachesSettingsAreChecked(t *testing.T) {
	crm := newRegister(t, "rosa")
	g := serve(t, site("", crm.block("crm", "")))
	t.Setenv("SCREENPOP_TEST_REDIS", "redis://:secret-of-this-test@h/x")
	t.Setenv("SCREENPOP_TEST_KEY", "short")
	for shared, want := range map[string]string{
		"{env.SCREENPOP_TEST_REDIS}":                   "cache: shared: is not the address of a Redis or Valkey; write for example redis://",
		"redis://127.0.0.1:1 {env.SCREENPOP_TEST_KEY}": "cache: shared: the key has fewer than 16 characters; make one with: openssl rand -base64 32",
		"{env.SCREENPOP_TEST_UNSET}":                   "cache: shared: {env.SCREENPOP_TEST_UNSET} is empty",
	} {
		err := g.load(site("cache {\n\t\tshared "+shared+"\n\t}", crm.block("crm", "")))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "at Caddyfile:") || strings.Contains(err.Error(), "secret-of-this-test") {
			t.Errorf("%s: %v", shared, err)
		}
	}
}
