package caddymodule

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func init() { caddy.RegisterModule(guest{}) }

// guest is a connector as somebody else would write one. What it does is its
// argument.
type guest struct {
	Does string `json:"does,omitempty"`
}

func (guest) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "screen_pop.connectors.guest", New: func() caddy.Module { return new(guest) }}
}

func (g *guest) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if !d.AllArgs(&g.Does) {
		return d.ArgErr()
	}
	return nil
}

func (*guest) Profile() Profile {
	return Profile{Name: "guest", URL: "https://guest.example.com", Fields: []string{"vip"}}
}

func (*guest) Key(query Query) string { return query.Number.E164() }

func (*guest) Links(Query) Links { return Links{Search: "https://guest.example.com/search"} }

// forever is never closed: a connector that ignores its context hangs on it.
var forever chan struct{}

func (g *guest) Search(ctx context.Context, query Query) Result {
	record := Record{Kind: "contact", ID: "1", Phones: []string{query.Number.E164()}, URL: "https://guest.example.com/1", Fields: map[string]string{"vip": "yes"}}
	switch g.Does {
	case "hang":
		<-forever
	case "panic":
		panic(query.Number.E164())
	case "fail":
		return Result{Err: errors.New("crm guest: out of order at /search?q=" + query.Number.E164())}
	case "stranger":
		record.Phones = []string{"+33100000000"}
	}
	return Result{Records: []Record{record}}
}

func guestSite(does string) string {
	return indent(`screen_pop {
	origins ` + agentOrigin + `
	region FR
	deadline 300ms
	crm guest ` + does + `
	on one popup {contact.url} {
		title {contact.vip}
	}
	on none popup https://none.example.com/
	on unreachable popup https://unreachable.example.com/
}`)
}

func TestAGuestConnectorIsAskedLikeAnyOther(t *testing.T) {
	serve(t, guestSite("find")).ring("0199000001").
		want(t, http.StatusOK, `{"action":"popup","event":"EventRinging","url":"https://guest.example.com/1","title":"yes"}`)
	serve(t, guestSite("stranger")).ring("0199000001").
		want(t, http.StatusOK, `{"action":"popup","event":"EventRinging","url":"https://none.example.com/"}`)
}

func TestAGuestThatMisbehavesIsUnreachable(t *testing.T) {
	for does, want := range map[string]string{"hang": "no answer within the deadline", "panic": "panicked", "fail": "out of order"} {
		t.Run(does, func(t *testing.T) {
			g := serve(t, guestSite(does))
			g.unasked(t, want)
			if strings.Contains(g.log(), "+33199000001") {
				t.Error("the log holds the caller's number")
			}
		})
	}
}

func TestAGuestsFieldsAreCheckedWhenItIsKnown(t *testing.T) {
	g := serve(t, guestSite("find"))
	err := g.load(strings.Replace(guestSite("find"), "{contact.vip}", "{contact.vpi}", 1))
	if err == nil || !strings.Contains(err.Error(), `on one: title: bad placeholder {contact.vpi}: records have no field "vpi"; did you mean {contact.vip}?`) {
		t.Errorf("error: %v", err)
	}
}
