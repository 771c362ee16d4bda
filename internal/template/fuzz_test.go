package template

import (
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"strings"
	"testing"
)

// FuzzCompile: any text compiles for any place or is an error; and whatever
// the values are, what comes out is what the place wants, or is refused.
func FuzzCompile(f *testing.F) {
	for _, text := range []string{
		"", "{data.a}", "{number} {data.a}{data.b}", `{"a": "{data.a}", "b": {data.b}}`, `[{env.QUOTE}{data.a}"]`, `{"q": "x '{data.a}'"}`,
		"https://host/{data.a}/x?y={data.b}#{number}", "{home}&q={data.a}", "{env.URL}/{data.a}", "/a/{data.a}?b={data.b}", "phone eq '{data.a}'",
		"a = '{data.a}' or b like \"{data.b}\"", `FIND {"{data.a}" {data.b}}`, `{"é": "{data.a} x", "b": {data.b}}`, `<a b="{data.a}">x {data.b}</a>`,
		`\{data.a}`, "{data.a", "{home}{env.EMPTY}", "{env.BRACES}", "{nothing}", "{data.bad}", "https://{data.a}", "\x00\xff{data.a}",
	} {
		for _, value := range []string{`a"b\`, "..", "javascript:alert(1)", "https://evil.example/?#", "\r\n\x00\u202e\xff", "-/x"} {
			f.Add(text, value, "b")
			f.Add(text, "", value)
		}
	}
	s := scope()
	delete(s.names, "filter") // is trusted to be what it should
	withXML := maps.Clone(places)
	withXML["xml"] = XML
	dialects := []Dialect{{}}
	for _, name := range DialectNames() {
		dialects = append(dialects, dialect(f, name))
	}
	f.Fuzz(func(t *testing.T, text, a, b string) {
		for name, place := range withXML {
			compiled, err := CompileIn(text, place, dialects[len(text)%len(dialects)], s)
			if err != nil {
				continue
			}
			got, err := compiled.Render(facts{"a": a, "b": b, "home": a, "number": "+33 4%2"})
			if err != nil {
				if !errors.Is(err, ErrUnsafe) || got != "" {
					t.Fatalf("%q in %s: %q, %v", text, name, got, err)
				}
				continue
			}
			if fault := misplaced(compiled, got); fault != "" {
				t.Fatalf("%q in %s with %q and %q gives %q, which %s", text, name, a, b, got, fault)
			}
		}
	})
}

// misplaced says why a rendered text is not what its place wants.
func misplaced(compiled *Template[facts], got string) string {
	head, whole := literalHead(compiled.parts)
	switch compiled.place {
	case Text:
		if strings.ContainsAny(got, "\r\n\t") || strings.TrimSpace(got) != got {
			return "is not one line"
		}
	case JSON:
		if !json.Valid([]byte(got)) {
			return "is not JSON"
		}
	case Header:
		if strings.ContainsAny(got, "\r\n\x00") {
			return "is not one header"
		}
		if compiled.ascii && (!json.Valid([]byte(got)) || strings.ContainsFunc(got, func(r rune) bool { return r > '~' })) {
			return "is not JSON in ASCII"
		}
	case XML:
		if err := (&xmlScanner{document: got}).scan(); err != nil {
			return err.Error()
		}
	case Path:
		bare, _ := compiled.Render(facts{"a": "x", "b": "x", "home": "x", "number": "x"})
		if !strings.HasPrefix(got, "/") || strings.ContainsAny(got, " \r\n\t\x00") {
			return "is not a path"
		}
		for _, mark := range []string{"/", "?", "#", "&", "="} {
			if strings.Count(got, mark) != strings.Count(bare, mark) {
				return "has another structure than " + bare
			}
		}
	case URL:
		if got == "" {
			return ""
		}
		parsed, err := url.Parse(got)
		if err != nil || parsed.Host == "" || parsed.User != nil || parsed.Scheme != "http" && parsed.Scheme != "https" {
			return "is not an address that can be opened"
		}
		if own, err := url.Parse(head); head != "" && (err != nil || own.Host != parsed.Host) {
			return "opens another host"
		}
	default:
	}
	if whole && compiled.place != Text && compiled.place != JSON && compiled.place != XML && !compiled.ascii && got != head {
		return "is not the text as it was written"
	}
	return ""
}
