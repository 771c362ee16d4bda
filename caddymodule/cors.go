package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/screenpop/caddy-screenpop/internal/template"
)

// What the agent's browser asks for before it posts (XiVO, third party
// integration): at least these must be allowed.
const (
	allowedMethods = "POST, OPTIONS"
	allowedHeaders = "Origin, X-Requested-With, Content-Type, Accept"
	// preflightAge is the longest that Chromium keeps a preflight, in seconds.
	preflightAge = "7200"
)

// origins are the pages that get answers.
type origins struct {
	any   bool
	exact []string
}

// all lists the origins; "*" is any.
func (o origins) all() []string {
	if o.any {
		return []string{"*"}
	}
	return o.exact
}

func parseOrigins(texts []string, known template.Settings) (origins, error) {
	var parsed origins
	for _, text := range texts {
		text, resolved, err := resolve(text, known)
		switch {
		case err != nil:
			return origins{}, err
		case !resolved:
			parsed.exact = append(parsed.exact, text)
			continue
		case text == "*":
			parsed.any = true
			continue
		}
		origin, err := parseOrigin(text)
		if err != nil {
			return origins{}, err
		}
		parsed.exact = append(parsed.exact, origin)
	}
	if !parsed.any && len(parsed.exact) == 0 {
		return origins{}, errors.New("missing; write where agents open CC Agent, for example: origins https://xuc.example.com")
	}
	return parsed, nil
}

// parseOrigin brings an origin into the form in which browsers send it.
func parseOrigin(text string) (string, error) {
	parsed, err := url.Parse(text)
	switch {
	case strings.Contains(text, "*"):
		return "", fmt.Errorf("%q is a pattern; write each origin by itself, or * alone for any", text)
	case err != nil, parsed.Host == "", parsed.Scheme != "http" && parsed.Scheme != "https":
		return "", fmt.Errorf("%q is not an origin; write scheme and host, for example https://xuc.example.com", text)
	case strings.Trim(parsed.Path, "/") != "" || parsed.RawQuery != "" || parsed.Fragment != "" || parsed.User != nil:
		return "", fmt.Errorf("%q is more than an origin; write %s://%s", text, parsed.Scheme, parsed.Host)
	}
	host := strings.ToLower(parsed.Host)
	defaultPort := map[string]string{"http": ":80", "https": ":443"}[parsed.Scheme]
	return parsed.Scheme + "://" + strings.TrimSuffix(host, defaultPort), nil
}

// write puts the CORS headers on an answer, whatever it will be, and reports
// whether the request may be served: it comes from an allowed page, or from
// no page at all.
func (o origins) write(header http.Header, r *http.Request) bool {
	header.Add("Vary", "Origin")
	origin := strings.Join(r.Header.Values("Origin"), ",") // a browser sends one
	switch {
	case o.any:
		header.Set("Access-Control-Allow-Origin", "*")
		return true
	case origin == "":
		return true
	case slices.Contains(o.exact, origin):
		header.Set("Access-Control-Allow-Origin", origin)
		return true
	default:
		return false
	}
}

// preflight answers the browser's question whether it may post. It needs no
// credentials and is never redirected.
func (h *Handler) preflight(w http.ResponseWriter, r *http.Request, allowed bool) {
	header := w.Header()
	header.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers, Access-Control-Request-Private-Network")
	header.Set("Allow", allowedMethods)
	header.Set("Access-Control-Allow-Methods", allowedMethods)
	header.Set("Access-Control-Allow-Headers", allowedHeaders)
	header.Set("Access-Control-Max-Age", preflightAge)
	if allowed && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Private-Network") == "true" {
		header.Set("Access-Control-Allow-Private-Network", "true")
	}
	if !allowed {
		h.logOrigin(r)
	}
	w.WriteHeader(http.StatusNoContent)
}

// logOrigin tells the administrator why an agent sees nothing.
func (h *Handler) logOrigin(r *http.Request) {
	h.logger.Warn("refused a page that is not one of origins; if agents use it, add it to origins",
		zap.String("origin", logText(r.Header.Get("Origin"))),
		zap.String("method", r.Method))
}
