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
		if got, err := compiled.Render(facts{"x": "Rosa Marín"}); err != nil || !strings.Contains(got, "Rosa Marín") || !json.Valid([]byte(got)) {
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
