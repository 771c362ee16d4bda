package framing

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
)

const crmPage = "https://crm.example.com/contact/7"

func policyAt(t *testing.T, page string, header http.Header) Policy {
	t.Helper()
	parsed, err := url.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	return PolicyOf(parsed, header)
}

// The HTML standard, "check a navigation response's adherence to
// X-Frame-Options", step by step.
func TestXFrameOptionsAreReadAsTheHTMLStandardSays(t *testing.T) {
	for _, c := range []struct {
		name    string
		values  []string
		allowed bool
		self    bool // by a page of the CRM's own
	}{
		{"none", nil, true, true},
		{"deny", []string{"DENY"}, false, false},
		{"in any case", []string{"dEnY"}, false, false},
		{"with blanks around it", []string{" \tDENY "}, false, false},
		{"same origin", []string{"SAMEORIGIN"}, false, true},
		{"twice the same", []string{"SAMEORIGIN", "sameorigin"}, false, true},
		{"twice the same in one field", []string{"SAMEORIGIN, SAMEORIGIN"}, false, true},
		{"two that conflict", []string{"SAMEORIGIN", "DENY"}, false, false},
		{"two that conflict in one field", []string{"ALLOWALL, SAMEORIGIN"}, false, false},
		{"one and something unknown", []string{"SAMEORIGIN", "nonsense"}, false, false},
		{"one and a blank", []string{"SAMEORIGIN,"}, false, false},
		{"two unknown ones", []string{"one", "two"}, true, true},
		{"allow all", []string{"ALLOWALL"}, true, true},
		{"allow from, which no browser knows", []string{"ALLOW-FROM https://other.example"}, true, true},
		{"unknown", []string{"nonsense"}, true, true},
		{"quotes are part of a value", []string{`"DENY"`}, true, true},
		{"blank", []string{""}, true, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			policy := policyAt(t, crmPage, http.Header{"X-Frame-Options": c.values})
			if got := policy.Allows(agent, gateway); got != c.allowed {
				t.Errorf("%q allows the pane: %t, want %t", c.values, got, c.allowed)
			}
			if got := policy.Allows("https://crm.example.com"); got != c.self {
				t.Errorf("%q allows the CRM itself: %t, want %t", c.values, got, c.self)
			}
		})
	}
}

func TestSameOriginWantsEveryFrameToBeOfIt(t *testing.T) {
	policy := policyAt(t, crmPage, http.Header{"X-Frame-Options": {"SAMEORIGIN"}})
	if policy.Allows("https://crm.example.com", agent) {
		t.Error("a page of the CRM's own inside another's is allowed")
	}
}

// Content Security Policy Level 3: parsing, and "does url match expression in
// origin with redirect count".
func TestFrameAncestorsAreReadAsTheStandardSays(t *testing.T) {
	for _, c := range []struct {
		name     string
		policies []string
		allowed  bool
	}{
		{"another directive", []string{"default-src 'none'; frame-src 'none'"}, true},
		{"nobody", []string{"frame-ancestors 'none'"}, false},
		{"an empty list is nobody", []string{"frame-ancestors"}, false},
		{"none beside a source is ignored", []string{"frame-ancestors 'none' " + agent}, true},
		{"itself", []string{"frame-ancestors 'self'"}, false},
		{"the agent", []string{"frame-ancestors " + agent}, true},
		{"others only", []string{"frame-ancestors https://a.example https://b.example"}, false},
		{"among others", []string{"frame-ancestors https://a.example " + agent}, true},
		{"in capitals", []string{"FRAME-ANCESTORS HTTPS://XUC.EXAMPLE.COM"}, true},
		{"blanks of every kind", []string{"default-src *;\t\nframe-ancestors\f\t" + agent + " ;"}, true},
		{"the first of two directives counts", []string{"frame-ancestors 'none'; frame-ancestors *"}, false},
		{"a longer name is another directive", []string{"frame-ancestors-of-mine 'none'"}, true},
		{"a word in another directive", []string{"report-uri /frame-ancestors 'none'"}, true},
		{"not ASCII is no directive", []string{"frame-ancestors 'none' é"}, true},
		{"every policy of a list", []string{"frame-ancestors *, frame-ancestors 'none'"}, false},
		{"every header field", []string{"frame-ancestors *", "frame-ancestors 'none'"}, false},
		{"several that agree", []string{"frame-ancestors *, frame-ancestors " + agent, "frame-ancestors https:"}, true},

		{"anybody", []string{"frame-ancestors *"}, true},
		{"a scheme", []string{"frame-ancestors https:"}, true},
		{"http is upgraded", []string{"frame-ancestors http:"}, true},
		{"wss is upgraded", []string{"frame-ancestors wss:"}, true},
		{"another scheme", []string{"frame-ancestors data:"}, false},
		{"no scheme is the page's", []string{"frame-ancestors xuc.example.com"}, true},
		{"a host by http is upgraded", []string{"frame-ancestors http://xuc.example.com"}, true},
		{"a host and port by http are upgraded", []string{"frame-ancestors http://xuc.example.com:80"}, true},
		{"another scheme's host", []string{"frame-ancestors ftp://xuc.example.com"}, false},

		{"any host", []string{"frame-ancestors https://*"}, true},
		{"any host of a domain", []string{"frame-ancestors https://*.example.com"}, true},
		{"a domain is no host of itself", []string{"frame-ancestors https://*.xuc.example.com"}, false},
		{"a star elsewhere is none", []string{"frame-ancestors https://x*.example.com"}, false},
		{"a longer name is another host", []string{"frame-ancestors https://example.com"}, false},

		{"the default port", []string{"frame-ancestors https://xuc.example.com:443"}, true},
		{"any port", []string{"frame-ancestors https://xuc.example.com:*"}, true},
		{"another port", []string{"frame-ancestors https://xuc.example.com:8443"}, false},
		{"no port behind the colon is no source", []string{"frame-ancestors https://xuc.example.com:"}, false},
		{"an empty path", []string{"frame-ancestors https://xuc.example.com/"}, true},
		{"a path, which no origin has", []string{"frame-ancestors https://xuc.example.com/agent"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			policy := policyAt(t, crmPage, http.Header{"Content-Security-Policy": c.policies})
			if got := policy.Allows(agent); got != c.allowed {
				t.Errorf("%q allows %s: %t, want %t", c.policies, agent, got, c.allowed)
			}
		})
	}
}

func TestPortsAndAddressesOfOriginsAreCompared(t *testing.T) {
	for _, c := range []struct {
		source, origin string
		allowed        bool
	}{
		{"https://xuc.example.com:8443", "https://xuc.example.com:8443", true},
		{"https://xuc.example.com", "https://xuc.example.com:8443", false},
		{"https://xuc.example.com:*", "https://xuc.example.com:8443", true},
		{"http://xuc.example.com:80", "https://xuc.example.com:8443", false},
		{"https://xuc.example.com", "http://xuc.example.com", false},
		{"https:", "http://xuc.example.com", false},
		{"https://192.0.2.7", "https://192.0.2.7", true},
		{"https://192.0.2.8", "https://192.0.2.7", false},
		{"https://*.2.7", "https://192.0.2.7", false},
		{"https://*", "https://192.0.2.7", false},
		{"'self'", "https://crm.example.com:443", true},
		{"'self'", "https://crm.example.com:8443", false},
	} {
		t.Run(c.source+" "+c.origin, func(t *testing.T) {
			policy := policyAt(t, crmPage, http.Header{"Content-Security-Policy": {"frame-ancestors " + c.source}})
			if got := policy.Allows(c.origin); got != c.allowed {
				t.Errorf("allowed: %t, want %t", got, c.allowed)
			}
		})
	}
}

func TestFrameAncestorsComeBeforeXFrameOptionsUnlessTheyOnlyReport(t *testing.T) {
	deny := http.Header{"X-Frame-Options": {"DENY"}, "Content-Security-Policy": {"frame-ancestors " + agent}}
	if !policyAt(t, crmPage, deny).Allows(agent) {
		t.Error("X-Frame-Options counts although there are frame-ancestors")
	}
	other := http.Header{"X-Frame-Options": {"DENY"}, "Content-Security-Policy": {"default-src *"}}
	if policyAt(t, crmPage, other).Allows(agent) {
		t.Error("X-Frame-Options does not count although there are no frame-ancestors")
	}
	reported := http.Header{"X-Frame-Options": {"DENY"}, "Content-Security-Policy-Report-Only": {"frame-ancestors *"}}
	if policyAt(t, crmPage, reported).Allows(agent) {
		t.Error("a policy that only reports switches X-Frame-Options off")
	}
	only := http.Header{"Content-Security-Policy-Report-Only": {"frame-ancestors 'none'"}}
	if !policyAt(t, crmPage, only).Allows(agent) {
		t.Error("a policy that only reports refuses")
	}
}

func TestPlainHTTPIsNotShownInsideHTTPS(t *testing.T) {
	for page, allowed := range map[string]bool{
		"http://crm.example.com/": false,
		"http://192.0.2.7/":       false,
		"http://127.0.0.1:8081/":  true,
		"http://[::1]:8081/":      true,
		"http://localhost:8081/":  true,
		"https://crm.example.com": true,
	} {
		if got := policyAt(t, page, nil).Allows(agent); got != allowed {
			t.Errorf("%s inside https: %t, want %t", page, got, allowed)
		}
	}
	if !policyAt(t, "http://crm.example.com/", nil).Allows("http://xuc.example.com") {
		t.Error("http inside http is refused")
	}
}

func TestWhatIsNoOriginIsNotAllowed(t *testing.T) {
	for _, origin := range []string{"null", "", "xuc.example.com", "https://%zz"} {
		if policyAt(t, crmPage, nil).Allows(origin) {
			t.Errorf("%q is allowed", origin)
		}
	}
}

// a site is a server whose pages are what a handler says, and what the
// administrator was told of it.
type site struct {
	*Guard

	url  string
	told []string
}

func newSite(t *testing.T, handler http.HandlerFunc) *site {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c := &site{url: server.URL}
	c.Guard = New(server.Client().Transport, func(err error) { c.told = append(c.told, err.Error()) })
	t.Cleanup(c.Close)
	return c
}

func TestRefusalOnTheWayToTheLoginPageCounts(t *testing.T) {
	c := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/login" {
			return
		}
		w.Header().Set("X-Frame-Options", "DENY")
		http.Redirect(w, r, "/login", http.StatusFound)
	})
	if c.MayFrame(context.Background(), c.url+"/contact/7", agent) {
		t.Error("the page may be framed, although only its login page says nothing")
	}
}

func TestLoginPageOfAnotherHostCountsToo(t *testing.T) {
	login := newSite(t, func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Frame-Options", "DENY") })
	c := newSite(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, login.url+"/authorize", http.StatusFound)
	})
	if c.MayFrame(context.Background(), c.url+"/contact/7", agent) {
		t.Error("the page may be framed, although its login page refuses")
	}
}

func TestWhatCouldNotBeSeenIsNotAllowed(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"an error":                    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
		"a refusal that says nothing": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) },
		"a circle": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusFound)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newSite(t, handler)
			if c.MayFrame(context.Background(), c.url+"/contact/7", agent) {
				t.Error("the page may be framed")
			}
			if len(c.told) != 1 || !strings.Contains(c.told[0], "could not be asked") {
				t.Errorf("told %q", c.told)
			}
		})
	}
}

func TestRefusalToLogInThatAllowsFramesIsBelieved(t *testing.T) {
	c := newSite(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", "frame-ancestors "+agent)
		w.WriteHeader(http.StatusUnauthorized)
	})
	if !c.MayFrame(context.Background(), c.url+"/contact/7", agent) {
		t.Errorf("the page may not be framed: %q", c.told)
	}
}

func TestAdministratorIsToldOfPlainHTTP(t *testing.T) {
	page, err := url.Parse("http://crm.example.com/contact/7")
	if err != nil {
		t.Fatal(err)
	}
	k := kind{chain: []Policy{PolicyOf(page, nil)}}
	if reason := k.reason(page, []string{agent}); reason == nil || !strings.Contains(reason.Error(), "plain http") {
		t.Errorf("the reason is %v", reason)
	}
}

func TestKindsOfPagesAreAskedForOnce(t *testing.T) {
	asked := make(chan string, 10)
	c := newSite(t, func(_ http.ResponseWriter, r *http.Request) { asked <- r.URL.String() })
	for _, page := range []string{"/contact/7", "/contact/8?x=1", "/company/1", "/#Contact/view/7", "/#Account/view/8"} {
		if !c.MayFrame(context.Background(), c.url+page, agent) {
			t.Errorf("%s may not be framed: %q", page, c.told)
		}
	}
	close(asked)
	var got []string
	for path := range asked {
		got = append(got, path)
	}
	slices.Sort(got)
	if want := []string{"/", "/company/1", "/contact/7"}; !slices.Equal(got, want) {
		t.Errorf("asked for %q, want %q", got, want)
	}
}
