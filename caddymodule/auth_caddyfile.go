package caddymodule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/screenpop/caddy-screenpop/internal/crm"
)

var authWays = []string{"basic", "bearer", "header", "query", "sign", "oauth2", "login"}

// auth reads how the CRM lets requests in:
//
//	auth basic  <user> [<password>]
//	auth bearer <token>
//	auth header <name> <value>
//	auth query  <name> <value>
//	auth sign   { derive ... header ... query ... }
//	auth oauth2 [<token url>] { ... }
//	auth login  { request { ... } derive ... header ... query ... }
func (p *restParser) auth(d *caddyfile.Dispenser, line []string) error {
	if p.rest.Auth != nil {
		return d.Errf("auth is already specified; a CRM has one, and header for what else it wants")
	}
	if !d.NextArg() {
		return d.Errf("auth needs to say how; write for example: auth bearer {env.CRM_TOKEN}")
	}
	way := d.Val()
	block := []string{"auth", way}
	p.positions.mark(d, line, "auth")
	p.positions.mark(d, line, block...)
	p.rest.Auth = &crm.Auth{}
	switch way {
	case "basic":
		return p.basic(d)
	case "bearer":
		return value(d, &p.rest.Auth.Bearer, "auth bearer {env.CRM_TOKEN}")
	case "header", "query":
		return p.authParam(d, way)
	case "sign":
		return p.sign(d, block)
	case "oauth2":
		return p.oauth2(d, block)
	case "login":
		return p.login(d, block)
	}
	return unknownOption(d, authWays...)
}

func (p *restParser) basic(d *caddyfile.Dispenser) error {
	read := d.RemainingArgs()
	if len(read) < 1 || len(read) > 2 {
		return d.Errf("auth basic takes a user name and a password; write for example: auth basic {env.CRM_USER} {env.CRM_PASSWORD}")
	}
	read = append(read, "")
	p.rest.Auth.Basic = &crm.Basic{User: read[0], Password: read[1]}
	return nil
}

func (p *restParser) authParam(d *caddyfile.Dispenser, way string) error {
	var parameter crm.Param
	if !d.AllArgs(&parameter.Name, &parameter.Value) {
		return d.Errf("auth %s takes a name and a value; write for example: auth %s api_key {env.CRM_KEY}", way, way)
	}
	if way == "header" {
		p.rest.Auth.Header = &parameter
	} else {
		p.rest.Auth.Query = &parameter
	}
	return nil
}

func (p *restParser) sign(d *caddyfile.Dispenser, block []string) error {
	s := &crm.Sign{}
	p.rest.Auth.Sign = s
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var err error
		switch d.Val() {
		case "derive":
			var derive crm.Derive
			derive, err = p.derive(d, block)
			s.Derive = append(s.Derive, derive)
		case "header":
			err = p.param(d, restOfLine(d), &s.Headers, "header X-Signature {sign.mac}", block...)
		case "query":
			err = p.param(d, restOfLine(d), &s.Query, "query signature {sign.mac}", block...)
		default:
			err = unknownOption(d, "derive", "header", "query")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// derive reads "derive <name> md5|sha256|base64 <text>" or "derive <name>
// hmac-sha256 <key> <text>".
func (p *restParser) derive(d *caddyfile.Dispenser, block []string) (crm.Derive, error) {
	line := restOfLine(d)
	read := d.RemainingArgs()
	switch {
	case len(read) == 3:
		read = []string{read[0], read[1], "", read[2]}
	case len(read) != 4:
		return crm.Derive{}, d.Errf("derive takes a name, md5, sha256, hmac-sha256 or base64, for hmac-sha256 the key, and a text; write for example: derive key md5 \"{login.token}{credential.password}\"")
	}
	p.positions.mark(d, line, append(slices.Clone(block), "derive "+read[0])...)
	return crm.Derive{Name: read[0], How: read[1], Key: read[2], Text: read[3]}, nil
}

var tokenOptions = []string{"header", "query", "lifetime", "expired"}

// tokenOption reads what access tokens and sessions have in common.
func (p *restParser) tokenOption(d *caddyfile.Dispenser, t *crm.Token, example string, block []string) error {
	option := d.Val()
	line := restOfLine(d)
	switch option {
	case "header":
		return p.param(d, line, &t.Headers, "header Authorization \"Bearer "+example+"\"", block...)
	case "query":
		return p.param(d, line, &t.Query, "query token "+example, block...)
	case "lifetime":
		p.positions.mark(d, line, append(slices.Clone(block), option)...)
		return duration(d, (*caddy.Duration)(&t.Lifetime), "lifetime 30m")
	default:
		p.positions.mark(d, line, append(slices.Clone(block), option)...)
		return conditionOption(d, &t.Expired)
	}
}

var oauth2Options = []string{
	"grant", "client_id", "client_secret", "client_auth", "encoding", "scope", "username", "password", "refresh_token", "assertion", "param", "base_url",
}

func (p *restParser) oauth2(d *caddyfile.Dispenser, block []string) error {
	o := &crm.OAuth2{}
	p.rest.Auth.OAuth2 = o
	if d.NextArg() {
		o.URL = d.Val()
		if d.NextArg() {
			return d.Errf("auth oauth2 takes the address where tokens are given, but there is %q; options stand in a block", d.Val())
		}
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := p.oauth2Option(d, o, block); err != nil {
			return err
		}
	}
	return nil
}

func (p *restParser) oauth2Option(d *caddyfile.Dispenser, o *crm.OAuth2, block []string) error {
	option := d.Val()
	line := restOfLine(d)
	switch {
	case slices.Contains(tokenOptions, option):
		return p.tokenOption(d, &o.Token, "{token.access_token}", block)
	case option == "param":
		return p.param(d, line, &o.Params, "param audience https://crm.example.com", block...)
	case option == "assertion":
		return p.assertion(d, o, append(slices.Clone(block), option))
	}
	p.positions.mark(d, line, append(slices.Clone(block), option)...)
	into, ok := map[string]*string{
		"grant": &o.Grant, "client_id": &o.ClientID, "client_secret": &o.ClientSecret, "client_auth": &o.ClientAuth, "encoding": &o.Encoding,
		"username": &o.Username, "password": &o.Password, "refresh_token": &o.RefreshToken, "base_url": &o.BaseURL,
	}[option]
	switch {
	case ok:
		return value(d, into, option+" "+oauth2Examples[option])
	case option == "scope":
		return list(d, &o.Scopes, "scope api")
	}
	return unknownOption(d, slices.Concat(oauth2Options, tokenOptions)...)
}

var oauth2Examples = map[string]string{ //nolint:gosec // none is one
	"grant": "client_credentials", "client_id": "{env.CLIENT_ID}", "client_secret": "{env.CLIENT_SECRET}", "client_auth": "header", "encoding": "json",
	"username": "{env.CRM_USER}", "password": "{env.CRM_PASSWORD}", "refresh_token": "{env.REFRESH_TOKEN}", "base_url": "{token.instance_url}",
}

func (p *restParser) assertion(d *caddyfile.Dispenser, o *crm.OAuth2, block []string) error {
	if o.Assertion != nil {
		return twice(d, "assertion")
	}
	p.positions.mark(d, nil, block...)
	a := &crm.Assertion{}
	o.Assertion = a
	texts := map[string]*string{
		"key": &a.Key, "algorithm": &a.Algorithm, "issuer": &a.Issuer, "subject": &a.Subject, "audience": &a.Audience, "key_id": &a.KeyID,
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		option := d.Val()
		line := restOfLine(d)
		into, ok := texts[option]
		var err error
		switch {
		case option == "claim":
			err = p.param(d, line, &a.Claims, "claim jti {env.ID}", block...)
		case option == "lifetime":
			p.positions.mark(d, line, append(slices.Clone(block), option)...)
			err = duration(d, (*caddy.Duration)(&a.Lifetime), "lifetime 3m")
		case ok:
			p.positions.mark(d, line, append(slices.Clone(block), option)...)
			err = value(d, into, option+" {env."+strings.ToUpper(option)+"}")
		default:
			err = unknownOption(d, "key", "algorithm", "issuer", "subject", "audience", "key_id", "claim", "lifetime")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *restParser) login(d *caddyfile.Dispenser, block []string) error {
	l := &crm.Login{}
	p.rest.Auth.Login = l
	if d.NextArg() {
		return d.Errf("auth login takes no argument, but there is %q; its requests stand in a block", d.Val())
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		option := d.Val()
		var err error
		switch {
		case option == "request":
			err = p.loginRequest(d, l, block)
		case option == "derive":
			var derive crm.Derive
			derive, err = p.derive(d, block)
			l.Steps = append(l.Steps, crm.Step{Derive: &derive})
		case slices.Contains(tokenOptions, option):
			err = p.tokenOption(d, &l.Token, "{login.token}", block)
		default:
			err = unknownOption(d, append([]string{"request", "derive"}, tokenOptions...)...)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *restParser) loginRequest(d *caddyfile.Dispenser, l *crm.Login, block []string) error {
	request := &crm.LoginRequest{}
	own := append(slices.Clone(block), fmt.Sprintf("request %d", len(l.Steps)+1))
	p.positions.mark(d, nil, own...)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var err error
		switch option := d.Val(); {
		case slices.Contains(askOptions, option):
			err = p.askOption(d, &request.Ask, own...)
		case option == "fail":
			p.positions.mark(d, restOfLine(d), append(slices.Clone(own), option)...)
			err = conditionOption(d, &request.Fail)
		case option == "take":
			err = p.take(d, request, own)
		default:
			err = unknownOption(d, append(slices.Clone(askOptions), "fail", "take")...)
		}
		if err != nil {
			return err
		}
	}
	l.Steps = append(l.Steps, crm.Step{Request: request})
	return nil
}

// take reads "take <name> <gjson path>", "take <name> header <field>" or "take
// <name> cookie <cookie>".
func (p *restParser) take(d *caddyfile.Dispenser, request *crm.LoginRequest, block []string) error {
	line := restOfLine(d)
	read := d.RemainingArgs()
	if len(read) > 0 {
		p.positions.mark(d, line, append(slices.Clone(block), "take "+read[0])...)
	}
	switch {
	case len(read) == 2:
		request.Take = append(request.Take, crm.Take{Name: read[0], Path: read[1]})
	case len(read) == 3 && read[1] == "header":
		request.Take = append(request.Take, crm.Take{Name: read[0], Header: read[2]})
	case len(read) == 3 && read[1] == "cookie":
		request.Take = append(request.Take, crm.Take{Name: read[0], Cookie: read[2]})
	default:
		return d.Errf("take takes a name and where its value is; write for example: take token result.token, or: take token header X-Token")
	}
	return nil
}
