package caddymodule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/screenpop/caddy-screenpop/internal/template"
)

// positions remember where in a Caddyfile options stand, so that a mistake
// found later can name file and line.
type positions struct {
	// all has every option, by [key].
	all map[string]string
	// open has those that can still turn out wrong once the Caddyfile was read:
	// their line has a setting, or they are another module's.
	open map[string]string
}

// mark notes the dispenser's current place for an option and what stands
// behind it. Of an option that is repeated the first place counts, but one
// with a setting takes its own.
func (p *positions) mark(d *caddyfile.Dispenser, line []string, where ...string) {
	note(&p.all, d, false, where)
	if slices.ContainsFunc(line, hasSetting) {
		note(&p.open, d, true, where)
	}
}

// keep notes an option that can still turn out wrong whatever its line says.
func (p *positions) keep(d *caddyfile.Dispenser, where ...string) {
	note(&p.all, d, false, where)
	note(&p.open, d, true, where)
}

func note(places *map[string]string, d *caddyfile.Dispenser, replace bool, where []string) {
	if *places == nil {
		*places = map[string]string{}
	}
	at := key(where...)
	if _, there := (*places)[at]; !there || replace {
		(*places)[at] = fmt.Sprintf("%s:%d", d.File(), d.Line())
	}
}

// unknownOption is the error for a word that is no option here.
func unknownOption(d *caddyfile.Dispenser, known ...string) error {
	word := d.Val()
	if nearest := template.Nearest(word, known); nearest != "" {
		return d.Errf("unrecognized subdirective '%s'; did you mean %s?", word, nearest)
	}
	return d.Errf("unrecognized subdirective '%s'; there are %s", word, strings.Join(known, ", "))
}

// twice is the error for an option that may stand only once.
func twice(d *caddyfile.Dispenser, option string) error {
	return d.Errf("%s is already specified", option)
}

// values reads the rest of an option's line, of which there must be something.
func values(d *caddyfile.Dispenser, example string) ([]string, error) {
	option := d.Val()
	list := d.RemainingArgs()
	if len(list) == 0 {
		return nil, d.Errf("%s needs a value; write for example: %s", option, example)
	}
	return list, nil
}

// list reads the values of an option into a place that is still empty.
func list(d *caddyfile.Dispenser, into *[]string, example string) error {
	if len(*into) > 0 {
		return twice(d, d.Val())
	}
	read, err := values(d, example)
	*into = read
	return err
}

// value reads the one value of an option into a place that is still empty.
func value(d *caddyfile.Dispenser, into *string, example string) error {
	option := d.Val()
	if *into != "" {
		return twice(d, option)
	}
	read, err := values(d, example)
	if err != nil {
		return err
	}
	if len(read) > 1 {
		return d.Errf("%s takes one value, not %d; put quotes around it if it has spaces: %s", option, len(read), example)
	}
	*into = read[0]
	return nil
}
