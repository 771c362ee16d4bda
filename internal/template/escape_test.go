package template

import (
	"errors"
	"strings"
	"testing"
)

func TestTextForPeopleHasOneLineAndNothingInvisible(t *testing.T) {
	for value, want := range map[string]string{
		"Blue sky":                     "Blue sky",
		" Blue \t\n sky\r\n":           "Blue sky",
		"Blue\u00a0sky\u2028x\u0085y":  "Blue sky x y",
		"\u202egnp.exe\u202c":          "gnp.exe",
		"a\u200bb\ufeffc\u2066d\u00ad": "abcd",
		"a\x00b\x1b[31mc\x7f":          "ab[31mc",
		"<b>\"Brucé\" & 'co' {x}":      "<b>\"Brucé\" & 'co' {x}",
		"a\xffb":                       "a\ufffdb",
		" \t ":                         "",
	} {
		if got := render(t, "{data.x}", Text, facts{"x": value}); got != want {
			t.Errorf("%q = %q, want %q", value, got, want)
		}
	}
	if got := render(t, "  {data.a}   -  {data.b} ", Text, facts{"b": "b"}); got != "- b" {
		t.Errorf("around an absent value: %q", got)
	}
}

func TestAValueThatStandsAloneIsWhateverItIs(t *testing.T) {
	for _, value := range hostile {
		if got := render(t, "{data.x}", Value, facts{"x": value}); got != value {
			t.Errorf("%q = %q", value, got)
		}
	}
}

func TestAValueThatSharesItsTextMayBePartOfAQuery(t *testing.T) {
	compiled := compile(t, "phone:{data.x}", Value)
	for value, good := range map[string]bool{
		"BlueSky_1.a@b": true, "Brucé": true, "٠٤٢٧": true, "": true,
		"Blue sky": false, "1 or true": false, "1--": false, "-1": false, "1+1": false, `a"b`: false, "a OR *": false, "a)": false, "a^ORb": false,
	} {
		got, err := compiled.Render(facts{"x": value})
		if good && (err != nil || got != "phone:"+value) || !good && !errors.Is(err, ErrUnsafe) {
			t.Errorf("%q = %q, %v", value, got, err)
		}
	}
}

func TestWithinAnyQuotesDataMayHoldMoreThanOneWord(t *testing.T) {
	for _, text := range []string{"name = '{data.x}'", `name:"{data.x}"`, `"name:'{data.x}'"`, `it's {data.x}`, `a = 'b' and c = '{data.x}'`} {
		if got, err := compile(t, text, Value).Render(facts{"x": "Rosa Marín-Gil +33"}); err != nil || !strings.Contains(got, "Rosa Marín-Gil +33") {
			t.Errorf("%s = %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"name = {data.x}", "name = 'Rosa' or {data.x}", `name:"Rosa" {data.x}`, "{data.x}{number}"} {
		if got, err := compile(t, text, Value).Render(facts{"x": "Rosa Marín"}); !errors.Is(err, ErrUnsafe) {
			t.Errorf("%s = %q, %v", text, got, err)
		}
	}
}

func TestDataCannotEndTheQuotesOfAQueryLanguage(t *testing.T) {
	compiled := compile(t, "phone eq '{data.x}'", Expression)
	for _, value := range []string{"", "Rosa Marín", "a.b_c@d.example", "+33427466347", "2026-01-02", "٠٤٢٧", "松本"} {
		if got, err := compiled.Render(facts{"x": value}); err != nil || got != "phone eq '"+value+"'" {
			t.Errorf("%q = %q, %v", value, got, err)
		}
	}
	for _, value := range []string{
		`'`, `"`, "`", `\`, "%", "*", "?", "(", ")", "[", "{", "<", "=", "!", "|", "&", ";", ":", ",", "/", "#", "$", "^", "~",
		"\n", "\t", "\x00", "\u202e", "\u00a0", "\u2019", "\uff07", "\xff", "a' or 1=1 --",
		// Letters that become quotes and operators where text is squeezed into an old code page.
		"\u02b9", "\u02ba", "\u02bc", "\u02c8", "\u02cb", "\u01c0",
	} {
		if got, err := compiled.Render(facts{"x": "a" + value + "b"}); !errors.Is(err, ErrUnsafe) {
			t.Errorf("%q = %q, %v", value, got, err)
		}
	}
}

func TestAnAddressIsDataInAQuery(t *testing.T) {
	if _, err := compile(t, "url = '{home}'", Expression).Render(facts{"home": "https://host/'"}); !errors.Is(err, ErrUnsafe) {
		t.Errorf("err = %v", err)
	}
}

func TestWhatTheProgramWroteItselfStandsInAQueryAsItIs(t *testing.T) {
	got := render(t, "{filter} or phone like '{number}'", Expression, facts{"filter": "phone eq '04'", "number": "%4%2%7"})
	if got != "phone eq '04' or phone like '%4%2%7'" {
		t.Errorf("= %q", got)
	}
}

func TestAHeaderStaysOneHeader(t *testing.T) {
	if got := render(t, "Token {data.x}", Header, facts{"x": "a b\t\"é\""}); got != "Token a b\t\"é\"" {
		t.Errorf("= %q", got)
	}
	for _, value := range []string{"a\r\nX-Evil: 1", "\n", "\r", "\x00", "\x7f"} {
		if got, err := compile(t, "{data.x}", Header).Render(facts{"x": value}); !errors.Is(err, ErrUnsafe) {
			t.Errorf("%q = %q, %v", value, got, err)
		}
	}
	for _, text := range []string{"a\nb", "{env.LINES}", "{data.x}\x00"} {
		if _, err := Compile(text, Header, scope()); err == nil || !strings.Contains(err.Error(), "can't stand in a header") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestAnArgumentStaysTheTextOfOneArgument(t *testing.T) {
	for value, want := range map[string]string{
		"Rosa Marín":             "Rosa Marín",
		"a.b_c@d.example":        "a.b_c@d.example",
		"https://crm/?id=7#top":  "https://crm/?id=7#top",
		`a" --evil "b`:           "a --evil b",
		`a' & calc & '`:          "a  calc  ",
		"`id` $(id) %PATH% ^|<>": "id id PATH ",
		"a\r\nb\x00c\tt":         "abct",
		`C:\x`:                   "C:x",
		"\u202ea\u200b":          "a",
		"\xff":                   "",
		"--help":                 "help",
		"- -/+/c calc":           "c calc",
		"/c":                     "c",
		"+33427466347":           "33427466347",
		"\u02baa\u02bcb\u01c0":   "ab",
	} {
		if got := render(t, "{data.x}", Argument, facts{"x": value}); got != want {
			t.Errorf("%q = %q, want %q", value, got, want)
		}
	}
}

func TestANumberIsAnArgumentAsItIsSpelled(t *testing.T) {
	if got := render(t, "{number}", Argument, facts{"number": "+33427466347"}); got != "+33427466347" {
		t.Errorf("= %q", got)
	}
}

func TestAValueBehindTextMayBeginLikeAnOption(t *testing.T) {
	if got := render(t, "--name={data.x}", Argument, facts{"x": "-1"}); got != "--name=-1" {
		t.Errorf("= %q", got)
	}
}

// What comes first is what is first once the absent is left out.
func TestNoValueBecomesAnOptionBehindAnAbsentOne(t *testing.T) {
	for text, values := range map[string]facts{
		"{data.a}{data.b}":         {"b": "--evil"},
		"{env.EMPTY}{data.b}":      {"b": "--evil"},
		"{data.a}{data.b}{data.c}": {"a": `"`, "b": "--", "c": "/evil"},
	} {
		if got := render(t, text, Argument, values); got != "evil" {
			t.Errorf("%s = %q", text, got)
		}
	}
}
