package caddymodule

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/screenpop/caddy-screenpop/internal/fleet/fleettest"
)

// fleetSite has two gateways over one CRM, at /one and /two, with memories of
// their own and a shared cache.
func fleetSite(shared string, crm *register) string {
	gateway := func(endpoint string, size int) string {
		return site(fmt.Sprintf("deadline 5s\n\tendpoint %s\n\tcache {\n\t\tsize %d\n\t\tshared %s\n\t}", endpoint, size, shared), crm.block("crm", ""))
	}
	return gateway("/one", 1000) + "\n" + gateway("/two", 1001)
}

func (g *gateway) ringAt(endpoint, caller string) answer {
	g.t.Helper()
	return g.request(http.MethodPost, endpoint, payload(map[string]any{"caller": caller}), http.Header{"Content-Type": {"application/json"}})
}

func TestAFleetAsksACRMOnce(t *testing.T) {
	crm, server := newRegister(t, "rosa"), fleettest.Run(t)
	g := serve(t, fleetSite("redis://"+server.Address(), crm))
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
			g := serve(t, fleetSite("redis://"+server.Address(), crm))
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
