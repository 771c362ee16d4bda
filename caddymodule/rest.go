package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"go.uber.org/zap"

	"github.com/screenpop/caddy-screenpop/internal/credential"
	"github.com/screenpop/caddy-screenpop/internal/crm"
	"github.com/screenpop/caddy-screenpop/internal/mistake"
	"github.com/screenpop/caddy-screenpop/internal/protect"
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

	// What the definition leaves to choose, by name, and is no secret.
	Settings map[string]string `json:"settings,omitempty"`

	crm.Definition

	// The time for one request, answer included. Default: `2s`.
	Timeout caddy.Duration `json:"timeout,omitempty"`

	// How long this CRM's answer is waited for while a less preferred one knows
	// the caller. Default: half of the deadline.
	Window caddy.Duration `json:"window,omitempty"`

	// How long a lookup may go on, also when its call has long been answered: the
	// next call, and the waiting page, profit. Default: `10s`.
	Limit caddy.Duration `json:"limit,omitempty"`

	// How to connect to the CRM: trust, client certificates, keep-alive, as in
	// `reverse_proxy`. Default: `http`.
	TransportRaw json.RawMessage `json:"transport,omitempty" caddy:"namespace=http.reverse_proxy.transport inline_key=protocol"`

	// How many requests the CRM bears, and what is done when it fails. Default: on,
	// with the defaults of its options.
	Protect *Protect `json:"protect,omitempty"`

	// Where in a Caddyfile the options stand whose values are known only when
	// the configuration loads; used in errors. Written by the Caddyfile adapter.
	Sources map[string]string `json:"sources,omitempty"`

	declared    declarations
	engine      *crm.REST
	searches    *inUse
	print       string // the fingerprint of what was loaded
	credentials string // the key of what was taken from the pool of credentials
	guard       *protect.Transport
	guarded     bool // whether its state was taken from the pool of guards
	warmer      *warmer
}

// declarations are what a definition asks its user for.
type declarations struct{ credentials, settings []string }

// CaddyModule returns the Caddy module information.
func (REST) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "screen_pop.connectors.rest",
		New: func() caddy.Module { return new(REST) },
	}
}

// Provision compiles the definition. It does not ask the CRM anything.
func (c *REST) Provision(ctx caddy.Context) error {
	written := c.TransportRaw // loading clears it
	state, err := c.newState()
	if err != nil {
		return located(mistake.In(c.title(), err), c.Sources, 1)
	}
	transport, err := c.loadTransport(ctx, state)
	if err != nil {
		return located(mistake.In(c.title(), mistake.In("transport", err)), c.Sources, 1)
	}
	logger := ctx.Logger()
	known := &notedSettings{}
	engine, err := c.compile(known.noting(loadedSettings()), host{
		transport: c.protected(transport, state),
		store:     tokenStore{ctx.Storage()},
		lost: func(err error) {
			message := "a CRM no longer accepts its credentials; until they are mended, callers are not looked up in it"
			if failure, ok := errors.AsType[*crm.Failure](err); ok && failure.Unsaved {
				message = "a CRM's new refresh token could not be saved; once Caddy ends, callers are not looked up in it any more"
			}
			logger.Error(message, zap.Error(err))
		},
	})
	if err != nil {
		return located(mistake.In(c.title(), err), c.Sources, 1)
	}
	c.engine, c.searches = engine, &inUse{}
	if c.print, err = c.fingerprint(known, written); err != nil {
		return err
	}
	if err := c.resume(state); err != nil {
		return err
	}
	c.watch(logger)
	c.warmer, err = newWarmer(ctx, engine, transport, state)
	return err
}

func (c *REST) loadTransport(ctx caddy.Context, state *protect.State) (http.RoundTripper, error) {
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
	pool(transport, state)
	return separateRequests{transport}, nil
}

// Cleanup ends what runs in the background, once the last search has ended: calls
// outlive their configuration. It is called after a failed Provision too.
func (c *REST) Cleanup() error {
	c.warmer.end()
	if c.guard != nil {
		c.guard.Close()
	}
	if c.engine != nil {
		c.searches.retire(c.engine.Close)
	}
	return c.release()
}

// host is what Caddy lends a connector.
type host struct {
	transport http.RoundTripper
	store     credential.Store
	lost      func(error)
}

// title is how the CRM is called in errors: as the Caddyfile names it.
func (c *REST) title() string {
	if c.Preset != "" {
		return "crm " + c.Preset
	}
	return "crm rest"
}

// compile makes the connector ready, as far as the settings are known.
func (c *REST) compile(known template.Settings, host host) (*crm.REST, error) {
	complete, err := c.withPreset()
	if err != nil {
		return nil, err
	}
	known, err = complete.given(known)
	if err != nil {
		return nil, err
	}
	if err := complete.checkTimes(); err != nil {
		return nil, err
	}
	if _, err := complete.Protect.options(); err != nil {
		return nil, mistake.In("protect", err)
	}
	engine, err := crm.Compile(complete.Definition, crm.Options{
		Transport: host.transport,
		Timeout:   time.Duration(complete.Timeout),
		Window:    time.Duration(complete.Window),
		Limit:     time.Duration(complete.Limit),
		Settings:  known,
		Store:     host.store,
		Lost:      host.lost,
	})
	if lacking, ok := errors.AsType[*missing](err); ok {
		lacking.isPresets = c.Preset != ""
		return nil, mistake.In(lacking.name, lacking)
	}
	return engine, err
}

// longestLimit is how long any lookup may go on.
const longestLimit = 5 * time.Minute

func (c *REST) checkTimes() error {
	for _, option := range []struct {
		name string
		time caddy.Duration
	}{{"timeout", c.Timeout}, {"window", c.Window}, {"limit", c.Limit}} {
		if option.time < 0 {
			return mistake.In(option.name, fmt.Errorf("%s is negative", time.Duration(option.time)))
		}
	}
	if limit := time.Duration(c.Limit); limit > longestLimit {
		return mistake.In("limit", fmt.Errorf("%s is longer than %s", limit, longestLimit))
	}
	return nil
}

// Profile returns which CRM this is.
func (c *REST) Profile() Profile { return c.engine.Profile() }

// Key names what the CRM's answer depends on.
func (c *REST) Key(query Query) string { return c.engine.Key(query) }

// Search asks the CRM.
func (c *REST) Search(ctx context.Context, query Query) Result {
	c.searches.use()
	defer c.searches.done()
	return c.engine.Search(ctx, query)
}

// Links returns the CRM's search and creation pages.
func (c *REST) Links(query Query) Links { return c.engine.Links(query) }

// separateRequests gives each request to a CRM variables of its own. Caddy's
// transport keeps some per HTTP request that it serves, but one call makes
// several requests at once; and inside a handle_response of reverse_proxy they
// would hold that proxy's upstream.
type separateRequests struct{ http.RoundTripper }

func (s separateRequests) RoundTrip(request *http.Request) (*http.Response, error) {
	own := ownVariables{request.Context(), map[string]any{}}
	response, err := s.RoundTripper.RoundTrip(request.WithContext(own))
	if dial, ok := errors.AsType[reverseproxy.DialError](err); ok {
		return nil, unconnected(dial)
	}
	return response, err
}

// ownVariables is a context in which Caddy finds variables of one request, and
// placeholders of none: those are the gateway's to fill in.
type ownVariables struct {
	context.Context

	variables map[string]any
}

var noPlaceholders = caddy.NewEmptyReplacer() // only read

func (o ownVariables) Value(key any) any {
	switch key {
	case caddyhttp.VarsCtxKey:
		return o.variables
	case caddy.ReplacerCtxKey:
		return noPlaceholders
	default:
		return o.Context.Value(key)
	}
}

// unconnected is why no connection came about. Caddy's error hides what it wraps.
func unconnected(dial reverseproxy.DialError) error {
	text := dial.Error()
	reason := strings.TrimSpace(text[strings.LastIndex(text, ":")+1:])
	if strings.Contains(text, ": lookup ") {
		return &net.DNSError{Err: reason}
	}
	return &crm.ConnectError{Reason: reason}
}

// Interface guards
var (
	_ caddy.Module          = (*REST)(nil)
	_ caddy.Provisioner     = (*REST)(nil)
	_ caddy.CleanerUpper    = (*REST)(nil)
	_ Connector             = (*REST)(nil)
	_ caddyfile.Unmarshaler = (*REST)(nil)
)
