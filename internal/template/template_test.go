package template

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
)

// facts are what the placeholders of the tests stand for.
type facts map[string]string

// scope has one name of each kind; data.* is a family with any member but bad.
func scope() *Scope[facts] {
	get := func(name string) func(facts) string { return func(f facts) string { return f[name] } }
	s := NewScope[facts](Settings{"env.": func(name string) (string, error) {
		value, ok := settings[name]
		if !ok {
			return "", errors.New(name + " is not set")
		}
		return value, nil
	}})
	s.Add("number", Placeholder[facts]{Kind: Spelled, Get: get("number")})
	s.Add("home", Placeholder[facts]{Kind: Address, Get: get("home")})
	s.Add("filter", Placeholder[facts]{Kind: Composed, Get: get("filter")})
	s.AddFamily("data.", []string{"queue", "caller"}, func(rest string) (Placeholder[facts], error) {
		if rest == "bad" {
			return Placeholder[facts]{}, errors.New("the reason")
		}
		return Placeholder[facts]{Get: get(rest), List: func(f facts) []string { return strings.Split(f[rest], ",") }}, nil
	})
	return s
}

var settings = map[string]string{
	"env.EMPTY": "", "env.WORD": "word", "env.URL": "https://crm.example.com", "env.BRACES": `{data.queue} \{ {nothing.like.it}`,
	"env.QUOTE": `"`, "env.LINES": "a\r\nb", "env.BACKSLASH": `\`, "env.NUL": "\x00",
}

func compile(t testing.TB, text string, place Place) *Template[facts] {
	t.Helper()
	compiled, err := Compile(text, place, scope())
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return compiled
}

func render(t testing.TB, text string, place Place, values facts) string {
	t.Helper()
	got, err := compile(t, text, place).Render(values)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return got
}

var places = map[string]Place{
	"text": Text, "url": URL, "path": Path, "value": Value, "expression": Expression, "json": JSON, "header": Header, "argument": Argument,
}

func TestPlaceholdersAreFilledIn(t *testing.T) {
	values := facts{"queue": "Blue sky", "number": "0427466347"}
	for text, want := range map[string]string{
		"":                           "",
		"no placeholder":             "no placeholder",
		"{data.queue}":               "Blue sky",
		"{data.queue}: {number}!":    "Blue sky: 0427466347!",
		"{number}{number}":           "04274663470427466347",
		"{data.absent}":              "",
		"<{data.absent}>":            "<>",
		"{env.WORD} {data.queue}":    "word Blue sky",
		"{data.deep.er|path}":        "",
		"{} { } {1} {\"a\"} }{ { a}": "{} { } {1} {\"a\"} }{ { a}", // braces of JSON and GraphQL
		`\{data.queue} \{`:           "{data.queue} {",
		`\{number`:                   "{number",
		`\{data.queue`:               "{data.queue",
		`\{{number}}`:                "{0427466347}",
	} {
		if got := render(t, text, Text, values); got != want {
			t.Errorf("%s = %q, want %q", text, got, want)
		}
	}
}

func TestAValueIsNeverReadAsATemplate(t *testing.T) {
	values := facts{"queue": `{number} {env.WORD} \{ {data.bad}`, "number": "0427466347"}
	for _, place := range []Place{Text, Value, Header} {
		if got := render(t, "{data.queue}", place, values); got != values["queue"] {
			t.Errorf("place %d = %q", place, got)
		}
	}
	if got := render(t, `{"q": "{data.queue}"}`, JSON, values); got != `{"q": "{number} {env.WORD} \\{ {data.bad}"}` {
		t.Errorf("json = %s", got)
	}
	if got := render(t, "https://host/?q={data.queue}", URL, facts{"queue": "{number}", "number": "1"}); got != "https://host/?q=%7Bnumber%7D" {
		t.Errorf("url = %s", got)
	}
}

func TestASettingIsNeverReadAsATemplate(t *testing.T) {
	values := facts{"queue": "Blue sky"}
	for _, place := range []Place{Text, Value, Expression, Header, Argument} {
		if got := render(t, "{env.BRACES}", place, values); got != settings["env.BRACES"] {
			t.Errorf("place %d = %q", place, got)
		}
	}
	if got := render(t, `{"q": "{env.BRACES}"}`, JSON, values); got != `{"q": "{data.queue} \\{ {nothing.like.it}"}` {
		t.Errorf("json = %s", got)
	}
}

func TestAWrongPlaceholderIsAnErrorThatNamesTheNearest(t *testing.T) {
	for text, want := range map[string]string{
		"{data.bad}":        "bad placeholder {data.bad}: the reason",
		"{numbr}":           "unknown placeholder {numbr}; did you mean {number}?",
		"{hom}":             "did you mean {home}?",
		"{dta.queue}":       "did you mean {data.queue}?",
		"{contact.url.x.y}": `unknown placeholder {contact.url.x.y}; there are {data.*} {env.*} {filter} {home} {number} (write \{ for a brace that is text)`,
		"{env.MISSING}":     "env.MISSING is not set",
		"a {data.queue":     `the placeholder "{data.queue" is not closed; write "{data.queue}"`,
		`\{ {data.queue`:    `is not closed`,
		"query { id }{id}":  "unknown placeholder {id}",
	} {
		for name, place := range places {
			_, err := Compile(text, place, scope())
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s in %s: %v, want %s", text, name, err, want)
			}
		}
	}
}

func TestWhereNoPlaceholderCanStandTheErrorSaysSo(t *testing.T) {
	_, err := Compile("{data.queue}", Text, NewScope[facts](nil))
	if err == nil || err.Error() != `unknown placeholder {data.queue}; no placeholder can stand here (write \{ for a brace that is text)` {
		t.Errorf("err = %v", err)
	}
}

func TestNearest(t *testing.T) {
	candidates := []string{"none", "many", "one"}
	for word, want := range map[string]string{"non": "none", "mani": "many", "withheld": "", "": ""} {
		if got := Nearest(word, candidates); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
	if got := Nearest("word", nil); got != "" {
		t.Errorf("Nearest among nothing = %q", got)
	}
}

func TestATemplateKnowsItsTextAndItsPlaceholders(t *testing.T) {
	compiled := compile(t, `a {data.queue} \{number} {env.WORD}`, Text)
	if compiled.String() != `a {data.queue} \{number} {env.WORD}` {
		t.Errorf("String = %s", compiled)
	}
	for name, want := range map[string]bool{"data.queue": true, "env.WORD": true, "number": false, "data": false, "home": false} {
		if got := compiled.Uses(name); got != want {
			t.Errorf("Uses(%s) = %v", name, got)
		}
	}
}

// A configuration may be read on a machine that does not have its settings.
func TestAnUnknownSettingIsNotJudged(t *testing.T) {
	unread := scope()
	unread.settings = Settings{"env.": nil}
	for name, place := range places {
		texts := []string{"{env.CRM}", "{env.CRM}/a?b={number}"}
		if place == JSON {
			texts = []string{"{env.CRM}", `{"a": {env.CRM}, "b": "{env.CRM}{number}"}`}
		}
		for _, text := range texts {
			compiled, err := Compile(text, place, unread)
			if err != nil {
				t.Errorf("%s in %s: %v", text, name, err)
				continue
			}
			if compiled.IsKnown() || !compiled.Uses("env.CRM") {
				t.Errorf("%s in %s: known %v", text, name, compiled.IsKnown())
			}
		}
	}
	if !compile(t, "{env.WORD}{number}", Text).IsKnown() {
		t.Error("a setting with a value is not known")
	}
	if _, err := Compile("{env.CRM}{numbr}", Text, unread); err == nil {
		t.Error("a mistake beside an unknown setting was accepted")
	}
}

func TestRenderAllGivesEveryValueOfAPlaceholderThatStandsAlone(t *testing.T) {
	for _, test := range []struct {
		text string
		want []string
	}{
		{"{data.phones}", []string{"01", "02"}},
		{"+{data.phones}", []string{"+01,02"}},
		{"{number}", []string{"0427466347"}},
		{"{data.phones}{data.absent}", []string{"01,02"}},
		{"{home}", nil},
		{"", nil},
	} {
		got, err := compile(t, test.text, Text).RenderAll(facts{"phones": "01,02", "number": "0427466347"})
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s = %q, %v, want %q", test.text, got, err, test.want)
		}
	}
	if _, err := compile(t, "https://host/{data.a}", URL).RenderAll(facts{"a": ".."}); !errors.Is(err, ErrUnsafe) {
		t.Errorf("err = %v", err)
	}
}

func TestTheFirstFallbackThatIsNotBlankCounts(t *testing.T) {
	fallback, err := CompileFallback([]string{"{data.first} {data.last}", "{data.company}", "nobody"}, Text, scope())
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		values facts
		want   string
	}{
		{facts{"first": "Rosa", "last": "Marin", "company": "ACME"}, "Rosa Marin"},
		{facts{"company": "ACME"}, "ACME"},
		{facts{"first": " ", "company": "\t"}, "nobody"},
	} {
		if got, err := fallback.Render(test.values); got != test.want || err != nil {
			t.Errorf("%v = %q, %v", test.values, got, err)
		}
	}
	if got, err := (Fallback[facts]{}).Render(nil); got != "" || err != nil {
		t.Errorf("no text = %q, %v", got, err)
	}
	if _, err := CompileFallback([]string{"{number}", "{numbr}"}, Text, scope()); err == nil {
		t.Error("a mistake in the second text was accepted")
	}
}

func TestARefusedValueCountsAsBlankInAFallback(t *testing.T) {
	fallback, err := CompileFallback([]string{"{home}", "https://crm/{data.id}"}, URL, scope())
	if err != nil {
		t.Fatal(err)
	}
	hostile := "javascript:alert(1)"
	if got, err := fallback.Render(facts{"home": hostile, "id": "7"}); got != "https://crm/7" || err != nil {
		t.Errorf("= %q, %v", got, err)
	}
	got, err := fallback[:1].Render(facts{"home": hostile})
	if got != "" || !errors.Is(err, ErrUnsafe) || strings.Contains(err.Error(), hostile) {
		t.Errorf("= %q, %v", got, err)
	}
	if got, err := fallback[:1].Render(facts{}); got != "" || err != nil {
		t.Errorf("absent = %q, %v", got, err)
	}
}

// hostile is what a call or a CRM may hold.
var hostile = []string{
	`"`, `'`, `\`, "`", `\"`, `\\"`, `{`, `}`, `{number}`, `{"a":1}`, "\n", "\r\nX-Evil: 1", "\x00", "\x1b[31m", "%", "%22", "%0d%0a", "%2e%2e", "%s",
	"&x=1", "#x", "?x", "/", "//evil.example", "..", "../..", ".", "@evil.example", ":8080", "javascript:alert(1)", "https://evil.example/",
	"<script>", "' or 1=1 --", "*", ";", "$(id)", "|", "--help", "/c calc", "-", "+", " ", "\u202eexe.gpj", "\u200b", "\u2028", "\ufeff", "\xff\xfe", "é", "☎",
	strings.Repeat("x", 5000),
}

// No message may carry what a caller or a CRM wrote: messages are logged.
func TestARefusalNamesThePlaceholderAndNotTheValue(t *testing.T) {
	for name, place := range map[string]Place{"expression": Expression, "header": Header, "value": Value, "url": URL, "path": Path, "json": JSON} {
		text := map[Place]string{URL: "{home}", Path: "/a/{data.x}", JSON: `{"a": "x {data.x}"}`, Header: "{data.x}"}[place]
		if text == "" {
			text = "a = '{data.x}'"
		}
		refused := 0
		for _, value := range hostile {
			value = value + "s3cret" + value
			if place == Path {
				value = ".."
			}
			_, err := compile(t, text, place).Render(facts{"x": value, "home": value})
			if err == nil {
				continue
			}
			refused++
			if !errors.Is(err, ErrUnsafe) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%s with %q: %v", name, value, err)
			}
			if place != URL && place != Path && !strings.Contains(err.Error(), "{data.x}") {
				t.Errorf("%s: %v does not name the placeholder", name, err)
			}
		}
		if refused == 0 {
			t.Errorf("nothing is refused in %s", name)
		}
	}
}

func TestAScopeIsNotChangedByCompiling(t *testing.T) {
	s := scope()
	before := maps.Clone(s.names)
	_, _ = Compile("{nothing}", Text, s)
	_, _ = Compile("{data.queue}", Text, s)
	if len(s.names) != len(before) {
		t.Error("compiling added a name")
	}
}
