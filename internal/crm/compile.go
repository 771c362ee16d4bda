package crm

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"golang.org/x/net/http/httpguts"

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
	// Settings are the placeholders whose values are fixed at load: "env.",
	// "file.", "credential.". Their values are kept out of errors.
	Settings template.Settings
}

// DefaultTimeout is the time that one request may take.
const DefaultTimeout = 2 * time.Second

// defaultSpellings are what most CRMs hold.
var defaultSpellings = []string{"e164", "national", "digits"}

// REST asks a CRM over HTTP, as a [Definition] says.
type REST struct {
	profile   Profile
	client    *http.Client
	timeout   time.Duration
	headers   []param
	spellings []phone.Spelling
	lookups   []*lookup
	searchURL *template.Template[values]
	createURL *template.Template[values]
	secrets   *strings.Replacer
}

// param is a compiled [Param].
type param struct {
	name  string
	value *template.Template[values]
}

// Compile checks a definition and makes it ready to ask. Errors are
// [*mistake.Mistake]s.
func Compile(definition Definition, options Options) (*REST, error) {
	c := &compiler{options: options, rest: &REST{}}
	c.settings = c.remembered(options.Settings)
	if err := c.compile(definition); err != nil {
		return nil, err
	}
	c.rest.secrets = hideAll(c.secrets)
	return c.rest, nil
}

type compiler struct {
	options  Options
	settings template.Settings
	rest     *REST
	secrets  []string
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
	r.client = &http.Client{Transport: c.options.Transport, CheckRedirect: stay}
	r.timeout = cmp.Or(c.options.Timeout, DefaultTimeout)
	r.profile.Name = cmp.Or(d.Name, "rest")
	if err := checkIdentifier("name", r.profile.Name); err != nil {
		return mistake.In("name", err)
	}
	if r.profile.URL, err = c.baseURL(d.URL); err != nil {
		return mistake.In("url", err)
	}
	if r.headers, err = c.params("header", d.Headers, template.Header, c.scope()); err != nil {
		return err
	}
	if r.spellings, err = parseSpellings(d.Spellings); err != nil {
		return mistake.In("spellings", err)
	}
	if r.searchURL, err = c.optional(d.SearchURL, template.URL, c.scope()); err != nil {
		return mistake.In("search_url", err)
	}
	if r.createURL, err = c.optional(d.CreateURL, template.URL, c.scope()); err != nil {
		return mistake.In("create_url", err)
	}
	return c.lookups(d.Lookups)
}

// stay keeps credentials from following a redirect to another host.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// baseURL resolves and checks where the CRM lives.
func (c *compiler) baseURL(text string) (string, error) {
	if text == "" {
		return "", errors.New("missing; write where the CRM lives, for example https://crm.example.com")
	}
	compiled, err := template.Compile(text, template.Header, template.NewScope[values](c.settings))
	if err != nil {
		return "", err
	}
	if !compiled.IsKnown() {
		return "https://crm.invalid", nil
	}
	resolved, err := compiled.Render(values{})
	if err != nil {
		return "", err
	}
	parsed, err := url.Parse(strings.TrimSpace(resolved))
	switch {
	case err != nil, parsed.Hostname() == "", parsed.Scheme != "http" && parsed.Scheme != "https":
		return "", fmt.Errorf("%q is not where a CRM lives; write https://host, for example https://crm.example.com", text)
	case parsed.User != nil:
		return "", errors.New("holds a user name or password; write them as a header, from {env.*} or {file.*}")
	case parsed.RawQuery != "" || parsed.ForceQuery || parsed.Fragment != "":
		return "", fmt.Errorf("%q has a query or fragment; parameters of a request are written as query in its lookup", text)
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

func (c *compiler) optional(text string, place template.Place, scope *template.Scope[values]) (*template.Template[values], error) {
	if text == "" {
		return nil, nil
	}
	return template.Compile(text, place, scope)
}

func (c *compiler) params(option string, list []Param, place template.Place, scope *template.Scope[values]) ([]param, error) {
	var compiled []param
	for _, p := range list {
		if p.Name == "" {
			return nil, mistake.In(option, errors.New("lacks its name"))
		}
		if place == template.Header && !httpguts.ValidHeaderFieldName(p.Name) {
			return nil, mistake.In(option+" "+p.Name, fmt.Errorf("%q is not the name of a header field", p.Name))
		}
		value, err := template.Compile(p.Value, place, scope)
		if err != nil {
			return nil, mistake.In(option+" "+p.Name, err)
		}
		compiled = append(compiled, param{p.Name, value})
	}
	return compiled, nil
}
