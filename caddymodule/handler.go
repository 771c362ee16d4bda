// Package caddymodule is the face of caddy-screenpop towards Caddy: the
// screen_pop directive, its JSON configuration, and the serving of calls.
package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/screenpop/caddy-screenpop/internal/crm"
	"github.com/screenpop/caddy-screenpop/internal/lookup"
	"github.com/screenpop/caddy-screenpop/internal/mistake"
	"github.com/screenpop/caddy-screenpop/internal/phone"
	"github.com/screenpop/caddy-screenpop/internal/pop"
	"github.com/screenpop/caddy-screenpop/internal/template"
	"github.com/screenpop/caddy-screenpop/internal/xucmgt"
)

func init() {
	caddy.RegisterModule(Handler{})
}

// Defaults of a [Handler].
const (
	defaultEndpoint = "/"
	defaultDeadline = 800 * time.Millisecond
	shortestWait    = 50 * time.Millisecond
	longestWait     = time.Minute
)

// defaultInternal are the lengths of colleagues' extensions.
var defaultInternal = []string{"2-6"}

// Handler answers XiVO's contact-centre agent application (XucMgt). When a
// call rings, the agent's browser POSTs it here; the handler looks the caller
// up in the configured CRMs and answers, within the deadline, which page to
// open. Point XucMgt's `THIRD_PARTY_URL` at the endpoint.
//
// CORS preflights are answered, and every answer has CORS headers for the
// configured origins. Requests for other paths go to the next handler.
//
// In the texts of this module Caddy's `{env.*}` and `{file.*}` are resolved
// when the configuration loads; `{call.*}`, `{number.*}`, `{contact.*}` and
// `{crm.*}` are filled in for each call, escaped for the place where they stand.
type Handler struct {
	// The origins of the CC Agent application, such as `https://xuc.example.com`:
	// only pages of these get answers. `*` allows any. Required.
	Origins []string `json:"origins,omitempty"`

	// The path that XucMgt POSTs to. Default: `/`.
	Endpoint string `json:"endpoint,omitempty"`

	// The country that national numbers belong to, as two letters of ISO 3166
	// such as `FR`. Required.
	Region string `json:"region,omitempty"`

	// Which callers are colleagues, who are not looked up: ranges of lengths of
	// extensions such as `2-6`, or patterns such as `+3342746*`. `off` for none.
	// Default: `2-6`.
	Internal []string `json:"internal,omitempty"`

	// The time from a call's arrival in which it is answered, whatever the CRMs
	// do. Default: `800ms`.
	Deadline caddy.Duration `json:"deadline,omitempty"`

	// The number to look up, as texts with `{call.*}`: of several the first that
	// is a number. Default: `{call.caller}`.
	LookupBy []string `json:"lookup_by,omitempty"`

	// For how long what CRMs said is remembered. Default: with the defaults of
	// each of its options.
	Cache *Cache `json:"cache,omitempty"`

	// The CRMs to ask, in order of preference. Required.
	CRMsRaw []json.RawMessage `json:"crms,omitempty" caddy:"namespace=screen_pop.connectors inline_key=connector"`

	pop.Definition

	// Our own pages, which the agent sees where the CRM has none that fits.
	// Default: all of them.
	Pane *Pane `json:"pane,omitempty"`

	// Where in a Caddyfile the options stand whose values are known only when
	// the configuration loads; used in errors. Written by the Caddyfile adapter.
	Sources map[string]string `json:"sources,omitempty"`

	endpoint string
	deadline time.Duration
	origins  origins
	region   phone.Region
	numbers  *phone.Reader
	internal []phone.Pattern
	lookupBy []*template.Template[xucmgt.Call]
	rules    *pop.Rules
	engine   *lookup.Engine
	memories []string // keys of what was taken from the pool of memories
	logger   *zap.Logger
	calls    *inUse
	pages    *ownPages
	// pageNames are the pages that may be used.
	pageNames []string
}

// CaddyModule returns the Caddy module information.
func (Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.screen_pop",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision sets the handler up. It does not ask the CRMs anything.
func (h *Handler) Provision(ctx caddy.Context) error {
	quieten()
	h.logger, h.calls = ctx.Logger(), &inUse{}
	if err := h.prepare(loadedSettings()); err != nil {
		return located(err, h.Sources, 0)
	}
	h.openPages(ctx)
	written := h.CRMsRaw
	connectors, err := h.loadConnectors(ctx)
	if err != nil {
		return err
	}
	profiles, err := h.profilesOf(connectors)
	if err != nil {
		return located(err, h.Sources, 0)
	}
	if err := h.prepareRules(profiles, loadedSettings()); err != nil {
		return located(err, h.Sources, 0)
	}
	return h.prepareEngine(connectors, written)
}

// Cleanup ends what is asked in the background, and gives what is remembered
// back to the next configuration. Calls outlive theirs: what they need of the
// pages ends with the last one. It is called after a failed Provision too.
func (h *Handler) Cleanup() error {
	quieten()
	h.calls.retire(h.pages.close)
	if h.engine != nil {
		h.engine.Retire()
	}
	return h.forget()
}

func (h *Handler) loadConnectors(ctx caddy.Context) ([]crm.Connector, error) {
	if len(h.CRMsRaw) == 0 {
		return nil, errNoCRM
	}
	loaded, err := ctx.LoadModule(h, "CRMsRaw")
	if err != nil {
		return nil, fmt.Errorf("loading the crms: %w", err)
	}
	var connectors []crm.Connector
	for _, module := range loaded.([]any) {
		connector, ok := module.(crm.Connector)
		if !ok {
			return nil, fmt.Errorf("%T in the namespace screen_pop.connectors is not a Connector", module)
		}
		connectors = append(connectors, connector)
	}
	return connectors, nil
}

var errNoCRM = mistake.In("crm", errors.New("missing; write which CRM to ask, for example: crm espocrm https://crm.example.com"))

func (h *Handler) profilesOf(connectors []crm.Connector) ([]crm.Profile, error) {
	var profiles []crm.Profile
	for _, connector := range connectors {
		profile := connector.Profile()
		if profile.Window >= h.deadline {
			return nil, mistake.In("crm "+profile.Name, mistake.In("window", fmt.Errorf("%s is not shorter than the deadline of %s", profile.Window, h.deadline)))
		}
		for _, other := range profiles {
			if other.Name == profile.Name {
				return nil, mistake.In("crm "+profile.Name, errors.New("there are two crms of this name; give one of them another with the option name"))
			}
		}
		profiles = append(profiles, profile)
	}
	return profiles, nil
}

// prepare checks and compiles everything that does not depend on the CRMs.
func (h *Handler) prepare(known template.Settings) (err error) {
	if h.origins, err = parseOrigins(h.Origins, known); err != nil {
		return mistake.In("origins", err)
	}
	if h.endpoint, err = parseEndpoint(h.Endpoint); err != nil {
		return mistake.In("endpoint", err)
	}
	if h.region, err = parseRegion(h.Region); err != nil {
		return mistake.In("region", err)
	}
	h.numbers = phone.NewReader(h.region)
	if h.internal, err = parseInternal(h.Internal); err != nil {
		return mistake.In("internal", err)
	}
	if h.deadline, err = parseDeadline(h.Deadline); err != nil {
		return mistake.In("deadline", err)
	}
	if h.lookupBy, err = compileLookupBy(h.LookupBy, known); err != nil {
		return mistake.In("lookup_by", err)
	}
	if err := mistake.In("pane", h.preparePane(known)); err != nil {
		return err
	}
	return mistake.In("cache", h.Cache.check(known))
}

// prepareRules compiles the rules, whose placeholders depend on the CRMs.
func (h *Handler) prepareRules(profiles []crm.Profile, known template.Settings) (err error) {
	h.rules, err = pop.Compile(h.Definition, pop.Options{
		Profiles: profiles, Region: h.region, Settings: known, Pages: h.pageNames, Refused: h.refused(),
	})
	return err
}

func parseEndpoint(path string) (string, error) {
	if path == "" {
		return defaultEndpoint, nil
	}
	if !strings.HasPrefix(path, "/") || strings.ContainsAny(path, "?#*{ ") {
		return "", fmt.Errorf("%q is not a path; write for example /screenpop", path)
	}
	return path, nil
}

func parseRegion(code string) (phone.Region, error) {
	if code == "" {
		return phone.Region{}, errors.New("missing; write the country that national numbers belong to, for example: region FR")
	}
	return phone.ParseRegion(code)
}

func parseInternal(texts []string) ([]phone.Pattern, error) {
	switch {
	case len(texts) == 0:
		texts = defaultInternal
	case slices.Equal(texts, []string{"off"}):
		return nil, nil
	}
	var patterns []phone.Pattern
	for _, text := range texts {
		pattern, err := phone.ParsePattern(text)
		if err != nil {
			return nil, err
		}
		patterns = append(patterns, pattern)
	}
	return patterns, nil
}

func parseDeadline(duration caddy.Duration) (time.Duration, error) {
	switch deadline := time.Duration(duration); {
	case deadline == 0:
		return defaultDeadline, nil
	case deadline < shortestWait || deadline > longestWait:
		return 0, fmt.Errorf("%s is not between %s and %s", deadline, shortestWait, longestWait)
	default:
		return deadline, nil
	}
}

func compileLookupBy(texts []string, known template.Settings) ([]*template.Template[xucmgt.Call], error) {
	if len(texts) == 0 {
		texts = []string{"{call.caller}"}
	}
	scope := template.NewScope[xucmgt.Call](known)
	crm.AddCall(scope, func(call xucmgt.Call) xucmgt.Call { return call })
	compiled, err := template.CompileFallback(texts, template.Text, scope)
	if err != nil {
		return nil, err
	}
	for _, text := range compiled {
		if !text.Varies() {
			return nil, fmt.Errorf("%q is the same for every call; write for example {call.caller}", text)
		}
	}
	return compiled, nil
}

// ServeHTTP answers calls at the endpoint, serves our pages below it, and lets
// everything else pass.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	serve := h.serverOf(r.URL.Path)
	if serve == nil {
		return next.ServeHTTP(w, r)
	}
	h.calls.use()
	defer h.calls.done()
	serve(w, r)
	return nil
}

// serverOf is what serves a path; nil if it is not ours.
func (h *Handler) serverOf(path string) http.HandlerFunc {
	switch {
	case h.owns(path):
		return h.pages.server.ServeHTTP
	case h.isLanding(path):
		return h.land
	case path == h.endpoint:
		return h.serveEndpoint
	default:
		return nil
	}
}

func (h *Handler) serveEndpoint(w http.ResponseWriter, r *http.Request) {
	arrived := time.Now()
	allowed := h.origins.write(w.Header(), r)
	h.pages.prepare()
	switch r.Method {
	case http.MethodOptions:
		h.preflight(w, r, allowed)
	case http.MethodPost:
		h.serveCall(w, r, allowed, arrived)
	default:
		w.Header().Set("Allow", allowedMethods)
		refuse(w, http.StatusMethodNotAllowed, "method_not_allowed",
			fmt.Sprintf("%s is not answered here; XucMgt sends POST", r.Method))
	}
}

// Interface guards
var (
	_ caddy.Module                = (*Handler)(nil)
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.CleanerUpper          = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
	_ caddyfile.Unmarshaler       = (*Handler)(nil)
)
