package crm

import (
	"strings"
	"testing"

	"github.com/tidwall/gjson"
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

func TestModifiersOfOurOwn(t *testing.T) {
	for path, want := range map[string]string{
		"id|@after:x":     "34",
		"id|@after:-":     "12x34",
		"name|@unhtml":    "O'Brien & Söhne <AG>",
		"number|@after:x": "7",
		"none|@after:x":   "",
		"none|@unhtml":    "",
	} {
		if err := CheckPath(path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		record := `{"id":"12x34","name":"O&#039;Brien &amp; S&ouml;hne &lt;AG&gt;","number":7,"none":null,"list":[]}`
		if got := gjson.Get(record, path).String(); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
}
