package pane

import (
	"crypto/sha256"
	_ "embed" // the pages' style and script
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

//go:embed pane.css
var style string

//go:embed pane.js
var script string

// look is what all pages have in common.
type look struct {
	brand  brand
	style  template.CSS
	script template.JS
	policy string
}

func parseLook(b Brand, origins []string) (look, error) {
	parsed, err := parseBrand(b)
	if err != nil {
		return look{}, err
	}
	whole := style + parsed.style
	ancestors := strings.Join(origins, " ")
	switch {
	case slices.Contains(origins, "*"):
		ancestors = "*"
	case ancestors == "":
		ancestors = "'none'"
	}
	return look{
		brand: parsed, style: template.CSS(whole), script: template.JS(script), //nolint:gosec // our own
		// Nothing is loaded from anywhere: the style, the script and the logo are in
		// the page.
		policy: "default-src 'none'; style-src '" + hash(whole) + "'; script-src '" + hash(script) + "'; img-src data:; connect-src 'self'; " +
			"base-uri 'none'; form-action 'none'; frame-ancestors " + ancestors,
	}, nil
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// write puts the headers on an answer that every page has.
func (l look) write(header http.Header) {
	header.Set("Content-Security-Policy", l.policy)
	header.Set("Cache-Control", "no-store")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Robots-Tag", "noindex")
}

// allowFrame lets a page show the CRM's. Its own redirects, to a login say, are
// followed inside the frame.
func allowFrame(header http.Header, address string) {
	sources := "https:"
	if parsed, err := url.Parse(address); err == nil && parsed.Scheme == "http" {
		sources = "http: https:"
	}
	header.Set("Content-Security-Policy", header.Get("Content-Security-Policy")+"; frame-src "+sources)
}
