package crm

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/screenpop/caddy-screenpop/internal/credential"
	"github.com/screenpop/caddy-screenpop/internal/mistake"
	"github.com/screenpop/caddy-screenpop/internal/template"
)

// auth compiles how the CRM lets requests in.
func (c *compiler) auth(d *Auth) error {
	c.rest.entry.crm, c.rest.entry.report = c.rest, c.options.Lost
	if d == nil {
		return nil
	}
	ways := []struct {
		name    string
		there   bool
		compile func() error
	}{
		{"basic", d.Basic != nil, func() error { return c.basic(d.Basic) }},
		{"bearer", d.Bearer != "", func() error {
			return c.static(&c.rest.entry.headers, Param{"Authorization", "Bearer " + d.Bearer}, template.Header)
		}},
		{"header", d.Header != nil, func() error { return c.static(&c.rest.entry.headers, *d.Header, template.Header) }},
		{"query", d.Query != nil, func() error { return c.static(&c.rest.entry.query, *d.Query, template.Value) }},
		{"sign", d.Sign != nil, func() error { return c.sign(d.Sign) }},
		{"oauth2", d.OAuth2 != nil, func() error { return c.oauth2(d.OAuth2) }},
		{"login", d.Login != nil, func() error { return c.login(d.Login) }},
	}
	found := ""
	for _, way := range ways {
		switch {
		case !way.there:
			continue
		case found != "":
			return fmt.Errorf("is there as %s and as %s; a CRM has one, and header for what else it wants", found, way.name)
		}
		found = way.name
		if err := way.compile(); err != nil {
			return mistake.In(way.name, err)
		}
	}
	if found == "" {
		return errors.New("says nothing; write for example: auth bearer {env.CRM_TOKEN}")
	}
	return nil
}

func (c *compiler) basic(d *Basic) error {
	user, err := c.setting(d.User)
	if err != nil {
		return err
	}
	password, err := c.setting(d.Password)
	if err != nil {
		return err
	}
	if strings.Contains(user, ":") {
		return errors.New("the user name has a colon, which HTTP Basic can't send")
	}
	encoded := base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
	c.secret(password)
	c.secret(encoded)
	c.rest.entry.headers, err = c.params("header", []Param{{"Authorization", "Basic " + encoded}}, template.Header, template.Dialect{}, c.addressScope())
	return err
}

// static compiles a secret that goes with every request.
func (c *compiler) static(into *[]param, p Param, place template.Place) error {
	value, err := c.setting(p.Value)
	if err != nil {
		return err
	}
	c.secret(strings.TrimPrefix(value, "Bearer "))
	*into, err = c.params(map[template.Place]string{template.Header: "header", template.Value: "query"}[place],
		[]Param{p}, place, template.Dialect{}, c.addressScope())
	return err
}

// setting resolves a text that holds nothing but settings. What is not known
// yet is "".
func (c *compiler) setting(written string) (string, error) {
	scope := template.NewScope[values](c.settings)
	scope.Add("crm.url", template.Placeholder[values]{Kind: template.Composed, Get: func(values) string { return c.rest.profile.URL }})
	compiled, err := template.Compile(written, template.Expression, scope)
	if err != nil || !compiled.IsKnown() {
		c.isOpen = c.isOpen || err == nil
		return "", err
	}
	return compiled.Render(ofNobody())
}

// derivation is a compiled [Derive].
type derivation struct {
	name      string
	how       credential.Derivation
	key, text *text
}

func (c *compiler) derivation(d Derive, scope *template.Scope[values]) (compiled derivation, err error) {
	if err := checkIdentifier("name", d.Name); err != nil {
		return derivation{}, err
	}
	compiled.name = d.Name
	if compiled.how, err = credential.ParseDerivation(d.How); err != nil {
		return derivation{}, err
	}
	if compiled.how.NeedsKey() != (d.Key != "") {
		return derivation{}, fmt.Errorf("%s is written as: derive %s hmac-sha256 <key> <text>, or without a key: derive %s %s <text>", d.How, d.Name, d.Name, cmp.Or(map[bool]string{false: d.How}[compiled.how.NeedsKey()], "md5"))
	}
	if compiled.key, err = template.Compile(d.Key, template.Header, scope); err != nil {
		return derivation{}, err
	}
	compiled.text, err = template.Compile(d.Text, template.Header, scope)
	return compiled, err
}

// of computes the value.
func (d derivation) of(v values) (string, error) {
	key, err := d.key.Render(v)
	if err != nil {
		return "", err
	}
	text, err := d.text.Render(v)
	if err != nil {
		return "", err
	}
	return d.how.Of(text, key), nil
}

func (c *compiler) sign(d *Sign) (err error) {
	e := &c.rest.entry
	var known []string
	scope := func() *template.Scope[values] {
		scope := c.addressScope()
		scope.Add("request.method", template.Placeholder[values]{Get: func(v values) string { return v.signed.method }})
		scope.Add("request.path", template.Placeholder[values]{Get: func(v values) string { return v.signed.path }})
		names := slices.Clone(known)
		scope.AddFamily("sign.", names, func(name string) (template.Placeholder[values], error) {
			if !slices.Contains(names, name) {
				return template.Placeholder[values]{}, fmt.Errorf("nothing of that name was derived; write: derive %s hmac-sha256 <key> <text>", name)
			}
			return template.Placeholder[values]{Get: func(v values) string { return v.signed.derived[name] }}, nil
		})
		return scope
	}
	for _, definition := range d.Derive {
		compiled, err := c.derivation(definition, scope())
		if err != nil {
			return mistake.In("derive "+definition.Name, err)
		}
		e.derivations = append(e.derivations, compiled)
		known = append(known, definition.Name)
	}
	if len(d.Headers)+len(d.Query) == 0 {
		return errors.New(`sends nothing; write for example: header X-Signature {sign.mac}`)
	}
	if e.headers, err = c.params("header", d.Headers, template.Header, template.Dialect{}, scope()); err != nil {
		return err
	}
	e.query, err = c.params("query", d.Query, template.Value, template.Dialect{}, scope())
	return err
}

// token compiles what access tokens and sessions have in common.
func (c *compiler) token(d Token) (err error) {
	e := &c.rest.entry
	if d.Lifetime < 0 {
		return mistake.In("lifetime", fmt.Errorf("%s is negative", time.Duration(d.Lifetime)))
	}
	if e.expired, err = c.condition("expired", d.Expired, nil); err != nil {
		return err
	}
	scope := c.requestScope()
	if e.headers, err = c.params("header", d.Headers, template.Header, template.Dialect{}, scope); err != nil {
		return err
	}
	e.query, err = c.params("query", d.Query, template.Value, template.Dialect{}, scope)
	return err
}

// keep makes the keeper of what a fetch brings.
func (c *compiler) keep(fetch func(context.Context) (credential.Token, error)) {
	e := &c.rest.entry
	e.keeper = credential.New(func(ctx context.Context) (credential.Token, error) {
		token, err := fetch(ctx)
		e.hide(token)
		return token, err
	}, credential.Options{Failed: e.lose})
}

// addAccess declares {token.*} or {login.*}.
func (c *compiler) addAccess(scope *template.Scope[values]) {
	switch c.access {
	case "token.":
		scope.AddFamily(c.access, []string{"access_token"}, func(path string) (template.Placeholder[values], error) {
			return fromAnswer(func(v values) gjson.Result { return gjson.Get(v.access, path) }), CheckPath(path)
		})
	case "login.":
		taken := slices.Clone(c.taken)
		scope.AddFamily(c.access, taken, func(name string) (template.Placeholder[values], error) {
			if !slices.Contains(taken, name) {
				return template.Placeholder[values]{}, fmt.Errorf("nothing of that name was taken before; write: take %s <gjson path>", name)
			}
			return fromAnswer(func(v values) gjson.Result { return gjson.Get(v.access, name) }), nil
		})
	}
}

func (c *compiler) oauth2(d *OAuth2) (err error) {
	c.access = "token."
	token := d.Token
	if len(token.Headers)+len(token.Query) == 0 {
		token.Headers = []Param{{"Authorization", "Bearer {token.access_token}"}}
	}
	if err := c.token(token); err != nil {
		return err
	}
	if d.BaseURL != "" {
		if c.rest.entry.baseURL, err = template.Compile(d.BaseURL, template.Header, c.requestScope()); err != nil {
			return mistake.In("base_url", err)
		}
	}
	source, err := c.source(d)
	if err != nil {
		return err
	}
	c.rest.entry.refresher = source
	c.keep(source.Fetch)
	return nil
}

// source resolves the settings of a token request.
func (c *compiler) source(d *OAuth2) (*credential.OAuth2, error) {
	source := &credential.OAuth2{Client: &http.Client{Transport: tokenTransport{c.rest}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, Store: c.options.Store, Lifetime: time.Duration(d.Lifetime)}
	var err error
	if d.URL == "" {
		return nil, errors.New("lacks the address where tokens are given; write for example: auth oauth2 {crm.url}/oauth2/token")
	}
	if source.TokenURL, err = c.address(d.URL, c.addressScope()); err != nil {
		return nil, mistake.In("url", err)
	}
	if source.Grant, err = credential.ParseGrant(cmp.Or(d.Grant, "client_credentials")); err != nil {
		return nil, mistake.In("grant", err)
	}
	if source.ClientAuth, err = credential.ParseClientAuth(cmp.Or(d.ClientAuth, "body")); err != nil {
		return nil, mistake.In("client_auth", err)
	}
	if source.Encoding, err = credential.ParseEncoding(cmp.Or(d.Encoding, "form")); err != nil {
		return nil, mistake.In("encoding", err)
	}
	for _, option := range []struct {
		name   string
		text   string
		into   *string
		secret bool
	}{
		{"client_id", d.ClientID, &source.ClientID, false},
		{"client_secret", d.ClientSecret, &source.ClientSecret, true},
		{"username", d.Username, &source.Username, false},
		{"password", d.Password, &source.Password, true},
		{"refresh_token", d.RefreshToken, &source.RefreshToken, true},
	} {
		if *option.into, err = c.setting(option.text); err != nil {
			return nil, mistake.In(option.name, err)
		}
		if option.secret {
			c.secret(*option.into)
		}
	}
	if err := checkGrant(d, source.Grant); err != nil {
		return nil, err
	}
	if source.Scopes, err = c.settingList("scope", d.Scopes); err != nil {
		return nil, err
	}
	if source.Params, err = c.settingParams("param", d.Params); err != nil {
		return nil, err
	}
	if source.Assertion, err = c.assertion(d.Assertion); err != nil {
		return nil, mistake.In("assertion", err)
	}
	if source.Header, err = c.staticHeaders(); err != nil {
		return nil, err
	}
	if c.isOpen {
		return source, nil // what is not known yet can't be checked
	}
	return source, source.Check()
}

// staticHeaders are the CRM's header fields that are the same for every call:
// a token request is nobody's.
func (c *compiler) staticHeaders() (http.Header, error) {
	header := http.Header{}
	for _, p := range c.rest.headers {
		if p.value.UsesAny("call.", "number.") || !p.value.IsKnown() {
			continue
		}
		value, err := p.value.Render(ofNobody())
		if err != nil {
			return nil, err
		}
		header.Add(p.name, value)
	}
	return header, nil
}

// checkGrant finds what a grant lacks.
func checkGrant(d *OAuth2, grant credential.Grant) error {
	needs := map[credential.Grant]map[string]bool{
		credential.ClientCredentials: {"client_id": d.ClientID != "", "client_secret": d.ClientSecret != ""},
		credential.RefreshToken:      {"refresh_token": d.RefreshToken != ""},
		credential.Password:          {"username": d.Username != "", "password": d.Password != ""},
		credential.JWTBearer:         {"assertion": d.Assertion != nil},
	}[grant]
	for _, option := range []string{"client_id", "client_secret", "refresh_token", "username", "password", "assertion"} {
		if there, needed := needs[option]; needed && !there {
			return mistake.In(option, fmt.Errorf("missing; the grant %s needs it: write for example %s %s", cmp.Or(d.Grant, "client_credentials"), option, grantExamples[option]))
		}
	}
	return nil
}

var grantExamples = map[string]string{ //nolint:gosec // none is one
	"client_id": "{env.CLIENT_ID}", "client_secret": "{env.CLIENT_SECRET}", "refresh_token": "{env.REFRESH_TOKEN}",
	"username": "{env.CRM_USER}", "password": "{env.CRM_PASSWORD}", "assertion": "{ key {file./run/secrets/crm_key} ... }",
}

func (c *compiler) settingList(option string, texts []string) ([]string, error) {
	var list []string
	for _, text := range texts {
		value, err := c.setting(text)
		if err != nil {
			return nil, mistake.In(option, err)
		}
		list = append(list, value)
	}
	return list, nil
}

func (c *compiler) settingParams(option string, params []Param) ([]credential.Param, error) {
	var list []credential.Param
	for _, p := range params {
		value, err := c.setting(p.Value)
		if err != nil {
			return nil, mistake.In(option+" "+p.Name, err)
		}
		list = append(list, credential.Param{Name: p.Name, Value: value})
	}
	return list, nil
}

func (c *compiler) assertion(d *Assertion) (*credential.Assertion, error) {
	if d == nil {
		return nil, nil
	}
	signed := &credential.Assertion{Algorithm: cmp.Or(d.Algorithm, "RS256"), Lifetime: time.Duration(d.Lifetime)}
	for _, option := range []struct {
		name, text string
		into       *string
	}{
		{"key", d.Key, &signed.Key},
		{"issuer", d.Issuer, &signed.Issuer},
		{"subject", d.Subject, &signed.Subject},
		{"audience", d.Audience, &signed.Audience},
		{"key_id", d.KeyID, &signed.KeyID},
	} {
		var err error
		if *option.into, err = c.setting(option.text); err != nil {
			return nil, mistake.In(option.name, err)
		}
	}
	c.secret(signed.Key)
	claims, err := c.settingParams("claim", d.Claims)
	signed.Claims = claims
	return signed, err
}

// loginStep is a compiled [Step].
type loginStep struct {
	*ask

	fail   condition
	take   []Take
	derive *derivation
}

func (c *compiler) login(d *Login) error {
	c.access = "login."
	session := &session{crm: c.rest, lifetime: time.Duration(d.Lifetime)}
	requests := 0
	for i, definition := range d.Steps {
		step, err := c.loginStep(definition)
		if err != nil {
			return mistake.In(stepName(definition, i), err)
		}
		if step.ask != nil {
			requests++
		}
		session.steps = append(session.steps, step)
	}
	if requests == 0 {
		return mistake.In("request", errors.New("missing; write how a session is opened, for example: request { POST /login ... take token token }"))
	}
	if err := c.token(d.Token); err != nil {
		return err
	}
	c.keep(session.open)
	return nil
}

// stepName is how a step is called in errors.
func stepName(d Step, at int) string {
	if d.Derive != nil {
		return "derive " + d.Derive.Name
	}
	return fmt.Sprintf("request %d", at+1)
}

func (c *compiler) loginStep(d Step) (loginStep, error) {
	switch {
	case d.Derive != nil && d.Request == nil:
		scope := c.addressScope()
		c.addAccess(scope)
		derived, err := c.derivation(*d.Derive, scope)
		c.taken = append(c.taken, d.Derive.Name)
		return loginStep{derive: &derived}, err
	case d.Request != nil && d.Derive == nil:
		return c.loginRequest(*d.Request)
	default:
		return loginStep{}, errors.New("is a request or a derive")
	}
}

func (c *compiler) loginRequest(d LoginRequest) (step loginStep, err error) {
	scope := c.addressScope()
	c.addAccess(scope)
	if step.ask, err = c.ask(d.Ask, template.Dialect{}, scope); err != nil {
		return step, err
	}
	if step.fail, err = c.condition("fail", d.Fail, nil); err != nil {
		return step, err
	}
	for _, take := range d.Take {
		if err := checkTake(take); err != nil {
			return step, mistake.In("take "+take.Name, err)
		}
		c.taken = append(c.taken, take.Name)
	}
	step.take = d.Take
	return step, nil
}

func checkTake(t Take) error {
	if err := checkIdentifier("name", t.Name); err != nil {
		return err
	}
	ways := 0
	for _, way := range []string{t.Path, t.Header, t.Cookie} {
		if way != "" {
			ways++
		}
	}
	if ways != 1 {
		return fmt.Errorf("is written as: take %s <gjson path>, take %s header <name> or take %s cookie <name>", t.Name, t.Name, t.Name)
	}
	if t.Path != "" {
		return CheckPath(t.Path)
	}
	return nil
}
