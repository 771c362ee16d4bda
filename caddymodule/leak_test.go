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

func TestNothingRunsOnWhenAConfigurationHasEnded(t *testing.T) {
	server, crm := fleettest.Run(t), newRegister(t, "rosa")
	before := running() // of connectors in other tests that ignore their context
	release := crm.hold()
	defer release()
	site := site("deadline 50ms\n\tcache {\n\t\tshared redis://"+server.Address()+"\n\t}", crm.block("crm", "timeout 1m\n\t\tlimit 2m"))
	g := serve(t, site)
	for range 3 {
		for _, caller := range []string{"0427466347", "0427466348"} {
			g.ring(caller).want(t, http.StatusOK, opened("https://unreachable.example.com/"))
		}
		if err := g.load(site); err != nil {
			t.Fatal(err)
		}
		g.settle()
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	var left map[string]string
	eventually(t, "all goroutines have ended", func() bool {
		left = running()
		for number := range before {
			delete(left, number)
		}
		return len(left) == 0
	})
}
