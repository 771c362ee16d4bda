package caddymodule

import (
	"net/http"
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
//		<credential>  <value>                   # those that a preset asks for
//		name          <name>
//		header        <name> <value>
//		timeout       <duration>
//		spellings     <spelling...>
//		transport     <name> { ... }
//		search_url    <template>
//		create_url    <template>
//
//		lookup <kind> {
//			GET|POST   <path>
//			query      <name> <value>
//			json       <template>
//			form       <name> <value>
//			header     <name> <value>
//			filter     <fragment> [<join>]
//			records    <gjson path>
//			miss       status <code...> | <CEL>
//			fail       status <code...> | <CEL>
//			detail     <path>
//			id|name|company|email|url <template...>
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
	engine, err := c.compile(unreadSettings(), nil)
	c.engine = engine // good for what is known without asking
	return located(mistake.In(c.title(), err), p.positions.all, 1)
}

// restParser reads a connector and remembers where its options stand.
type restParser struct {
	rest      *REST
	positions positions
}

var restOptions = []string{
	"name", "header", "timeout", "spellings", "transport", "lookup", "search_url", "create_url", "credential",
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
	case "header":
		return p.param(d, line, &p.rest.Headers, `header Authorization "Bearer {env.CRM_TOKEN}"`)
	case "timeout":
		return p.timeout(d)
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
	case "lookup":
		return p.lookup(d)
	case "credential":
		return p.credential(d)
	}
	if slices.Contains(p.asked(), option) {
		return p.setCredential(d, option)
	}
	return unknownOption(d, append(p.asked(), restOptions...)...)
}

// asked are the credentials that the preset asks for.
func (p *restParser) asked() []string {
	if p.rest.Preset == "" {
		return nil
	}
	preset, err := readPreset(p.rest.Preset)
	if err != nil {
		return nil // was found already
	}
	return slices.Clone(preset.declared)
}

// credential declares one that the user of this definition has to give, or
// gives it at once.
func (p *restParser) credential(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.Errf("credential needs a name; write for example: credential token {env.CRM_TOKEN}")
	}
	name := d.Val()
	if d.CountRemainingArgs() == 0 {
		p.rest.declared = append(p.rest.declared, name)
		return nil
	}
	return p.setCredential(d, name)
}

func (p *restParser) setCredential(d *caddyfile.Dispenser, name string) error {
	p.positions.mark(d, restOfLine(d), name)
	var text string
	if err := value(d, &text, name+" {env."+strings.ToUpper(name)+"}"); err != nil {
		return err
	}
	if _, ok := p.rest.Credentials[name]; ok {
		return twice(d, name)
	}
	if p.rest.Credentials == nil {
		p.rest.Credentials = map[string]string{}
	}
	p.rest.Credentials[name] = text
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

func (p *restParser) timeout(d *caddyfile.Dispenser) error {
	p.positions.mark(d, nil, "timeout")
	return duration(d, &p.rest.Timeout, "timeout 2s")
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

var lookupOptions = []string{
	"GET", "POST", "query", "json", "form", "header", "filter", "records", "miss", "fail", "detail",
	"id", "name", "company", "email", "phones", "url", "field",
}

func (p *restParser) lookup(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.Errf("lookup needs the kind of record; write for example: lookup contact { ... }")
	}
	l := crm.Lookup{Kind: d.Val()}
	block := "lookup " + l.Kind
	if p.positions.all[key(block)] != "" {
		return d.Errf("%s is there twice; give each lookup a kind of its own", block)
	}
	p.positions.mark(d, nil, block)
	if d.NextArg() {
		return d.Errf("lookup takes the kind of record, but there is %q; options stand in a block", d.Val())
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := p.lookupOption(d, &l, block); err != nil {
			return err
		}
	}
	p.rest.Lookups = append(p.rest.Lookups, l)
	return nil
}

func (p *restParser) lookupOption(d *caddyfile.Dispenser, l *crm.Lookup, block string) error {
	option := d.Val()
	line := restOfLine(d)
	switch option {
	case "query":
		return p.param(d, line, &l.Query, "query q {number}", block)
	case "form":
		return p.param(d, line, &l.Form, "form q {number}", block)
	case "header":
		return p.param(d, line, &l.Headers, "header Accept application/json", block)
	case "field":
		return p.field(d, l, block)
	}
	p.positions.mark(d, line, block, option)
	switch option {
	case http.MethodGet, http.MethodPost:
		if l.Path != "" {
			return d.Errf("%s has its request already; there is one GET or POST in a lookup", block)
		}
		l.Method = option
		return value(d, &l.Path, option+" /contacts")
	case "json":
		return value(d, &l.JSON, `json {"phone":"{number.e164}"}`)
	case "filter":
		return filter(d, l)
	case "records":
		return value(d, &l.Records, "records data.items")
	case "miss":
		return conditionOption(d, &l.Miss)
	case "fail":
		return conditionOption(d, &l.Fail)
	case "detail":
		return value(d, &l.Detail, "detail /contacts/{record.id}")
	case "phones":
		return phones(d, l)
	}
	if into := mapped(l, option); into != nil {
		return list(d, into, option+" {record."+option+"}")
	}
	return unknownOption(d, lookupOptions...)
}

// mapped returns where an option keeps how a part of a record is read.
func mapped(l *crm.Lookup, option string) *[]string {
	switch option {
	case "id":
		return &l.ID
	case "name":
		return &l.RecordName
	case "company":
		return &l.Company
	case "email":
		return &l.Email
	case "url":
		return &l.URL
	default:
		return nil
	}
}

// field reads a field under a name of its own.
func (p *restParser) field(d *caddyfile.Dispenser, l *crm.Lookup, block string) error {
	read, err := values(d, "field vip {record.custom.vip}")
	if err != nil {
		return err
	}
	if len(read) < 2 {
		return d.Errf("field takes a name and where its value is; write for example: field vip {record.custom.vip}")
	}
	p.positions.mark(d, read, block, "field "+read[0])
	l.Fields = append(l.Fields, crm.Field{Name: read[0], Value: read[1:]})
	return nil
}

func filter(d *caddyfile.Dispenser, l *crm.Lookup) error {
	if l.Filter != nil {
		return twice(d, "filter")
	}
	const example = `filter "phone eq '{number}'" " or "`
	read, err := values(d, example)
	if err != nil {
		return err
	}
	if len(read) != 2 {
		return d.Errf("filter takes a fragment and what stands between two of them; write for example: %s", example)
	}
	l.Filter = &crm.Filter{Fragment: read[0], Join: read[1]}
	return nil
}

func phones(d *caddyfile.Dispenser, l *crm.Lookup) error {
	if l.Unverified {
		return twice(d, "phones")
	}
	if err := list(d, &l.Phones, "phones {record.phone} {record.mobile}"); err != nil {
		return err
	}
	if slices.Equal(l.Phones, []string{"unverified"}) {
		l.Phones, l.Unverified = nil, true
	}
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
