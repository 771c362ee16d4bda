package caddymodule

import "github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

var paneOptions = []string{"pages", "url", "name", "logo", "colour", "lifetime", "patience", "languages", "key", "refused", "framed"}

// pane reads "pane off", or the block.
func (p *handlerParser) pane(d *caddyfile.Dispenser) error {
	if p.handler.Pane != nil {
		return twice(d, "pane")
	}
	p.positions.mark(d, nil, "pane")
	config := &Pane{}
	p.handler.Pane = config
	if d.NextArg() {
		if d.Val() != "off" || d.NextArg() {
			return d.Errf("pane takes off or a block, not %q", d.Val())
		}
		config.Off = true
		return nil
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := p.paneOption(d, config); err != nil {
			return err
		}
	}
	return nil
}

func (p *handlerParser) paneOption(d *caddyfile.Dispenser, config *Pane) error {
	option := d.Val()
	p.positions.mark(d, restOfLine(d), "pane", option)
	switch option {
	case "pages":
		return list(d, &config.Pages, "pages chooser unknown")
	case "url":
		return value(d, &config.URL, "url https://crm-pop.example.com")
	case "name":
		return value(d, &config.Name, `name "Quai Nord"`)
	case "logo":
		p.positions.keep(d, "pane", option)
		return value(d, &config.Logo, "logo /etc/caddy/logo.svg")
	case "colour":
		return value(d, &config.Colour, `colour "#0b57d0"`)
	case "lifetime":
		return duration(d, &config.Lifetime, "lifetime 15m")
	case "patience":
		return duration(d, &config.Patience, "patience 15s")
	case "languages":
		return list(d, &config.Languages, "languages en fr")
	case "key":
		return appended(d, &config.Keys, "key {env.PANE_KEY}")
	case "framed":
		return list(d, &config.Framed, "framed https://crm.example.com")
	case "refused":
		return value(d, &config.Refused, "refused card")
	}
	return unknownOption(d, paneOptions...)
}
