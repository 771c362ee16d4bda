package caddymodule

import (
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/screenpop/caddy-screenpop/internal/crm"
	"github.com/screenpop/caddy-screenpop/internal/mistake"
)

// UnmarshalCaddyfile reads what stands behind crm in the Caddyfile:
//
//	rest|<preset> [<url>] {
//		<credential>  <value>                   # those that a preset asks for,
//		<setting>     <value>                   # and what it leaves to choose
//		name          <name>
//		api           <url>
//		header        <name> <value>
//		auth          basic|bearer|header|query|sign|oauth2|login ...
//		timeout       <duration>
//		window        <duration>
//		limit         <duration>
//		spellings     <spelling...>
//		dialect       <query language>
//		miss          status <code...> | <CEL>
//		fail          status <code...> | <CEL>
//		otherwise     off
//		transport     <name> { ... }
//		protect       off | { ... }
//		search_url    <template>
//		create_url    <template>
//
//		lookup <kind> off
//		lookup <kind> {
//			GET|POST   <path>
//			query      <name> <value>
//			json       <template>
//			xml        <template>
//			form       <name> <value>
//			header     <name> <value>
//			spellings  <spelling...>
//			dialect    <query language>
//			filter     <fragment> [<join>]
//			each       <text...>
//			records    <gjson path>
//			miss       status <code...> | <CEL>
//			fail       status <code...> | <CEL>
//			otherwise  { <request> }
//			sample     { <request> }
//			detail     <path> | { <request> }
//			follow     <name> <path> | <name> { <request> }
//			kind|id|name|company|email|url <template...>
//			phones     <template...> | unverified
//			field      <name> <template...>
//		}
//	}
func (c *REST) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	p := restParser{rest: c}
	if err := p.parse(d); err != nil {
		return err
	}
	c.Sources = p.positions.open
	engine, err := c.compile(unreadSettings(), host{})
	c.engine = engine // good for what is known without asking
	return located(mistake.In(c.title(), err), p.positions.all, 1)
}

// restParser reads a connector and remembers where its options stand.
type restParser struct {
	rest      *REST
	positions positions
}

var restOptions = []string{
	"name", "api", "header", "auth", "timeout", "window", "limit", "spellings", "dialect", "miss", "fail", "otherwise", "transport", "protect", "lookup",
	"search_url", "create_url", "credential", "setting",
}

func (p *restParser) parse(d *caddyfile.Dispenser) error {
	d.Next()
	p.positions.mark(d, nil)
	if connector := d.Val(); connector != "rest" {
		if _, err := readPreset(connector); err != nil {
			return d.WrapErr(err)
		}
		p.rest.Preset = connector
	}
	if d.NextArg() {
		p.positions.mark(d, []string{d.Val()}, "url")
		p.rest.URL = d.Val()
	}
	if d.NextArg() {
		return d.Errf("crm takes the connector and its url, but there is %q; options stand in a block", d.Val())
	}
	for d.NextBlock(0) {
		if err := p.option(d); err != nil {
			return err
		}
	}
	return nil
}

func (p *restParser) option(d *caddyfile.Dispenser) error {
	option := d.Val()
	line := restOfLine(d)
	switch option {
	case "name":
		p.positions.mark(d, line, option)
		return value(d, &p.rest.Name, "name sales")
	case "api":
		p.positions.mark(d, line, option)
		return value(d, &p.rest.API, "api {crm.url}/api/v2")
	case "header":
		return p.param(d, line, &p.rest.Headers, `header Authorization "Bearer {env.CRM_TOKEN}"`)
	case "auth":
		return p.auth(d, line)
	case "dialect":
		p.positions.mark(d, line, option)
		return value(d, &p.rest.Dialect, "dialect odata")
	case "miss":
		p.positions.mark(d, line, option)
		return conditionOption(d, &p.rest.Miss)
	case "fail":
		p.positions.mark(d, line, option)
		return conditionOption(d, &p.rest.Fail)
	case "otherwise":
		return p.otherwiseOff(d)
	case "timeout", "window", "limit":
		return p.time(d)
	case "spellings":
		p.positions.mark(d, line, option)
		return list(d, &p.rest.Spellings, "spellings e164 national digits")
	case "search_url":
		p.positions.mark(d, line, option)
		return value(d, &p.rest.SearchURL, "search_url {crm.url}/search?q={number.e164}")
	case "create_url":
		p.positions.mark(d, line, option)
		return value(d, &p.rest.CreateURL, "create_url {crm.url}/contacts/new?phone={number.e164}")
	case "transport":
		return p.transport(d)
	case "protect":
		return p.protect(d)
	case "lookup":
		return p.lookup(d)
	case "credential":
		return p.credential(d)
	case "setting":
		return p.setting(d)
	}
	credentials, settings := p.asked()
	switch {
	case slices.Contains(credentials, option):
		return p.give(d, option, &p.rest.Credentials, "{env."+strings.ToUpper(option)+"}")
	case slices.Contains(settings, option):
		return p.give(d, option, &p.rest.Settings, "<"+option+">")
	}
	return unknownOption(d, slices.Concat(credentials, settings, restOptions)...)
}

// otherwiseOff reads "otherwise off".
func (p *restParser) otherwiseOff(d *caddyfile.Dispenser) error {
	p.positions.mark(d, nil, "otherwise")
	if read := d.RemainingArgs(); !slices.Equal(read, []string{"off"}) {
		return d.Errf("otherwise takes off here, to leave out the second searches of all lookups; a second search stands in its lookup")
	}
	p.rest.FirstOnly = true
	return nil
}

// asked are the credentials that the preset asks for, and the settings.
func (p *restParser) asked() (credentials, settings []string) {
	if p.rest.Preset == "" {
		return nil, nil
	}
	preset, err := readPreset(p.rest.Preset)
	if err != nil {
		return nil, nil // was found already
	}
	return preset.declared.credentials, preset.declared.settings
}

// credential declares one that the user of this definition has to give, or
// gives it at once.
func (p *restParser) credential(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.Errf("credential needs a name; write for example: credential token {env.CRM_TOKEN}")
	}
	name := d.Val()
	if d.CountRemainingArgs() == 0 {
		p.positions.mark(d, nil, name)
		p.rest.declared.credentials = append(p.rest.declared.credentials, name)
		return nil
	}
	return p.give(d, name, &p.rest.Credentials, "{env."+strings.ToUpper(name)+"}")
}

// setting declares a choice that is no secret, with what it is if nothing is
// chosen, or makes it.
func (p *restParser) setting(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.Errf("setting needs a name; write for example: setting database crm")
	}
	name := d.Val()
	p.rest.declared.settings = append(p.rest.declared.settings, name)
	if d.CountRemainingArgs() == 0 {
		p.positions.mark(d, nil, name)
		return nil
	}
	return p.give(d, name, &p.rest.Settings, "<"+name+">")
}

// give reads the value of a credential or a setting.
func (p *restParser) give(d *caddyfile.Dispenser, name string, into *map[string]string, example string) error {
	p.positions.mark(d, restOfLine(d), name)
	var text string
	if err := value(d, &text, name+" "+example); err != nil {
		return err
	}
	if _, ok := (*into)[name]; ok {
		return twice(d, name)
	}
	if *into == nil {
		*into = map[string]string{}
	}
	(*into)[name] = text
	return nil
}

// param reads an option that is a name with a value and may be repeated.
func (p *restParser) param(d *caddyfile.Dispenser, line []string, into *[]crm.Param, example string, block ...string) error {
	option := d.Val()
	var parameter crm.Param
	if len(line) != 2 || !d.AllArgs(&parameter.Name, &parameter.Value) {
		return d.Errf("%s takes a name and a value; write for example: %s", option, example)
	}
	p.positions.mark(d, line, append(block, option+" "+parameter.Name)...)
	*into = append(*into, parameter)
	return nil
}

// time reads how long something may take.
func (p *restParser) time(d *caddyfile.Dispenser) error {
	option := d.Val()
	p.positions.mark(d, nil, option)
	switch option {
	case "window":
		return duration(d, &p.rest.Window, "window 300ms")
	case "limit":
		return duration(d, &p.rest.Limit, "limit 10s")
	default:
		return duration(d, &p.rest.Timeout, "timeout 2s")
	}
}

func duration(d *caddyfile.Dispenser, into *caddy.Duration, example string) error {
	option := d.Val()
	if *into != 0 {
		return twice(d, option)
	}
	var text string
	if err := value(d, &text, example); err != nil {
		return err
	}
	parsed, err := caddy.ParseDuration(text)
	if err != nil {
		return d.Errf("%s: %q is not a duration; write for example: %s", option, text, example)
	}
	if parsed <= 0 {
		return d.Errf("%s: %s is not a time to wait; write for example: %s", option, text, example)
	}
	*into = caddy.Duration(parsed)
	return nil
}

func (p *restParser) transport(d *caddyfile.Dispenser) error {
	if p.rest.TransportRaw != nil {
		return twice(d, "transport")
	}
	if !d.NextArg() {
		return d.Errf("transport needs a name; write for example: transport http { ... }")
	}
	name := d.Val()
	p.positions.keep(d, "transport")
	module, err := caddyfile.UnmarshalModule(d, "http.reverse_proxy.transport."+name)
	if err != nil {
		return err
	}
	p.rest.TransportRaw = caddyconfig.JSONModuleObject(module, "protocol", name, nil)
	return nil
}

// conditionOption reads "status 404 410" or a CEL expression. Both may be
// given, on lines of their own.
func conditionOption(d *caddyfile.Dispenser, into **crm.Condition) error {
	option := d.Val()
	read, err := values(d, option+" status 404")
	if err != nil {
		return err
	}
	if *into == nil {
		*into = &crm.Condition{}
	}
	if read[0] != "status" || len(read) == 1 || strings.ContainsAny(read[1], "=<>!") {
		if (*into).Expression != "" {
			return twice(d, option)
		}
		(*into).Expression = strings.Join(read, " ")
		return nil
	}
	for _, text := range read[1:] {
		status, err := strconv.Atoi(text)
		if err != nil {
			return d.Errf("%s: %q is not an HTTP status; write for example: %s status 404", option, text, option)
		}
		(*into).Status = append((*into).Status, status)
	}
	return nil
}

// restOfLine looks at what follows on the line, without reading it.
func restOfLine(d *caddyfile.Dispenser) []string {
	ahead := *d
	return ahead.RemainingArgs()
}
