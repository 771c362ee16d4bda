// Package framing tells whether a CRM's page may be shown in a frame: most
// refuse, and an agent would see a blank pane. It knows nothing else.
package framing

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Policy is what a page says about who may frame it. The zero Policy is that of
// a page that says nothing: anybody may.
type Policy struct {
	// origin is the page's own, for 'self'.
	origin string
	// ancestors are the lists of frame-ancestors, all of which must allow a frame.
	ancestors [][]string
	// options is X-Frame-Options; browsers ignore it where there are ancestors.
	options []string
}

// PolicyOf reads the headers of a page.
func PolicyOf(page *url.URL, header http.Header) Policy {
	p := Policy{origin: originOf(page)}
	for _, value := range header.Values("Content-Security-Policy") {
		for policy := range strings.SplitSeq(value, ",") {
			if sources, ok := frameAncestors(policy); ok {
				p.ancestors = append(p.ancestors, sources)
			}
		}
	}
	for _, value := range header.Values("X-Frame-Options") {
		for option := range strings.SplitSeq(value, ",") {
			if option = strings.ToUpper(strings.TrimSpace(option)); option != "" && !slices.Contains(p.options, option) {
				p.options = append(p.options, option)
			}
		}
	}
	return p
}

// frameAncestors finds the directive in a policy. The first one counts.
func frameAncestors(policy string) (sources []string, ok bool) {
	for directive := range strings.SplitSeq(policy, ";") {
		words := strings.Fields(directive)
		if len(words) > 0 && strings.EqualFold(words[0], "frame-ancestors") {
			return words[1:], true
		}
	}
	return nil, false
}

// Allows reports whether pages of all these origins, one inside the other, may
// have the page in them.
func (p Policy) Allows(origins ...string) bool {
	for _, origin := range origins {
		if !p.allows(origin) {
			return false
		}
	}
	return true
}

func (p Policy) allows(origin string) bool {
	if len(p.ancestors) > 0 {
		return !slices.ContainsFunc(p.ancestors, func(sources []string) bool { return !p.matches(sources, origin) })
	}
	switch {
	case !slices.ContainsFunc(p.options, isFrameOption):
		return true // browsers ignore what they don't know, ALLOW-FROM too
	case len(p.options) > 1:
		return false
	case p.options[0] == "SAMEORIGIN":
		return origin == p.origin
	default:
		return p.options[0] == "ALLOWALL"
	}
}

func isFrameOption(option string) bool {
	return slices.Contains([]string{"DENY", "SAMEORIGIN", "ALLOWALL"}, option)
}

// matches reports whether a source list has an origin in it (CSP Level 3, 6.7.2).
func (p Policy) matches(sources []string, origin string) bool {
	return slices.ContainsFunc(sources, func(source string) bool { return p.match(strings.ToLower(source), origin) })
}

func (p Policy) match(source, origin string) bool {
	parsed, err := url.Parse(origin)
	if err != nil || parsed.Host == "" {
		return false
	}
	switch {
	case source == "'self'":
		return origin == p.origin
	case source == "*":
		return parsed.Scheme == "http" || parsed.Scheme == "https"
	case strings.HasSuffix(source, ":") && !strings.Contains(source, "//"):
		return matchScheme(strings.TrimSuffix(source, ":"), parsed.Scheme)
	}
	scheme, rest, found := strings.Cut(source, "://")
	if !found {
		scheme, rest = schemeOf(p.origin), source
	}
	host, _, _ := strings.Cut(rest, "/")
	host, port, _ := strings.Cut(host, ":")
	return matchScheme(scheme, parsed.Scheme) && matchHost(host, parsed.Hostname()) && matchPort(port, parsed)
}

// matchScheme: a source that allows http allows https.
func matchScheme(source, scheme string) bool {
	return source == scheme || source == "http" && scheme == "https"
}

func matchHost(source, host string) bool {
	if suffix, ok := strings.CutPrefix(source, "*."); ok {
		return strings.HasSuffix(host, "."+suffix)
	}
	return source == host
}

var defaultPorts = map[string]string{"http": "80", "https": "443"}

func matchPort(source string, origin *url.URL) bool {
	port := origin.Port()
	if port == "" {
		port = defaultPorts[origin.Scheme]
	}
	switch source {
	case "*":
		return true
	case "":
		return port == defaultPorts[origin.Scheme]
	case "80":
		return port == "80" || port == "443" && origin.Scheme == "https"
	default:
		return port == source
	}
}

func schemeOf(origin string) string {
	scheme, _, _ := strings.Cut(origin, "://")
	return scheme
}

// originOf is a page's origin, as browsers write it.
func originOf(page *url.URL) string {
	host := strings.ToLower(page.Host)
	return page.Scheme + "://" + strings.TrimSuffix(host, ":"+defaultPorts[page.Scheme])
}
