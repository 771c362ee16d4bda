// Package presets holds the definitions of known CRMs, each a file in the
// grammar of `crm rest`, as a user would write it by hand.
package presets

import (
	"embed"
	"path"
	"slices"
	"strings"
)

//go:embed *.caddyfile
var files embed.FS

const extension = ".caddyfile"

// Names returns the known presets in alphabetical order.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err) // the directory is embedded
	}
	var names []string
	for _, entry := range entries {
		names = append(names, strings.TrimSuffix(entry.Name(), extension))
	}
	slices.Sort(names) // odoo comes before odoo-jsonrpc, whose file does not
	return names
}

// Source returns the text of a preset, and whether there is one of that name.
func Source(name string) (string, bool) {
	if name != path.Base(name) {
		return "", false
	}
	text, err := files.ReadFile(name + extension)
	return string(text), err == nil
}
