package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"

	"github.com/screenpop/caddy-screenpop/internal/crm"
	"github.com/screenpop/caddy-screenpop/internal/mistake"
	"github.com/screenpop/caddy-screenpop/internal/template"
)

func init() {
	caddy.RegisterModule(REST{})
}

// REST asks a CRM that has an HTTP API. It is told how by its options, by a
// preset for a known product, or by a preset with options laid over it.
type REST struct {
	// The product whose definition to start from: `espocrm`. What is written
	// beside it is laid over it: lookups replace those of the same kind.
	Preset string `json:"preset,omitempty"`

	// The credentials that the definition asks for, by name. The place for the
	// values is `{env.*}` or `{file.*}`.
	Credentials map[string]string `json:"credentials,omitempty"`

	crm.Definition

	// The time for one request, answer included. Default: `2s`.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// How to connect to the CRM: trust, client certificates, keep-alive, as in
	// `reverse_proxy`. Default: `http`.
	TransportRaw json.RawMessage `json:"transport,omitempty" caddy:"namespace=http.reverse_proxy.transport inline_key=protocol"`

	// Where in a Caddyfile the options stand whose values are known only when
	// the configuration loads; used in errors. Written by the Caddyfile adapter.
	Sources map[string]string `json:"sources,omitempty"`

	// declared are the credentials that the definition asks for.
	declared []string
	engine   *crm.REST
}

// CaddyModule returns the Caddy module information.
func (REST) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "screen_pop.connectors.rest",
		New: func() caddy.Module { return new(REST) },
	}
}

// Provision compiles the definition. It does not ask the CRM anything.
func (c *REST) Provision(ctx caddy.Context) error {
	transport, err := c.loadTransport(ctx)
	if err != nil {
		return located(mistake.In(c.title(), mistake.In("transport", err)), c.Sources, 1)
	}
	engine, err := c.compile(loadedSettings(), separateRequests{transport})
	if err != nil {
		return located(mistake.In(c.title(), err), c.Sources, 1)
	}
	c.engine = engine
	return nil
}

func (c *REST) loadTransport(ctx caddy.Context) (http.RoundTripper, error) {
	if c.TransportRaw == nil {
		c.TransportRaw = json.RawMessage(`{"protocol":"http"}`)
	}
	loaded, err := ctx.LoadModule(c, "TransportRaw")
	if err != nil {
		return nil, err
	}
	transport, ok := loaded.(http.RoundTripper)
	if !ok {
		return nil, fmt.Errorf("%T can't send HTTP requests", loaded)
	}
	return transport, nil
}

// title is how the CRM is called in errors: as the Caddyfile names it.
func (c *REST) title() string {
	if c.Preset != "" {
		return "crm " + c.Preset
	}
	return "crm rest"
}

// compile makes the connector ready, as far as the settings are known.
func (c *REST) compile(known template.Settings, transport http.RoundTripper) (*crm.REST, error) {
	complete, err := c.withPreset()
	if err != nil {
		return nil, err
	}
	withCredentials, err := complete.credentialSettings(known)
	if err != nil {
		return nil, err
	}
	if complete.Timeout < 0 {
		return nil, mistake.In("timeout", fmt.Errorf("%s is negative", time.Duration(complete.Timeout)))
	}
	return crm.Compile(complete.Definition, crm.Options{
		Transport: transport,
		Timeout:   time.Duration(complete.Timeout),
		Settings:  withCredentials,
	})
}

// withPreset lays the options over the preset's.
func (c *REST) withPreset() (*REST, error) {
	if c.Preset == "" {
		return c, nil
	}
	base, err := readPreset(c.Preset)
	if err != nil {
		return nil, err
	}
	complete := *base
	complete.Credentials = c.Credentials
	complete.Name = c.Preset
	if c.Name != "" {
		complete.Name = c.Name
	}
	complete.URL = c.URL
	complete.Headers = append(slices.Clone(base.Headers), c.Headers...)
	if len(c.Spellings) > 0 {
		complete.Spellings = c.Spellings
	}
	if c.SearchURL != "" {
		complete.SearchURL = c.SearchURL
	}
	if c.CreateURL != "" {
		complete.CreateURL = c.CreateURL
	}
	if c.Timeout != 0 {
		complete.Timeout = c.Timeout
	}
	complete.Lookups = overlayLookups(base.Lookups, c.Lookups)
	return &complete, nil
}

func overlayLookups(base, over []crm.Lookup) []crm.Lookup {
	result := slices.Clone(base)
	for _, lookup := range over {
		at := slices.IndexFunc(result, func(l crm.Lookup) bool { return l.Kind == lookup.Kind })
		if at < 0 {
			result = append(result, lookup)
			continue
		}
		result[at] = lookup
	}
	return result
}

// credentialSettings adds {credential.*} to the settings.
func (c *REST) credentialSettings(known template.Settings) (template.Settings, error) {
	values := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(c.Credentials)) {
		if len(c.declared) > 0 && !slices.Contains(c.declared, name) {
			return nil, mistake.In(name, unknownCredential(name, c.declared))
		}
		value, resolved, err := resolve(c.Credentials[name], known)
		switch {
		case err != nil:
			return nil, mistake.In(name, err)
		case resolved && strings.TrimSpace(value) == "":
			return nil, mistake.In(name, fmt.Errorf("is empty; write for example: %s {env.%s}", name, strings.ToUpper(name)))
		}
		values[name] = value
	}
	for _, name := range c.declared {
		if _, ok := values[name]; !ok {
			return nil, mistake.In(name, fmt.Errorf("missing; the CRM wants it: write for example %s {env.%s}", name, strings.ToUpper(name)))
		}
	}
	extended := maps.Clone(known)
	extended[credentialPrefix] = func(name string) (string, error) {
		credential := strings.TrimPrefix(name, credentialPrefix)
		if value, ok := values[credential]; ok {
			return value, nil
		}
		return "", unknownCredential(credential, slices.Sorted(maps.Keys(values)))
	}
	return extended, nil
}

const credentialPrefix = "credential." //nolint:gosec // is none

func unknownCredential(name string, known []string) error {
	if nearest := template.Nearest(name, known); nearest != "" {
		return fmt.Errorf("unknown credential %q; did you mean %s?", name, nearest)
	}
	return fmt.Errorf("unknown credential %q", name)
}

// Profile returns which CRM this is.
func (c *REST) Profile() Profile { return c.engine.Profile() }

// Search asks the CRM.
func (c *REST) Search(ctx context.Context, query Query) Result { return c.engine.Search(ctx, query) }

// Links returns the CRM's search and creation pages.
func (c *REST) Links(query Query) Links { return c.engine.Links(query) }

// separateRequests gives each request to a CRM variables of its own. Caddy's
// transport keeps some per HTTP request that it serves, but one call makes
// several requests at once; and inside a handle_response of reverse_proxy they
// would hold that proxy's upstream.
type separateRequests struct{ http.RoundTripper }

func (s separateRequests) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx := context.WithValue(request.Context(), caddyhttp.VarsCtxKey, map[string]any{})
	ctx = context.WithValue(ctx, caddy.ReplacerCtxKey, caddy.NewReplacer())
	response, err := s.RoundTripper.RoundTrip(request.WithContext(ctx))
	if dial, ok := errors.AsType[reverseproxy.DialError](err); ok {
		text := dial.Error() // it hides what it wraps
		return nil, &crm.ConnectError{Reason: strings.TrimSpace(text[strings.LastIndex(text, ":")+1:])}
	}
	return response, err
}

// Interface guards
var (
	_ caddy.Module          = (*REST)(nil)
	_ caddy.Provisioner     = (*REST)(nil)
	_ Connector             = (*REST)(nil)
	_ caddyfile.Unmarshaler = (*REST)(nil)
)
