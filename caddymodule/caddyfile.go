package caddymodule

import (
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/screenpop/caddy-screenpop/internal/crm"
	"github.com/screenpop/caddy-screenpop/internal/pop"
	"github.com/screenpop/caddy-screenpop/internal/xucmgt"
)

func init() {
	httpcaddyfile.RegisterHandlerDirective("screen_pop", parseCaddyfile)
	// Before respond, so that a fallback such as `respond 404` stays one.
	httpcaddyfile.RegisterDirectiveOrder("screen_pop", httpcaddyfile.Before, "respond")
}

func parseCaddyfile(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	handler := new(Handler)
	return handler, handler.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile reads the directive:
//
//	screen_pop [<matcher>] {
//		origins   <origin...>
//		endpoint  <path>
//		region    <country>
//		internal  <lengths|pattern...> | off
//		deadline  <duration>
//		lookup_by <template...>
//
//		cache off | {
//			ttl       <duration>
//			not_found <duration> | off
//			stale     <duration> | off
//			size      <entries>
//			shared    <url> [<key>]
//		}
//
//		crm <connector> [<url>] { ... }
//
//		on <outcome> [<action> [<url>]] {
//			event     EventRinging | EventEstablished | EventReleased
//			title     <template>
//			autopause [<reason>] | off
//			multitab  [off]
//			args      <template...>
//		}
//		when queue <name...> | did <pattern...> | caller <pattern...> |
//		     agent <id...> | data <key> [<value...>] | expression <CEL> {
//			on ...
//			ask <crm name...>
//		}
//
//		pane off
//		pane {
//			pages     <page...>
//			url       <origin>
//			name      <text>
//			logo      <file>
//			colour    <#rrggbb>
//			lifetime  <duration>
//			patience  <duration>
//			languages <language...>
//			key       <secret...>
//			refused   popup | card
//			framed    <origin...>
//		}
//	}
func (h *Handler) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	p := handlerParser{handler: h}
	if err := p.parse(d); err != nil {
		return err
	}
	h.Sources = p.positions.open
	return located(p.check(), p.positions.all, 0)
}

// handlerParser reads the directive and remembers where its options stand.
type handlerParser struct {
	handler    *Handler
	connectors []any
	positions  positions
}

// check finds what can be known to be wrong before the configuration loads,
// while the lines are at hand.
func (p *handlerParser) check() error {
	checked := *p.handler
	if err := checked.prepare(unreadSettings()); err != nil {
		return err
	}
	if len(p.connectors) == 0 {
		return errNoCRM
	}
	var connectors []crm.Connector
	for _, connector := range p.connectors {
		rest, ok := connector.(*REST)
		if !ok {
			return nil // a guest's records are known when it is provisioned
		}
		connectors = append(connectors, rest)
	}
	profiles, err := checked.profilesOf(connectors)
	if err != nil {
		return err
	}
	return checked.prepareRules(profiles, unreadSettings())
}

func (p *handlerParser) parse(d *caddyfile.Dispenser) error {
	d.Next()
	p.positions.mark(d, nil)
	if d.NextArg() {
		return d.Errf("screen_pop takes no argument but a matcher, and there is %q; options stand in a block", d.Val())
	}
	for d.NextBlock(0) {
		if err := p.option(d); err != nil {
			return err
		}
	}
	return nil
}

var handlerOptions = []string{"origins", "endpoint", "region", "internal", "deadline", "lookup_by", "cache", "crm", "on", "when", "pane"}

func (p *handlerParser) option(d *caddyfile.Dispenser) error {
	h := p.handler
	option := d.Val()
	switch option {
	case "crm":
		return p.crm(d)
	case "on":
		if h.On == nil {
			h.On = map[pop.Outcome]pop.Response{}
		}
		return p.on(d, h.On)
	case "when":
		return p.when(d)
	case "pane":
		return p.pane(d)
	case "cache":
		return p.cache(d)
	}
	p.positions.mark(d, restOfLine(d), option)
	switch option {
	case "origins":
		return appended(d, &h.Origins, "origins https://xuc.example.com")
	case "endpoint":
		return value(d, &h.Endpoint, "endpoint /screenpop")
	case "region":
		return value(d, &h.Region, "region FR")
	case "internal":
		return list(d, &h.Internal, "internal 2-6")
	case "deadline":
		return duration(d, &h.Deadline, "deadline 800ms")
	case "lookup_by":
		return list(d, &h.LookupBy, "lookup_by {call.userData.USR_CALLER} {call.caller}")
	}
	return unknownOption(d, handlerOptions...)
}

// appended reads a list that may stand on several lines.
func appended(d *caddyfile.Dispenser, into *[]string, example string) error {
	read, err := values(d, example)
	*into = append(*into, read...)
	return err
}

// crm hands what stands behind the word to the connector's module. A name that
// is no module is a preset of the rest connector.
func (p *handlerParser) crm(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.Errf("crm needs a connector; write for example: crm espocrm https://crm.example.com { ... }")
	}
	name := d.Val()
	const namespace = "screen_pop.connectors."
	connector := name
	if _, err := caddy.GetModule(namespace + connector); err != nil {
		connector = "rest"
	}
	p.positions.mark(d, nil, "crm "+name)
	module, err := caddyfile.UnmarshalModule(d, namespace+connector)
	if err != nil {
		return err
	}
	p.connectors = append(p.connectors, module)
	p.handler.CRMsRaw = append(p.handler.CRMsRaw, caddyconfig.JSONModuleObject(module, "connector", connector, nil))
	return nil
}

var responseOptions = []string{"event", "title", "autopause", "multitab", "args"}

// on reads the response to one outcome.
func (p *handlerParser) on(d *caddyfile.Dispenser, responses map[pop.Outcome]pop.Response, within ...string) error {
	line := restOfLine(d)
	if len(line) == 0 {
		return d.Errf("on needs an outcome; write for example: on one popup {contact.url}")
	}
	outcome, err := pop.ParseOutcome(line[0])
	if err != nil {
		return d.WrapErr(err)
	}
	if _, ok := responses[outcome]; ok {
		return twice(d, "on "+line[0])
	}
	block := append(slices.Clone(within), "on "+line[0])
	p.positions.mark(d, line, block...)
	var response pop.Response
	if read := d.RemainingArgs(); len(read) > 3 {
		return d.Errf("on takes an outcome, an action and its url, but there is %q; put quotes around a url with spaces", read[3])
	}
	line = append(line, "", "")
	response.Action, response.URL = line[1], line[2]
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := p.responseOption(d, &response, block); err != nil {
			return err
		}
	}
	responses[outcome] = response
	return nil
}

func (p *handlerParser) responseOption(d *caddyfile.Dispenser, response *pop.Response, block []string) error {
	option := d.Val()
	p.positions.mark(d, restOfLine(d), append(slices.Clone(block), option)...)
	switch option {
	case "event":
		return value(d, &response.Event, "event "+string(xucmgt.EventRinging))
	case "title":
		return value(d, &response.Title, `title "{contact.name}"`)
	case "autopause":
		return autopause(d, response)
	case "multitab":
		return onOff(d, &response.Multitab)
	case "args":
		return list(d, &response.Args, "args --phone {number.e164}")
	}
	return unknownOption(d, responseOptions...)
}

// autopause reads "autopause", "autopause <reason>" or "autopause off".
func autopause(d *caddyfile.Dispenser, response *pop.Response) error {
	if read := restOfLine(d); len(read) == 1 && read[0] != "off" {
		if response.Autopause != nil {
			return twice(d, "autopause")
		}
		on := true
		response.Autopause = &on
		return value(d, &response.AutopauseReason, "autopause wrapup")
	}
	return onOff(d, &response.Autopause)
}

// onOff reads a switch: the bare word is on.
func onOff(d *caddyfile.Dispenser, into **bool) error {
	option := d.Val()
	if *into != nil {
		return twice(d, option)
	}
	on := true
	if d.NextArg() {
		if d.Val() != "off" {
			return d.Errf("%s takes nothing or off, not %q", option, d.Val())
		}
		on = false
	}
	if d.NextArg() {
		return d.ArgErr()
	}
	*into = &on
	return nil
}

var matchers = []string{"queue", "did", "caller", "agent", "data", "expression"}

// when reads a rule for some calls only.
func (p *handlerParser) when(d *caddyfile.Dispenser) error {
	h := p.handler
	block := pop.WhenName(len(h.When))
	line := restOfLine(d)
	p.positions.mark(d, line, block)
	if len(line) > 2 && line[0] != "expression" {
		for _, word := range line[2:] {
			if slices.Contains(matchers, word) {
				return d.Errf("when takes one matcher, and %q is a second; combine conditions in an expression: when expression `call.queue.name == \"vip\" && call.did == \"0123456789\"`", word)
			}
		}
	}
	var when pop.When
	if err := matcher(d, &when.Match); err != nil {
		return err
	}
	p.positions.mark(d, line, block, line[0])
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		switch d.Val() {
		case "on":
			if when.On == nil {
				when.On = map[pop.Outcome]pop.Response{}
			}
			if err := p.on(d, when.On, block); err != nil {
				return err
			}
		case "ask":
			p.positions.mark(d, nil, block, "ask")
			if err := list(d, &when.Ask, "ask espocrm"); err != nil {
				return err
			}
		default:
			return unknownOption(d, "on", "ask")
		}
	}
	h.When = append(h.When, when)
	return nil
}

// matcher reads what follows when.
func matcher(d *caddyfile.Dispenser, match *pop.Match) error {
	if !d.NextArg() {
		return d.Errf("when needs a matcher; write for example: when queue support { ... }")
	}
	switch name := d.Val(); name {
	case "queue":
		return list(d, &match.Queue, "when queue support")
	case "did":
		return list(d, &match.DID, "when did 0123456*")
	case "caller":
		return list(d, &match.Caller, "when caller +3342746*")
	case "agent":
		return list(d, &match.Agent, "when agent 29")
	case "expression":
		read, err := values(d, "when expression `call.queue.name == \"vip\"`")
		match.Expression = strings.Join(read, " ")
		return err
	case "data":
		read, err := values(d, "when data USR_LEVEL gold")
		if err == nil {
			match.Data = &pop.Data{Key: read[0], Values: read[1:]}
		}
		return err
	default:
		return unknownOption(d, matchers...)
	}
}
