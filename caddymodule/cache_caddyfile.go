package caddymodule

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

var cacheOptions = []string{"ttl", "not_found", "stale", "size", "shared"}

// cache reads for how long answers are remembered.
func (p *handlerParser) cache(d *caddyfile.Dispenser) error {
	if p.handler.Cache != nil {
		return twice(d, "cache")
	}
	p.positions.mark(d, nil, "cache")
	c := &Cache{}
	p.handler.Cache = c
	if d.NextArg() {
		if d.Val() != "off" || d.NextArg() {
			return d.Errf("cache takes off or a block, not %q; write for example: cache { ttl 5m }", d.Val())
		}
		c.Off = true
	}
	options := 0
	for nesting := d.Nesting(); d.NextBlock(nesting); options++ {
		if c.Off {
			return d.Errf("cache is off, so it takes no options")
		}
		if err := p.cacheOption(d, c); err != nil {
			return err
		}
	}
	if !c.Off && options == 0 {
		return d.Errf("cache takes off or a block; write for example: cache { ttl 5m }")
	}
	return nil
}

func (p *handlerParser) cacheOption(d *caddyfile.Dispenser, c *Cache) error {
	option := d.Val()
	p.positions.mark(d, restOfLine(d), "cache", option)
	switch option {
	case "ttl":
		return duration(d, &c.TTL, "ttl 5m")
	case "not_found":
		return durationOrOff(d, &c.NotFound, "not_found 30s")
	case "stale":
		return durationOrOff(d, &c.Stale, "stale 1h")
	case "size":
		return count(d, &c.Size, "size 100000")
	case "shared":
		return shared(d, c)
	}
	return unknownOption(d, cacheOptions...)
}

// shared reads where a fleet remembers together.
func shared(d *caddyfile.Dispenser, c *Cache) error {
	if c.Shared != nil {
		return twice(d, "shared")
	}
	c.Shared = &SharedCache{}
	switch line := d.RemainingArgs(); len(line) {
	case 2:
		c.Shared.Key = line[1]
		fallthrough
	case 1:
		c.Shared.URL = line[0]
		return nil
	default:
		return d.Errf("shared takes an address and a key, if there is to be one; write for example: shared redis://redis.example.com:6379/0 {env.CACHE_KEY}")
	}
}

// durationOrOff reads a duration, or that there is none.
func durationOrOff(d *caddyfile.Dispenser, into *caddy.Duration, example string) error {
	if line := restOfLine(d); len(line) == 1 && line[0] == "off" {
		if *into != 0 {
			return twice(d, d.Val())
		}
		d.NextArg()
		*into = off
		return nil
	}
	return duration(d, into, example)
}
