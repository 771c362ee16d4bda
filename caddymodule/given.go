package caddymodule

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/screenpop/caddy-screenpop/internal/mistake"
	"github.com/screenpop/caddy-screenpop/internal/template"
)

const (
	credentialPrefix = "credential." //nolint:gosec // is none
	settingPrefix    = "setting."
)

// given adds {credential.*} and {setting.*} to the settings.
func (c *REST) given(known template.Settings) (template.Settings, error) {
	credentials, err := c.values(c.Credentials, c.declared.credentials, known, "credential", credentialExample)
	if err != nil {
		return nil, err
	}
	settings, err := c.values(c.Settings, c.declared.settings, known, "setting", settingExample)
	if err != nil {
		return nil, err
	}
	extended := maps.Clone(known)
	extended[credentialPrefix] = among(credentials, c.declared.credentials, "credential", credentialExample)
	extended[settingPrefix] = among(settings, c.declared.settings, "setting", settingExample)
	return extended, nil
}

func credentialExample(name string) string { return "{env." + strings.ToUpper(name) + "}" }

func settingExample(name string) string { return "<" + name + ">" }

// values resolves what a definition was given, and checks that it is what it
// asked for.
func (c *REST) values(given map[string]string, declared []string, known template.Settings, what string, example func(name string) string) (map[string]string, error) {
	values := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if len(declared) > 0 && !slices.Contains(declared, name) {
			return nil, mistake.In(name, unknown(what, name, declared))
		}
		value, resolved, err := resolve(given[name], known)
		switch {
		case err != nil:
			return nil, mistake.In(name, err)
		case resolved && strings.TrimSpace(value) == "":
			return nil, mistake.In(name, fmt.Errorf("is empty; write for example: %s %s", name, example(name)))
		}
		values[name] = value
	}
	return values, nil
}

// missing is a credential or setting that a definition uses and was not given.
type missing struct {
	what, name, example string
	// isPresets is set when a preset declares it, and so makes it an option.
	isPresets bool
}

func (m *missing) Error() string {
	option := m.what + " " + m.name
	if m.isPresets {
		option = m.name
	}
	return fmt.Sprintf("missing; the CRM wants it: write for example %s %s", option, m.example)
}

// among returns how a placeholder finds its value. What is declared and not
// given is missing only if it is used: what a user writes beside a preset may
// do without.
func among(values map[string]string, declared []string, what string, example func(string) string) func(string) (string, error) {
	return func(placeholder string) (string, error) {
		name := strings.TrimPrefix(placeholder, what+".")
		if value, ok := values[name]; ok {
			return value, nil
		}
		if slices.Contains(declared, name) {
			return "", &missing{what: what, name: name, example: example(name)}
		}
		return "", unknown(what, name, slices.Sorted(maps.Keys(values)))
	}
}

func unknown(what, name string, known []string) error {
	if nearest := template.Nearest(name, known); nearest != "" {
		return fmt.Errorf("unknown %s %q; did you mean %s?", what, name, nearest)
	}
	return errors.New("unknown " + what + " " + fmt.Sprintf("%q", name))
}
