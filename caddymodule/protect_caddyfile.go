package caddymodule

import (
	"errors"
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

var protectOptions = []string{"concurrent", "queue", "rate", "breaker", "retry", "hedge"}

// protect reads how the CRM is spared:
//
//	protect off
//	protect {
//		concurrent <requests>
//		queue      <requests>
//		rate       <requests> <duration>
//		breaker    <failures> [<pause>] | off
//		retry      off
//		hedge      [<percentile>]
//	}
func (p *restParser) protect(d *caddyfile.Dispenser) error {
	if p.rest.Protect != nil {
		return twice(d, "protect")
	}
	p.positions.mark(d, nil, "protect")
	into := &Protect{}
	p.rest.Protect = into
	if read := d.RemainingArgs(); len(read) > 0 {
		if len(read) > 1 || read[0] != "off" {
			return d.Errf("protect takes off, or its options in a block, but there is %q", read[0])
		}
		into.Off = true
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if into.Off {
			return d.Errf("protect off has no options")
		}
		p.positions.mark(d, nil, "protect", d.Val())
		if err := protectOption(d, into); err != nil {
			return err
		}
	}
	return nil
}

func protectOption(d *caddyfile.Dispenser, into *Protect) error {
	switch option := d.Val(); option {
	case "concurrent":
		return count(d, &into.Concurrent, "concurrent 16")
	case "queue":
		return count(d, &into.Queue, "queue 200")
	case "rate":
		return rate(d, into)
	case "breaker":
		return breaker(d, into)
	case "retry":
		if read := d.RemainingArgs(); len(read) != 1 || read[0] != "off" {
			return d.Errf("retry takes off; a request whose connection broke is made once more otherwise")
		}
		into.RetryOff = true
		return nil
	case "hedge":
		return hedge(d, into)
	}
	return unknownOption(d, protectOptions...)
}

// count reads a number of something.
func count(d *caddyfile.Dispenser, into *int, example string) error {
	option := d.Val()
	if *into != 0 {
		return twice(d, option)
	}
	var text string
	if err := value(d, &text, example); err != nil {
		return err
	}
	return number(d, option, text, into, example)
}

func number(d *caddyfile.Dispenser, option, text string, into *int, example string) error {
	read, err := strconv.Atoi(text)
	if errors.Is(err, strconv.ErrRange) {
		return d.Errf("%s: %s is too large", option, text)
	}
	if err != nil || read <= 0 {
		return d.Errf("%s: %q is not a number above 0; write for example: %s", option, text, example)
	}
	*into = read
	return nil
}

func rate(d *caddyfile.Dispenser, into *Protect) error {
	const example = "rate 10 1s"
	if into.Rate != nil {
		return twice(d, "rate")
	}
	read := d.RemainingArgs()
	if len(read) != 2 {
		return d.Errf("rate takes a number of requests and a time; write for example: %s", example)
	}
	into.Rate = &Rate{}
	if err := number(d, "rate", read[0], &into.Rate.Requests, example); err != nil {
		return err
	}
	return span(d, "rate", read[1], &into.Rate.Per, example)
}

func breaker(d *caddyfile.Dispenser, into *Protect) error {
	const example = "breaker 5 2s"
	if into.Breaker != nil {
		return twice(d, "breaker")
	}
	into.Breaker = &Breaker{}
	read := d.RemainingArgs()
	switch {
	case len(read) == 1 && read[0] == "off":
		into.Breaker.Off = true
		return nil
	case len(read) != 1 && len(read) != 2:
		return d.Errf("breaker takes a number of failures and a pause, or off; write for example: %s", example)
	}
	if err := number(d, "breaker", read[0], &into.Breaker.Failures, example); err != nil || len(read) == 1 {
		return err
	}
	return span(d, "breaker", read[1], &into.Breaker.Pause, example)
}

func span(d *caddyfile.Dispenser, option, text string, into *caddy.Duration, example string) error {
	read, err := caddy.ParseDuration(text)
	if err != nil || read <= 0 {
		return d.Errf("%s: %q is not a time; write for example: %s", option, text, example)
	}
	*into = caddy.Duration(read)
	return nil
}

// defaultHedge is the percentile of a hedge that names none.
const defaultHedge = 95

func hedge(d *caddyfile.Dispenser, into *Protect) error {
	if into.Hedge != 0 {
		return twice(d, "hedge")
	}
	into.Hedge = defaultHedge
	read := d.RemainingArgs()
	if len(read) == 0 {
		return nil
	}
	percentile, err := strconv.ParseFloat(read[0], 64)
	if err != nil || len(read) > 1 || percentile == 0 {
		return d.Errf("hedge takes a percentile; write for example: hedge 95")
	}
	into.Hedge = percentile
	return nil
}
