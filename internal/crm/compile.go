package crm

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"

	"github.com/screenpop/caddy-screenpop/internal/credential"
	"github.com/screenpop/caddy-screenpop/internal/mistake"
	"github.com/screenpop/caddy-screenpop/internal/phone"
	"github.com/screenpop/caddy-screenpop/internal/template"
)

// Options are what a [REST] needs besides its definition.
type Options struct {
	// Transport sends the requests.
	Transport http.RoundTripper
	// Timeout is for one request, answer included. Default: 2s.
	Timeout time.Duration
	// Window and Limit are the profile's; 0: their defaults.
	Window, Limit time.Duration
	// Settings are the placeholders whose values are fixed at load: "env.",
	// "file.", "credential.", "setting.". Their values are kept out of errors, but
	// for those of "setting.".
	Settings template.Settings
	// Store keeps refresh tokens that the CRM replaces; nil keeps them in memory.
	Store credential.Store
	// Lost is told when the CRM no longer accepts the credentials, and of a
	// refresh token that can't be saved; it gets a [*Failure], and is not called
	// for every call that suffers from it.
	Lost func(error)
}

// DefaultTimeout is the time that one request may take.
const DefaultTimeout = 2 * time.Second

// defaultSpellings are what most CRMs hold.
var defaultSpellings = []string{"e164", "national", "digits"}

// REST asks a CRM over HTTP, as a [Definition] says.
type REST struct {
	profile   Profile
	api       string
	transport http.RoundTripper
	timeout   time.Duration
	headers   []param
	entry     entry
	spellings []phone.Spelling
	lookups   []*lookup
	searchURL *text
	createURL *text
	callData  callData
	secrets   *secrets
	witness   atomic.Pointer[Witness]
}

// param is a compiled [Param].
type param struct {
	name    string
	encoded string // the name, for a query
	value   *text
}

// isOfCall reports whether only a call has a value for it.
func (p param) isOfCall() bool { return p.value.UsesAny(callPlaceholders...) || p.value.Uses("each") }

// Compile checks a definition and makes it ready to ask. Errors are
// [*mistake.Mistake]s.
func Compile(definition Definition, options Options) (*REST, error) {
	c := &compiler{options: options, rest: &REST{secrets: &secrets{}}}
	c.settings = c.remembered(options.Settings)
	if err := c.compile(definition); err != nil {
		return nil, err
	}
	c.rest.secrets.fix(c.secrets)
	return c.rest, nil
}

// Resume goes on with the token or session of another REST whose definition and
// settings are the same. It is for one that was not used yet.
func (r *REST) Resume(state *credential.State) { r.entry.resume(state) }

// Close ends what runs in the background, such as the renewal of a token.
func (r *REST) Close() { r.entry.close() }

type compiler struct {
	options    Options
	settings   template.Settings
	rest       *REST
	secrets    []string
	dialect    string
	miss, fail *Condition
	firstOnly  bool
	// access is how requests may name what the CRM gave for credentials:
	// "token.", "login." or "".
	access string
	taken  []string
	// isOpen is set when a setting that must be known is not, yet.
	isOpen bool
}

var nameForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

func checkIdentifier(what, name string) error {
	if !nameForm.MatchString(name) {
		return fmt.Errorf("%q is not a %s; write letters, digits, _ and -, beginning with a letter", name, what)
	}
	return nil
}

func (c *compiler) compile(d Definition) (err error) {
	r := c.rest
	if r.transport = c.options.Transport; r.transport == nil {
		r.transport = http.DefaultTransport
	}
	r.timeout = cmp.Or(c.options.Timeout, DefaultTimeout)
	r.profile.Name = cmp.Or(d.Name, "rest")
	r.profile.Window, r.profile.Limit = c.options.Window, c.options.Limit
	if err := checkIdentifier("name", r.profile.Name); err != nil {
		return mistake.In("name", err)
	}
	if r.profile.URL, err = c.baseURL(d.URL); err != nil {
		return mistake.In("url", err)
	}
	if r.api, err = c.apiURL(d.API); err != nil {
		return mistake.In("api", err)
	}
	if r.headers, err = c.params("header", d.Headers, template.Header, template.Dialect{}, c.scope()); err != nil {
		return err
	}
	if err := c.auth(d.Auth); err != nil {
		return mistake.In("auth", err)
	}
	if r.spellings, err = parseSpellings(d.Spellings); err != nil {
		return mistake.In("spellings", err)
	}
	if r.searchURL, err = optional(d.SearchURL, template.URL, template.Dialect{}, c.linkScope()); err != nil {
		return mistake.In("search_url", err)
	}
	if r.createURL, err = optional(d.CreateURL, template.URL, template.Dialect{}, c.linkScope()); err != nil {
		return mistake.In("create_url", err)
	}
	return c.shared(d)
}

// shared compiles the lookups with what they have in common.
func (c *compiler) shared(d Definition) error {
	if _, err := parseDialect(d.Dialect); err != nil {
		return mistake.In("dialect", err)
	}
	for option, shared := range map[string]*Condition{"miss": d.Miss, "fail": d.Fail} {
		if _, err := compileCondition(shared); err != nil {
			return mistake.In(option, err)
		}
	}
	c.dialect, c.miss, c.fail, c.firstOnly = d.Dialect, d.Miss, d.Fail, d.FirstOnly
	return c.lookups(d.Lookups)
}

// baseURL resolves and checks where the CRM lives.
func (c *compiler) baseURL(written string) (string, error) {
	if written == "" {
		return "", errors.New("missing; write where the CRM lives, for example https://crm.example.com")
	}
	return c.address(written, template.NewScope[values](c.settings))
}

// apiURL resolves and checks where the CRM's API is, if it says so itself.
func (c *compiler) apiURL(written string) (string, error) {
	if written == "" {
		return c.rest.profile.URL, nil
	}
	return c.address(written, c.addressScope())
}

// address resolves a base address.
func (c *compiler) address(written string, scope *template.Scope[values]) (string, error) {
	compiled, err := template.Compile(written, template.Header, scope)
	if err != nil {
		return "", err
	}
	if !compiled.IsKnown() {
		c.isOpen = true
		return "https://crm.invalid", nil
	}
	resolved, err := compiled.Render(ofNobody())
	if err != nil {
		return "", err
	}
	return checkBase(resolved, written)
}

// checkBase checks an address below which requests are made. Of what is wrong
// with it, it repeats only the text that was written.
func checkBase(resolved, written string) (string, error) {
	parsed, err := url.Parse(strings.TrimSpace(resolved))
	switch {
	case err != nil, parsed.Hostname() == "", parsed.Scheme != "http" && parsed.Scheme != "https":
		return "", fmt.Errorf("%q is not where a CRM lives; write https://host, for example https://crm.example.com", written)
	case parsed.User != nil:
		return "", errors.New("holds a user name or password; write them as auth basic, from {env.*} or {file.*}")
	case parsed.RawQuery != "" || parsed.ForceQuery || parsed.Fragment != "":
		return "", fmt.Errorf("%q has a query or fragment; parameters of a request are written as query in its lookup", written)
	}
	return strings.TrimRight(parsed.String(), "/"), nil
}

func parseSpellings(names []string) ([]phone.Spelling, error) {
	if len(names) == 0 {
		names = defaultSpellings
	}
	var spellings []phone.Spelling
	for _, name := range names {
		spelling, err := phone.ParseSpelling(name)
		if err != nil {
			return nil, err
		}
		spellings = append(spellings, spelling)
	}
	return spellings, nil
}

func optional(written string, place template.Place, dialect template.Dialect, scope *template.Scope[values]) (*text, error) {
	if written == "" {
		return nil, nil
	}
	return template.CompileIn(written, place, dialect, scope)
}

// placeholderInName finds what looks like a placeholder where none is filled in.
var placeholderInName = regexp.MustCompile(`\{[A-Za-z_][^{}]*\}`)

func (c *compiler) params(option string, list []Param, place template.Place, dialect template.Dialect, scope *template.Scope[values]) ([]param, error) {
	var compiled []param
	for _, p := range list {
		if p.Name == "" {
			return nil, mistake.In(option, errors.New("lacks its name"))
		}
		if place == template.Header && !httpguts.ValidHeaderFieldName(p.Name) {
			return nil, mistake.In(option+" "+p.Name, fmt.Errorf("%q is not the name of a header field", p.Name))
		}
		if placeholder := placeholderInName.FindString(p.Name); placeholder != "" {
			return nil, mistake.In(option, fmt.Errorf("the name %s holds the placeholder %s, and would be sent as it stands here; only values take placeholders", p.Name, placeholder))
		}
		value, err := template.CompileIn(p.Value, place, dialect, scope)
		if err != nil {
			return nil, mistake.In(option+" "+p.Name, err)
		}
		compiled = append(compiled, param{p.Name, url.QueryEscape(p.Name), value})
	}
	return compiled, nil
}
