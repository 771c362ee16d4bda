package template

import (
	"errors"
	"strings"
	"testing"
)

func TestAValueIsEncodedForAnyPartOfAnAddress(t *testing.T) {
	for value, want := range map[string]string{
		"0427466347":    "0427466347",
		"+33 4":         "%2B33%204",
		"a/b?c#d":       "a%2Fb%3Fc%23d",
		"a&b=c;d":       "a%26b%3Dc%3Bd",
		"%2e%2e":        "%252e%252e",
		`"'<>{}\`:       "%22%27%3C%3E%7B%7D%5C",
		"é\x00\r\n\xff": "%C3%A9%00%0D%0A%FF",
		"\u202e":        "%E2%80%AE",
		"~-_.":          "~-_.",
		"javascript:x":  "javascript%3Ax",
	} {
		for _, text := range []string{"https://host/a{data.x}b", "https://host/?q={data.x}", "https://host/#{data.x}"} {
			head, _, _ := strings.Cut(text, "{")
			tail := strings.TrimPrefix(text[len(head):], "{data.x}")
			if got := render(t, text, URL, facts{"x": value}); got != head+want+tail {
				t.Errorf("%s with %q = %s", text, value, got)
			}
		}
		if got := render(t, "/a{data.x}?b={data.x}", Path, facts{"x": value}); got != "/a"+want+"?b="+want {
			t.Errorf("path with %q = %s", value, got)
		}
	}
}

func TestAnAbsentValueLeavesAnAddressWithoutIt(t *testing.T) {
	if got := render(t, "https://host/{data.x}?q={number}", URL, nil); got != "https://host/?q=" {
		t.Errorf("= %q", got)
	}
}

func TestWhatCanBeAnAddress(t *testing.T) {
	for _, text := range []string{
		"https://host", "http://host/", "https://host:8443/a/b?c=d#e", "https://host/{data.x}", "https://host?q={data.x}", "https://host#{data.x}",
		"https://host/a?b={home}", "{env.URL}", "{env.URL}/x/{data.x}", "{env.URL}{env.EMPTY}/{data.x}", "https://{env.WORD}.example/{data.x}",
		"{home}", "{home}/x", "{home}?x={data.x}", "{home}&x={data.x}", "{home}#x", "{home}{env.EMPTY}", "{home}{env.EMPTY}/x", "",
		"https://[2001:db8::1]:8443/{data.x}", "https://bücher.example/{data.x}",
	} {
		if _, err := Compile(text, URL, scope()); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestAPlaceholderNeverDecidesWhichHostIsOpened(t *testing.T) {
	for text, want := range map[string]string{
		"https://{data.x}":            "a placeholder can't stand in the host of an address",
		"https://{data.x}/a":          "a placeholder can't stand in the host",
		"https://host{data.x}":        "a placeholder can't stand in the host",
		"https://host{data.x}/a":      "a placeholder can't stand in the host",
		"https://host:{data.x}/a":     "a placeholder can't stand in the host",
		"https://user@{data.x}/a":     "a placeholder can't stand in the host",
		"https://{home}":              "a placeholder can't stand in the host",
		"{env.URL}{data.x}":           "a placeholder can't stand in the host",
		"{data.x}":                    "{data.x} can't begin an address; write https://host/... or one of",
		"{number}/a":                  "{number} can't begin an address",
		"{data.x}://host/":            "{data.x} can't begin an address",
		"{home}{data.x}":              "behind {home} must follow /, ?, & or #",
		"{home}.evil.example":         "behind {home} must follow",
		"{home}:80/":                  "behind {home} must follow",
		"{home}@evil.example":         "behind {home} must follow",
		"{home}{env.EMPTY}{data.x}":   "behind {home} must follow",
		"{home}{env.WORD}":            "behind {home} must follow",
		"javascript:alert({data.x})":  "is not an address that can be opened; write https://host/...",
		"javascript://host/{data.x}":  "is not an address that can be opened",
		"ftp://host/{data.x}":         "is not an address that can be opened",
		"HTTPS//host/{data.x}":        "is not an address that can be opened",
		"host/{data.x}":               "is not an address that can be opened",
		"//host/{data.x}":             "is not an address that can be opened",
		"/path":                       "is not an address that can be opened",
		"{env.WORD}":                  "is not an address that can be opened",
		"{env.EMPTY}{home}":           "is not an address that can be opened",
		"https:///{data.x}":           "is not an http or https address with a host",
		"https://":                    "is not an http or https address with a host",
		"https://user@host/{data.x}":  "user name or password",
		"https://u:p@host/":           "user name or password",
		`https://host\@evil/{data.x}`: "has spaces, control characters or backslashes",
		`https://host\{/{data.x}`:     "is not an http or https address",
		"https://host&a=/{data.x}":    "is not an http or https address",
		"https://host/a b":            "has spaces, control characters or backslashes",
		"https://host/{data.x}?q=a b": "has spaces, control characters or backslashes",
		"https://host/{data.x}\n":     "has spaces, control characters or backslashes",
		`https://host/{data.x}\x`:     "has spaces, control characters or backslashes",
		"https://host/../{data.x}":    `".." segment`,
		"https://host/{data.x}/./a":   `"." segment`,
		"{home}/../a":                 `".." segment`,
	} {
		if _, err := Compile(text, URL, scope()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestARecordsAddressIsOpenedAsItIs(t *testing.T) {
	for value, want := range map[string]string{
		"https://crm.example.com/c/7":           "https://crm.example.com/c/7",
		" https://crm.example.com/c/7\n":        "https://crm.example.com/c/7",
		"HTTPS://crm.example.com/?a=%20b&c=d#e": "HTTPS://crm.example.com/?a=%20b&c=d#e",
		"http://[::1]:8080/é":                   "http://[::1]:8080/é",
		"":                                      "",
		" \t":                                   "",
	} {
		if got := render(t, "{home}", URL, facts{"home": value}); got != want {
			t.Errorf("%q = %q", value, got)
		}
	}
	if got := render(t, "{home}&q={data.x}", URL, facts{"home": "https://crm/?a=1", "x": "&"}); got != "https://crm/?a=1&q=%26" {
		t.Errorf("continued = %q", got)
	}
}

func TestWhatIsNoAddressIsNeverOpened(t *testing.T) {
	for _, value := range []string{
		"javascript:alert(1)", "JavaScript://crm/%0aalert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "ms-word:x", "about:blank",
		"//crm.example.com/", "/c/7", "crm.example.com", "https:", "https://", "https:/crm", "https:crm", "https:///crm", "https://:80/",
		"https://u@crm/", "https://u:p@crm/", "https://crm@evil/", `https://crm\@evil/`, "https://crm /", "https://crm/a b", "https://crm/\ta",
		"https://crm/\x00", "https://crm/\x7f", "java\nscript:x", "https://crm/%zz", "https://crm:x/", "https://crm/../a", "https://crm/./a",
		"https://crm&evil/", "https://crm;evil/", "https://crm=evil/", "https://crm,evil/", "https://crm*evil/", "https://crm%2fevil/",
		"https://crm\u2044evil/", "https://crm\u3002evil/", "https://crm\u200bevil/",
	} {
		if got, err := compile(t, "{home}", URL).Render(facts{"home": value}); !errors.Is(err, ErrUnsafe) || got != "" {
			t.Errorf("%q = %q, %v", value, got, err)
		}
	}
}

// An address that ends with its host would be continued by what follows.
func TestWhatFollowsAnAddressNeverJoinsItsHost(t *testing.T) {
	compiled := compile(t, "{home}&q={data.x}", URL)
	if got, err := compiled.Render(facts{"home": "https://crm.example.com", "x": ".evil.example"}); !errors.Is(err, ErrUnsafe) {
		t.Errorf("= %q, %v", got, err)
	}
	if got, err := compile(t, "{home}/c/{data.x}", URL).Render(facts{"x": "evil.example"}); !errors.Is(err, ErrUnsafe) {
		t.Errorf("without an address: %q, %v", got, err)
	}
}

func TestNoValueLeadsToAnotherPath(t *testing.T) {
	for _, test := range []struct {
		place      Place
		text, dots string
	}{
		{URL, "https://host/contacts/{data.x}", ".."},
		{URL, "https://host/contacts/{data.x}/edit?a#b", "."},
		{URL, "https://host/contacts/.{data.x}", "."},
		{URL, "{env.URL}/{data.x}", ".."},
		{URL, "{env.URL}/{data.x}{data.x}/a", "."},
		{Path, "/contacts/{data.x}", ".."},
		{Path, "/contacts/{data.x}/edit?a=b", "."},
		{Path, "/contacts/{data.y}.{data.x}/a", "."},
	} {
		compiled := compile(t, test.text, test.place)
		if got, err := compiled.Render(facts{"x": test.dots}); !errors.Is(err, ErrUnsafe) {
			t.Errorf("%s with %s = %q, %v", test.text, test.dots, got, err)
		}
		plain, err := compiled.Render(facts{"x": "7"})
		if err != nil {
			t.Fatal(err)
		}
		for _, value := range []string{"../admin", "a/../../admin", "/", "?", "#", `\..\`} {
			if got, err := compiled.Render(facts{"x": value}); err != nil || strings.Count(got, "/") != strings.Count(plain, "/") || strings.Contains(got, `\`) {
				t.Errorf("%s with %q = %q, %v", test.text, value, got, err)
			}
		}
	}
	if got := render(t, "/contacts?q={data.x}/{data.x}", Path, facts{"x": ".."}); got != "/contacts?q=../.." {
		t.Errorf("dots in a query: %q", got)
	}
}

func TestAPathBeginsWithASlash(t *testing.T) {
	for _, text := range []string{"contacts", "", "{data.x}", "{env.WORD}", "https://host/", "?a", "{home}/a"} {
		if _, err := Compile(text, Path, scope()); err == nil || !strings.Contains(err.Error(), "it must begin with /, below the CRM's url") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if got := render(t, "/{env.WORD}/{number}", Path, facts{"number": "04 27"}); got != "/word/04%2027" {
		t.Errorf("= %q", got)
	}
}

func TestAPathHasNoFragment(t *testing.T) {
	if _, err := Compile("/contacts#{number}", Path, scope()); err == nil || !strings.Contains(err.Error(), "write %23") {
		t.Errorf("error: %v", err)
	}
}

// It would break the request: only values are encoded.
func TestAPathIsWrittenEncoded(t *testing.T) {
	for _, text := range []string{"/contacts?filter=phone eq '{number}'", "/a b", "/a\n", "/a\x00", "/{env.LINES}"} {
		if _, err := Compile(text, Path, scope()); err == nil || !strings.Contains(err.Error(), "write %20 for a space") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
