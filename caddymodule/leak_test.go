package caddymodule

import (
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/screenpop/caddy-screenpop/internal/fleet/fleettest"
)

// running lists the goroutines of this program's parts that work behind the
// calls, by their numbers.
func running() map[string]string {
	buffer := make([]byte, 16<<20)
	found := map[string]string{}
	for stack := range strings.SplitSeq(string(buffer[:runtime.Stack(buffer, true)]), "\n\n") {
		for _, part := range []string{"screenpop/internal/", "maypok86/otter", "redis/rueidis"} {
			if number, _, ok := strings.Cut(stack, " ["); ok && strings.Contains(stack, part) {
				found[number] = stack
			}
		}
	}
	return found
}

// nothingRuns waits until nothing does that did not before.
func nothingRuns(t *testing.T, before map[string]string) {
	t.Helper()
	eventually(t, "all goroutines have ended", func() bool {
		left := running()
		for number := range before {
			delete(left, number)
		}
		return len(left) == 0
	})
}

func TestNothingRunsOnWhenAConfigurationHasEnded(t *testing.T) {
	for name, lose := range map[string]func(*fleettest.Server){
		"with a shared cache": func(*fleettest.Server) {},
		"that is down":        (*fleettest.Server).Kill,
		"that hangs":          (*fleettest.Server).Freeze,
		"lost and found":      func(s *fleettest.Server) { s.Kill(); s.Start() },
	} {
		t.Run(name, func(t *testing.T) {
			server, crm := fleettest.Run(t), newRegister(t, "rosa")
			before := running() // of connectors in other tests that ignore their context
			release := crm.hold()
			defer release()
			site := site("deadline 50ms\n\tcache {\n\t\tshared redis://"+server.Address()+"\n\t}", crm.block("crm", "timeout 1m\n\t\tlimit 2m"))
			g := serve(t, site)
			for range 3 {
				for _, caller := range []string{"0427466347", "0427466348"} {
					g.ring(caller).want(t, http.StatusOK, opened(isUnreachable))
				}
				lose(server)
				if err := g.load(site); err != nil {
					t.Fatal(err)
				}
				g.settle()
			}
			if err := caddy.Stop(); err != nil {
				t.Fatal(err)
			}
			nothingRuns(t, before)
		})
	}
}

func TestNothingRunsOnThatWaitedForASharedCacheThatIsNeverThere(t *testing.T) {
	crm := newRegister(t, "rosa")
	before := running()
	g := serve(t, site("deadline 5s\n\tcache {\n\t\tshared redis://"+freeAddress(t)+"\n\t}", crm.block("crm", "")))
	for range 3 {
		g.ring(rosasCall).want(t, http.StatusOK, opened(isRosa))
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	nothingRuns(t, before)
}
