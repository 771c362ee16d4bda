package framing

import (
	"net/http"
	"net/url"
	"testing"
)

const (
	agent   = "https://xuc.example.com"
	gateway = "https://pop.example.com"
)

func policy(t *testing.T, page string, headers ...string) Policy {
	t.Helper()
	parsed, err := url.Parse(page)
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		header.Add(headers[i], headers[i+1])
	}
	return PolicyOf(parsed, header)
}

const (
	csp = "Content-Security-Policy"
	xfo = "X-Frame-Options"
)

func TestAPageThatSaysNothingMayBeFramed(t *testing.T) {
	for _, headers := range [][]string{nil, {csp, "default-src 'self'"}, {csp, ""}, {xfo, " "}, {csp + "-Report-Only", "frame-ancestors 'none'"}} {
		if !policy(t, "https://crm.example.com/c/7", headers...).Allows(agent, gateway) {
			t.Errorf("%q refuses", headers)
		}
	}
}

// CSP Level 3, 6.4.2 and 6.7.2.
func TestFrameAncestorsSayWhoMayFrame(t *testing.T) {
	for _, test := range []struct {
		sources string
		allowed bool
	}{
		{"'none'", false},
		{"", false},
		{"'self'", false},
		{agent, true},
		{"HTTPS://XUC.Example.COM", true},
		{"https://other.example.com", false},
		{"'self' https://other.example.com " + agent, true},
		{"xuc.example.com", true},
		{"example.com", false},
		{"*.example.com", true},
		{"https://*.example.com", true},
		{"http://*.example.com", true}, // a source of http allows https
		{"*.xuc.example.com", false},
		{"*", true},
		{"https:", true},
		{"http:", true},
		{"data:", false},
		{"https://xuc.example.com:443", true},
		{"https://xuc.example.com:8443", false},
		{"https://xuc.example.com:*", true},
		{"http://xuc.example.com:80", true},
		{"https://xuc.example.com/ccagent", false}, // an origin has no path to match
	} {
		if got := policy(t, "https://crm.example.com/", csp, "default-src 'self'; frame-ancestors "+test.sources+"; img-src *").Allows(agent); got != test.allowed {
			t.Errorf("frame-ancestors %s: %t", test.sources, got)
		}
	}
}

func TestAPortThatIsNotTheUsualOneMustBeNamed(t *testing.T) {
	for sources, allowed := range map[string]bool{
		"https://xuc.example.com": false, "https://xuc.example.com:8443": true, "xuc.example.com:8443": true, "xuc.example.com:*": true, "*": true,
	} {
		if got := policy(t, "https://crm.example.com/", csp, "frame-ancestors "+sources).Allows("https://xuc.example.com:8443"); got != allowed {
			t.Errorf("frame-ancestors %s: %t", sources, got)
		}
	}
}

func TestSelfIsThePagesOwnOrigin(t *testing.T) {
	for _, page := range []string{"https://XUC.example.com/crm/c/7", "https://xuc.example.com:443/"} {
		for _, headers := range [][]string{{csp, "frame-ancestors 'self'"}, {xfo, "SAMEORIGIN"}, {xfo, "sameorigin"}} {
			p := policy(t, page, headers...)
			if !p.Allows(agent) || p.Allows(gateway) || p.Allows("http://xuc.example.com") {
				t.Errorf("%s with %q", page, headers)
			}
		}
	}
}

// The agent application shows our page, and our page the CRM's.
func TestEveryPageAroundMustBeAllowed(t *testing.T) {
	p := policy(t, "https://crm.example.com/", csp, "frame-ancestors "+agent)
	if !p.Allows(agent) || p.Allows(agent, gateway) {
		t.Error("one that is not allowed is between")
	}
	if !policy(t, "https://crm.example.com/", csp, "frame-ancestors "+agent+" "+gateway).Allows(agent, gateway) {
		t.Error("both are allowed")
	}
}

func TestOfSeveralPoliciesEveryOneMustAllow(t *testing.T) {
	for _, test := range []struct {
		headers []string
		allowed bool
	}{
		{[]string{csp, "frame-ancestors " + agent, csp, "frame-ancestors 'self'"}, false},
		{[]string{csp, "frame-ancestors " + agent + ", frame-ancestors 'none'"}, false},
		{[]string{csp, "frame-ancestors " + agent, csp, "default-src 'none'"}, true},
		{[]string{csp, "frame-ancestors " + agent + "; frame-ancestors 'none'"}, true}, // the first in a policy counts
	} {
		if got := policy(t, "https://crm.example.com/", test.headers...).Allows(agent); got != test.allowed {
			t.Errorf("%q: %t", test.headers, got)
		}
	}
}

// HTML, the X-Frame-Options header: what browsers do with each value.
func TestFrameOptions(t *testing.T) {
	for _, test := range []struct {
		headers []string
		allowed bool
	}{
		{[]string{xfo, "DENY"}, false},
		{[]string{xfo, "deny"}, false},
		{[]string{xfo, "SAMEORIGIN"}, false},
		{[]string{xfo, "SAMEORIGIN, SAMEORIGIN"}, false},
		{[]string{xfo, "ALLOW-FROM " + agent}, true}, // browsers ignore it
		{[]string{xfo, "ALLOW-FROM https://other.example.com"}, true},
		{[]string{xfo, "ALLOWALL"}, true},
		{[]string{xfo, "nonsense"}, true},
		{[]string{xfo, "ALLOWALL", xfo, "DENY"}, false},
		{[]string{xfo, "nonsense, SAMEORIGIN"}, false},
		{[]string{xfo, "DENY", csp, "frame-ancestors " + agent}, true}, // the newer header counts
		{[]string{xfo, "ALLOWALL", csp, "frame-ancestors 'none'"}, false},
		{[]string{xfo, "DENY", csp, "default-src 'self'"}, false},
	} {
		if got := policy(t, "https://crm.example.com/", test.headers...).Allows(agent); got != test.allowed {
			t.Errorf("%q: %t", test.headers, got)
		}
	}
}
