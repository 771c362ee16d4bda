package caddymodule

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/screenpop/caddy-screenpop/internal/crm/presets"
	"github.com/screenpop/caddy-screenpop/internal/template"
)

// parsedPresets keeps presets that were read; their text never changes.
var parsedPresets sync.Map // name -> *REST

// readPreset parses a preset: a file of the options that stand in the block of
// `crm rest`.
func readPreset(name string) (*REST, error) {
	if parsed, ok := parsedPresets.Load(name); ok {
		return parsed.(*REST), nil
	}
	source, ok := presets.Source(name)
	if !ok {
		return nil, unknownPreset(name)
	}
	text := "rest {\n" + source + "\n}"
	tokens, err := caddyfile.Tokenize([]byte(text), "preset "+name)
	if err != nil {
		return nil, fmt.Errorf("reading the preset %s: %w", name, err)
	}
	var parsed REST
	p := restParser{rest: &parsed}
	if err := p.parse(caddyfile.NewDispenser(tokens)); err != nil {
		return nil, fmt.Errorf("reading the preset %s: %w", name, err)
	}
	parsedPresets.Store(name, &parsed)
	return &parsed, nil
}

func unknownPreset(name string) error {
	known := presets.Names()
	if nearest := template.Nearest(name, append(slices.Clone(known), "rest")); nearest != "" {
		return fmt.Errorf("there is no connector or preset %q; did you mean %s?", name, nearest)
	}
	return fmt.Errorf("there is no connector or preset %q; write rest for a CRM of your own, or one of %s", name, strings.Join(known, ", "))
}
