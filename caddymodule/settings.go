package caddymodule

import (
	"errors"
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/screenpop/caddy-screenpop/internal/mistake"
	"github.com/screenpop/caddy-screenpop/internal/template"
)

// settingPrefixes are Caddy's own placeholders that hold settings and secrets.
var settingPrefixes = []string{"env.", "file."}

// loadedSettings resolves settings, as when a configuration loads.
func loadedSettings() template.Settings {
	known := template.Settings{}
	for _, prefix := range settingPrefixes {
		known[prefix] = loadSetting
	}
	return known
}

// unreadSettings leaves settings open, as when a Caddyfile is only adapted:
// that may happen on another machine.
func unreadSettings() template.Settings {
	known := template.Settings{}
	for _, prefix := range settingPrefixes {
		known[prefix] = nil
	}
	return known
}

// loadSetting takes a value from Caddy's replacer. An empty one is a mistake
// here, rather than a 401 from the CRM when the first call rings.
func loadSetting(name string) (string, error) {
	value, _ := caddy.NewReplacer().GetString(name)
	if value != "" {
		return value, nil
	}
	if variable, ok := strings.CutPrefix(name, "env."); ok {
		return "", fmt.Errorf("{%s} is empty; set the environment variable %s for Caddy", name, variable)
	}
	return "", fmt.Errorf("{%s} is empty or can't be read; the file must exist and be readable by Caddy", name)
}

// resolve fills settings into an option that takes no other placeholder. It
// reports whether they are known yet.
func resolve(text string, known template.Settings) (value string, resolved bool, err error) {
	compiled, err := template.Compile(text, template.Header, template.NewScope[struct{}](known))
	if err != nil || !compiled.IsKnown() {
		return text, false, err
	}
	value, err = compiled.Render(struct{}{})
	return value, true, err
}

// hasSetting reports whether a text has a placeholder of a setting.
func hasSetting(text string) bool {
	for _, prefix := range settingPrefixes {
		if strings.Contains(text, "{"+prefix) {
			return true
		}
	}
	return false
}

// located adds to a mistake where in the Caddyfile the option stands, or else
// the nearest block around it that is known. Outer says how many of the
// mistake's blocks are around those that the sources know.
func located(err error, sources map[string]string, outer int) error {
	found, ok := errors.AsType[*mistake.Mistake](err)
	if !ok {
		return err
	}
	for depth := len(found.Where); depth >= outer; depth-- {
		if source, ok := sources[key(found.Where[outer:depth]...)]; ok {
			return fmt.Errorf("%w, at %s", err, source)
		}
	}
	return err
}

// key names an option within its blocks.
func key(where ...string) string { return strings.Join(where, " > ") }
