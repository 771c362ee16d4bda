package crm

import (
	"strings"
	"testing"
)

func TestCheckPath(t *testing.T) {
	for path, want := range map[string]string{
		// What gjson reads.
		"@this":                        "",
		"list":                         "",
		"data.items":                   "",
		"data.0.items":                 "",
		"items.#":                      "",
		"phones.#.number":              "",
		`items.#(type=="a.b|c)").id`:   "",
		`items.#(phone%"04*")#|0.id`:   "",
		`items.#(tags.#(=="vip"))#.id`: "",
		"data|@values":                 "",
		"data.@flatten:deep":           "",
		"@values|0.name":               "",
		`fav\.movie`:                   "",
		`odd\"name`:                    "",
		"[id,name]":                    "",
		"numéro.été":                   "",
		"a b":                          "",
		"custom*.na?e":                 "",
		`_embedded.contacts`:           "",
		// What finds nothing.
		"":                     "is empty",
		".":                    "has an empty part",
		"..":                   "has an empty part",
		".list":                "has an empty part",
		"list.":                "has an empty part",
		"data..items":          "has an empty part",
		"data||items":          "has an empty part",
		"@nothing":             "has an unknown modifier @nothing",
		"data.@vlaues":         "has an unknown modifier @vlaues",
		"data|@":               "has an unknown modifier @",
		"items.#(a==1":         "has a '(' that is not closed",
		"items.#(a==1]":        "has a ']' that was not opened",
		"items.a)":             "has a ')' that was not opened",
		"[id,name":             "has a '[' that is not closed",
		`items.#(type=="a)`:    "has a quote that is not closed",
		`list\`:                "ends with a backslash",
		"{id,name}":            "has braces or control characters",
		"a{b":                  "has braces or control characters",
		"a\nb":                 "has braces or control characters",
		"a\x00b":               "has braces or control characters",
		"items.#(a==\"x\")#..": "has an empty part",
	} {
		switch err := CheckPath(path); {
		case want == "" && err != nil:
			t.Errorf("CheckPath(%q) = %v", path, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("CheckPath(%q) = %v, want %q", path, err, want)
		case err != nil && !strings.HasPrefix(err.Error(), "the gjson path "):
			t.Errorf("CheckPath(%q) does not say what it is about: %v", path, err)
		}
	}
}
