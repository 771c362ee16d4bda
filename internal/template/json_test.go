package template

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestAValueIsEscapedForItsPlaceInJSON(t *testing.T) {
	values := facts{"x": "a\"b\\c\n\x00{<&\u2028é", "number": "+33 4", "filter": `{"eq": 1}`}
	for text, want := range map[string]string{
		`{"a": "{data.x}"}`:                               `{"a": "a\"b\\c\n\u0000{<&\u2028é"}`,
		`{"a": {data.x}}`:                                 `{"a": "a\"b\\c\n\u0000{<&\u2028é"}`,
		`{"{data.x}": 1}`:                                 `{"a\"b\\c\n\u0000{<&\u2028é": 1}`,
		`["{data.x}","{data.x}"]`:                         `["a\"b\\c\n\u0000{<&\u2028é","a\"b\\c\n\u0000{<&\u2028é"]`,
		`{"a": "{number}", "b": {number}}`:                `{"a": "+33 4", "b": "+33 4"}`,
		`{"a": "tel {number}"}`:                           `{"a": "tel +33 4"}`,
		`{"a": "\"{number}\""}`:                           `{"a": "\"+33 4\""}`,
		`{"a": "\\", "b": "{data.x}"}`:                    `{"a": "\\", "b": "a\"b\\c\n\u0000{<&\u2028é"}`,
		`{"a": {data.absent}}`:                            `{"a": null}`,
		`{"a": "{data.absent}"}`:                          `{"a": ""}`,
		`[{filter}]`:                                      `[{"eq": 1}]`,
		`{"a": "{filter}"}`:                               `{"a": "{\"eq\": 1}"}`,
		`{"query": "query q { id \{n} }"}`:                `{"query": "query q { id {n} }"}`,
		`{"a": "{env.WORD}", "b": "{env.QUOTE}{number}"}`: `{"a": "word", "b": "\"+33 4"}`,
		`{number}`:                                        `"+33 4"`,
		`"{number}"`:                                      `"+33 4"`,
	} {
		if got := render(t, text, JSON, values); got != want {
			t.Errorf("%s = %s, want %s", text, got, want)
		}
	}
}

func TestAValueThatSharesAJSONStringMayBePartOfAQuery(t *testing.T) {
	for _, text := range []string{
		`{"q": "phone eq '{data.x}'"}`, `{"q": "{data.x}{number}"}`, `{"q": "\"{data.x}\""}`, `{"q": "{env.QUOTE}{data.x}{env.QUOTE}"}`,
	} {
		compiled := compile(t, text, JSON)
		for _, value := range []string{`a'b`, `a"b`, `a\b`, "a\nb", "a*", "a(b", "a%"} {
			if got, err := compiled.Render(facts{"x": value}); !errors.Is(err, ErrUnsafe) {
				t.Errorf("%s with %q = %s, %v", text, value, got, err)
			}
		}
		if got, err := compiled.Render(facts{"x": "Marín"}); err != nil || !strings.Contains(got, "Marín") || !json.Valid([]byte(got)) {
			t.Errorf("%s = %s, %v", text, got, err)
		}
	}
}

func TestHostileValuesLeaveAJSONDocumentAsItIsBuilt(t *testing.T) {
	compiled := compile(t, `{"a": "{data.x}", "b": [{data.x}, "end"]}`, JSON)
	for _, value := range hostile {
		got, err := compiled.Render(facts{"x": value})
		if err != nil {
			t.Errorf("%q: %v", value, err)
			continue
		}
		var document struct {
			A string
			B []string
		}
		want := strings.ToValidUTF8(value, "")
		if err := json.Unmarshal([]byte(got), &document); err != nil || len(document.B) != 2 || document.B[1] != "end" ||
			document.A != document.B[0] || strings.ReplaceAll(document.A, "\ufffd", "") != want {
			t.Errorf("%q gives %s (%v)", value, got, err)
		}
	}
}

func TestWhatWouldNotBeJSONIsRefusedAtLoad(t *testing.T) {
	for _, text := range []string{
		"", "phone", `{"a": }`, `{"a": "{data.x}`, `{"a": {data.x}{data.y}}`, `{"a": tel {number}}`, `{"a": 1{number}}`, `{a: {number}}`,
		`{"a": "{data.x}"} {`, `{'a': '{data.x}'}`, `{"a": {env.WORD}}`, `{"a": {env.QUOTE}}`, `{"a": "{data.x}""}`, `{"a": "\{data.x}}`,
	} {
		if _, err := Compile(text, JSON, scope()); err == nil || !strings.Contains(err.Error(), "is not valid JSON once its placeholders are filled in") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// A setting can open and close strings like the text that it stands in.
func TestASettingOutsideAStringIsPartOfTheDocument(t *testing.T) {
	for _, value := range hostile {
		got, err := compile(t, `{"a": {env.QUOTE}{data.x}"}`, JSON).Render(facts{"x": value})
		if err == nil && !json.Valid([]byte(got)) {
			t.Errorf("%q gives %s", value, got)
		}
	}
}

// Some CRMs take a filter as JSON in a query parameter.
func TestAValueThatIsJSONIsEscapedAsJSON(t *testing.T) {
	for text, want := range map[string]string{
		`{"phone": "{data.x}"}`:       `{"phone": "a\"b"}`,
		`[["phone", "=", {data.x}]]`:  `[["phone", "=", "a\"b"]]`,
		` {"phone": ["{data.x}", 1]}`: ` {"phone": ["a\"b", 1]}`,
	} {
		if got := render(t, text, Value, facts{"x": `a"b`}); got != want {
			t.Errorf("%s = %s", text, got)
		}
	}
	for _, text := range []string{`[phone = "{data.x}"]`, `{phone: "{data.x}"}`, `"{data.x}"`, `x {"a": "{data.x}"}`, `{"a": "{data.x}"`} {
		if got, err := compile(t, text, Value).Render(facts{"x": `a"b`}); !errors.Is(err, ErrUnsafe) {
			t.Errorf("%s = %s, %v", text, got, err)
		}
	}
}

func typedScope() *Scope[facts] {
	s := scope()
	s.AddFamily("login.", nil, func(name string) (Placeholder[facts], error) {
		get := func(f facts) string { return f[name] }
		return Placeholder[facts]{Get: get, JSON: get}, nil
	})
	return s
}

func TestAValueOutsideOfStringsKeepsItsType(t *testing.T) {
	compiled, err := Compile(`{"args": ["db", {login.uid}], "uid": "{login.uid}"}`, JSON, typedScope())
	if err != nil {
		t.Fatal(err)
	}
	for value, want := range map[string]string{
		"7":                     `{"args": ["db", 7], "uid": "7"}`,
		"-1.5e3":                `{"args": ["db", -1.5e3], "uid": "-1.5e3"}`,
		"true":                  `{"args": ["db", true], "uid": "true"}`,
		`"a"`:                   `{"args": ["db", "a"], "uid": "\"a\""}`,
		"":                      `{"args": ["db", null], "uid": ""}`,
		"[1,\n {\"a\": \"é\"}]": `{"args": ["db", [1,{"a":"é"}]], "uid": "[1,\n {\"a\": \"é\"}]"}`,
	} {
		if got, err := compiled.Render(facts{"uid": value}); err != nil || got != want {
			t.Errorf("%q = %s, %v, want %s", value, got, err, want)
		}
	}
	for _, value := range []string{"a", "7]", `7, "x"`, "07", "{", `"a`, "1 2", "\x00", "NaN"} {
		if got, err := compiled.Render(facts{"uid": value}); !errors.Is(err, ErrUnsafe) || got != "" {
			t.Errorf("%q = %s, %v", value, got, err)
		}
	}
}

// HTTP headers are ASCII; some CRMs take a filter as JSON in one.
func TestAHeaderThatIsJSONIsASCII(t *testing.T) {
	for text, want := range map[string]string{
		`[["phone", "{data.x}"]]`:       `[["phone", "a\"b\u00e9\u7f8e\ud83d\ude00\r\n\u007f"]]`,
		`{"é": {data.x}}`:               `{"\u00e9": "a\"b\u00e9\u7f8e\ud83d\ude00\r\n\u007f"}`,
		`{"a": {login.list}, "b": "é"}`: `{"a": ["\u00e9",1], "b": "\u00e9"}`,
		`[{filter}]`:                    `["\u00e9"]`,
	} {
		compiled, err := Compile(text, Header, typedScope())
		if err != nil {
			t.Fatal(err)
		}
		got, err := compiled.Render(facts{"x": "a\"bé美😀\r\n\x7f", "list": "[\"é\",\n1]", "filter": `"é"`})
		if err != nil || got != want {
			t.Errorf("%s = %s, %v, want %s", text, got, err, want)
		}
	}
	for _, filter := range []string{"1,\n2", "1] [", "é"} {
		if got, err := compile(t, "[{filter}]", Header).Render(facts{"filter": filter}); !errors.Is(err, ErrUnsafe) || got != "" {
			t.Errorf("%q = %q, %v", filter, got, err)
		}
	}
	if got := render(t, `[{data.x}`, Header, facts{"x": `é"`}); got != `[é"` {
		t.Errorf("a header that is no JSON: %s", got)
	}
}
