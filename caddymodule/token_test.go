package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
)

// rotating is a CRM whose refresh tokens are good for one use.
type rotating struct {
	*httptest.Server

	mu      sync.Mutex
	refresh string
	access  string
	used    []string
	refused int
}

func newRotating(t *testing.T, first string) *rotating {
	t.Helper()
	c := &rotating{refresh: first}
	c.Server = httptest.NewServer(c)
	t.Cleanup(c.Close)
	return c
}

func (c *rotating) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.URL.Path == "/token" && r.FormValue("refresh_token") == c.refresh:
		c.used = append(c.used, c.refresh)
		c.access, c.refresh = fmt.Sprintf("access-token-%d", len(c.used)), fmt.Sprintf("refresh-token-%d", len(c.used))
		fmt.Fprintf(w, `{"access_token":%q,"refresh_token":%q,"expires_in":3600}`, c.access, c.refresh)
	case r.URL.Path == "/token":
		c.refused++
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"error":"invalid_grant","error_description":"%s is used up"}`, r.FormValue("refresh_token"))
	case c.access != "" && r.Header.Get("Authorization") == "Bearer "+c.access:
		fmt.Fprint(w, `[{"id":"7","phone":"0427466347"}]`)
	default:
		w.WriteHeader(http.StatusUnauthorized)
	}
}

// uses lists the refresh tokens that were used, and counts the refused.
func (c *rotating) uses() (used []string, refused int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.used), c.refused
}

func (c *rotating) site(first string) string {
	return indent(`screen_pop {
	origins ` + agentOrigin + `
	region FR
	deadline 20s
	cache off
	crm rest ` + c.URL + ` {
		name crm
		timeout 10s
		auth oauth2 {crm.url}/token {
			grant refresh_token
			client_id screenpop
			refresh_token ` + first + `
		}
		lookup contact {
			GET /contacts
			query q {number.e164}
			phones {record.phone}
			url https://crm.example.com/contacts/{record.id}
		}
	}
	on unreachable popup https://unreachable.example.com/
}`)
}

const opensTheContact = `{"action":"popup","event":"EventRinging","url":"https://crm.example.com/contacts/7"}`

func TestARotatedRefreshTokenOutlivesReloadsAndRestarts(t *testing.T) {
	storage := t.TempDir()
	crm := newRotating(t, "first-refresh-token")
	for range 2 {
		g := serveWith(t, "", storage, crm.site("first-refresh-token"))
		g.ring("0427466347").want(t, http.StatusOK, opensTheContact)
		g.ring("0427466347").want(t, http.StatusOK, opensTheContact)
		site := crm.site("first-refresh-token")
		for _, changed := range []string{site, strings.Replace(site, "timeout 10s", "timeout 9s", 1)} {
			if err := g.load(changed); err != nil {
				t.Fatal(err)
			}
			g.settle()
			g.ring("0427466347").want(t, http.StatusOK, opensTheContact)
		}
		if strings.Contains(g.log(), "refresh-token") || strings.Contains(g.log(), "access-token") {
			t.Error("the log has a token")
		}
		if err := caddy.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	used, refused := crm.uses() // a reload that changes nothing goes on with the token
	if want := []string{"first-refresh-token", "refresh-token-1", "refresh-token-2", "refresh-token-3"}; !slices.Equal(used, want) || refused != 0 {
		t.Errorf("used %q, %d were refused; want %q", used, refused, want)
	}
}

func TestARefreshTokenThatIsConfiguredAnewCounts(t *testing.T) {
	storage := t.TempDir()
	crm := newRotating(t, "first-refresh-token")
	g := serveWith(t, "", storage, crm.site("first-refresh-token"))
	g.ring("0427466347").want(t, http.StatusOK, opensTheContact)
	crm.mu.Lock()
	crm.refresh = "another-refresh-token" // was given by hand
	crm.mu.Unlock()
	if err := g.load(crm.site("another-refresh-token")); err != nil {
		t.Fatal(err)
	}
	g.settle()
	g.ring("0427466347").want(t, http.StatusOK, opensTheContact)
	if used, refused := crm.uses(); !slices.Equal(used, []string{"first-refresh-token", "another-refresh-token"}) || refused != 0 {
		t.Errorf("used %q, %d were refused", used, refused)
	}
}

// loud are the lines about credentials that are no longer accepted.
func (g *gateway) loud() []map[string]any {
	g.t.Helper()
	var list []map[string]any
	for text := range strings.Lines(g.log()) {
		var line map[string]any
		if json.Unmarshal([]byte(text), &line) == nil && strings.HasPrefix(fmt.Sprint(line["msg"]), "a CRM no longer accepts its credentials") {
			list = append(list, line)
		}
	}
	return list
}

func TestRefusedCredentialsAreLoggedOnceAndLoudly(t *testing.T) {
	storage := t.TempDir()
	for name, test := range map[string]struct{ auth, says string }{
		"that go with every request": {"auth bearer secret-of-this-test", "crm crm: 401 Unauthorized: unknown; the CRM does not accept the credentials"},
		"in a header":                {"header X-Key secret-of-this-test", "crm crm: 401 Unauthorized: unknown"},
		"of a token":                 {"auth oauth2 {crm.url}/token {\n\t\t\tclient_id a\n\t\t\tclient_secret secret-of-this-test\n\t\t}", "crm crm: the CRM gives no token: 401 Unauthorized: unknown"},
		"of a session":               {"auth login {\n\t\t\trequest {\n\t\t\t\tPOST /login\n\t\t\t\tform p secret-of-this-test\n\t\t\t\ttake s s\n\t\t\t}\n\t\t}", "crm crm: the CRM gives no token: 401 Unauthorized: unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			crm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusUnauthorized)
				fmt.Fprint(w, `{"message":"unknown"}`)
			}))
			t.Cleanup(crm.Close)
			g := serveWith(t, "", storage, indent(`screen_pop {
	origins `+agentOrigin+`
	region FR
	deadline 20s
	cache off
	crm rest `+crm.URL+` {
		name crm
		timeout 10s
		`+test.auth+`
		lookup contact {
			GET /contacts
			query q {number.e164}
			phones {record.phone}
		}
	}
	on unreachable popup https://unreachable.example.com/
}`))
			for range 4 {
				g.ring("0427466347").want(t, http.StatusOK, `{"action":"popup","event":"EventRinging","url":"https://unreachable.example.com/"}`)
			}
			if err := caddy.Stop(); err != nil { // waits for what is being said
				t.Fatal(err)
			}
			loud := g.loud()
			if len(loud) != 1 || loud[0]["level"] != "error" || !strings.HasPrefix(fmt.Sprint(loud[0]["error"]), test.says) {
				t.Errorf("logged %v, want one line: %s", loud, test.says)
			}
			unreachable := strings.Count(g.log(), "call answered although the caller could not be looked up")
			if unreachable != 4 {
				t.Errorf("%d calls were logged as unreachable", unreachable)
			}
			if strings.Contains(g.log(), "secret-of-this-test") {
				t.Error("the log has the credential")
			}
		})
	}
}

// A storage that can't be written to must not look like refused credentials:
// callers are still looked up.
func TestARefreshTokenThatCanNotBeSavedIsSaid(t *testing.T) {
	storage := t.TempDir()
	crm := newRotating(t, "first-refresh-token")
	// Where a directory belongs is a link to nowhere: nothing is there, and
	// nothing can be put there.
	if err := os.Symlink(filepath.Join(t.TempDir(), "nowhere", "at all"), filepath.Join(storage, "screen_pop")); err != nil {
		t.Fatal(err)
	}
	g := serveWith(t, "", storage, crm.site("first-refresh-token"))
	g.ring("0427466347").want(t, http.StatusOK, opensTheContact)
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(g.log(), "a CRM's new refresh token could not be saved") || len(g.loud()) != 0 {
		t.Errorf("the log says %s", g.log())
	}
	if strings.Contains(g.log(), "refresh-token-1") {
		t.Error("the log has the token")
	}
}
