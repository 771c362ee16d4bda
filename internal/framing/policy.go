// Package framing tells whether a CRM's page may be shown in a frame: most
// refuse, and an agent would see a blank pane. It knows nothing else.
package framing

import (
	"net/http"
	"net/netip"
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

// PolicyOf reads the headers of a page. Policies that only report are none.
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
			if option = strings.ToLower(strings.Trim(option, " \t")); !slices.Contains(p.options, option) {
				p.options = append(p.options, option)
			}
		}
	}
	return p
}

// frameAncestors finds the directive in a policy. The first one counts; one
// that is not ASCII is none.
func frameAncestors(policy string) (sources []string, ok bool) {
	for directive := range strings.SplitSeq(policy, ";") {
		words := strings.FieldsFunc(directive, isSpace)
		if len(words) > 0 && strings.EqualFold(words[0], "frame-ancestors") && isASCII(directive) {
			return words[1:], true
		}
	}
	return nil, false
}

// isSpace is ASCII whitespace, as the standards know it.
func isSpace(r rune) bool { return strings.ContainsRune("\t\n\f\r ", r) }

func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r > 0x7f })
}

// IsSilent reports whether a page says nothing about who may frame it.
func (p Policy) IsSilent() bool { return len(p.ancestors) == 0 && len(p.options) == 0 }

// Allows reports whether pages of all these origins, one inside the other, may
// have the page in them.
func (p Policy) Allows(origins ...string) bool {
	for _, origin := range origins {
		parsed, err := url.Parse(origin)
		if err != nil || parsed.Host == "" || p.IsMixed(origin) || !p.allows(parsed) {
			return false
		}
	}
	return true
}

// IsMixed reports whether the page is plain http and its frame is not: browsers
// show nothing then, whatever the page says.
func (p Policy) IsMixed(origin string) bool {
	scheme, host, _ := strings.Cut(p.origin, "://")
	return scheme == "http" && strings.HasPrefix(origin, "https://") && !isLoopback(host)
}

// isLoopback is what browsers trust without https.
func isLoopback(host string) bool {
	name := (&url.URL{Host: host}).Hostname()
	if address, err := netip.ParseAddr(name); err == nil {
		return address.IsLoopback()
	}
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}

func (p Policy) allows(origin *url.URL) bool {
	if len(p.ancestors) > 0 {
		return !slices.ContainsFunc(p.ancestors, func(sources []string) bool { return !p.matches(sources, origin) })
	}
	return p.optionsAllow(originOf(origin))
}

// optionsAllow is "check a navigation response's adherence to X-Frame-Options"
// in the HTML standard. What is no option of the standard is ignored.
func (p Policy) optionsAllow(origin string) bool {
	if len(p.options) > 1 {
		return !slices.ContainsFunc(p.options, func(option string) bool {
			return option == "deny" || option == "allowall" || option == "sameorigin"
		})
	}
	switch {
	case slices.Contains(p.options, "deny"):
		return false
	case slices.Contains(p.options, "sameorigin"):
		return origin == p.origin
	default:
		return true
	}
}

// matches reports whether a source list has an origin in it (Content Security
// Policy Level 3, "does url match source list in origin").
func (p Policy) matches(sources []string, origin *url.URL) bool {
	return slices.ContainsFunc(sources, func(source string) bool { return p.match(strings.ToLower(source), origin) })
}

func (p Policy) match(source string, origin *url.URL) bool {
	switch {
	case source == "'self'":
		return originOf(origin) == p.origin
	case source == "*":
		return origin.Scheme == "http" || origin.Scheme == "https"
	case strings.HasSuffix(source, ":") && !strings.Contains(source, "//"):
		return matchScheme(strings.TrimSuffix(source, ":"), origin.Scheme)
	}
	scheme, rest, found := strings.Cut(source, "://")
	if !found {
		scheme, rest = schemeOf(p.origin), source
	}
	host, path, _ := strings.Cut(rest, "/")
	host, port, hasPort := strings.Cut(host, ":")
	if hasPort && port == "" {
		return false
	}
	// An origin has no path for the source's to match.
	return path == "" && matchScheme(scheme, origin.Scheme) && matchHost(host, origin.Hostname()) && matchPort(port, origin)
}

// upgrades are the schemes that a source allows beside its own.
var upgrades = map[string][]string{"http": {"https"}, "ws": {"wss", "http", "https"}, "wss": {"https"}}

func matchScheme(source, scheme string) bool {
	return source == scheme || slices.Contains(upgrades[source], scheme)
}

// matchHost: a pattern is for names. The standard has no IP addresses at all,
// but browsers compare them.
func matchHost(source, host string) bool {
	host = strings.ToLower(host)
	if _, err := netip.ParseAddr(host); err == nil {
		return source == host
	}
	suffix, ok := strings.CutPrefix(source, "*")
	if !ok {
		return source == host
	}
	return suffix == "" || strings.HasPrefix(suffix, ".") && strings.HasSuffix(host, suffix)
}

var defaultPorts = map[string]string{"http": "80", "https": "443"}

// matchPort: like the scheme, the port is upgraded. The standard does not say
// so, but browsers do.
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
