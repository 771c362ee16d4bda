package template

import (
	"encoding/xml"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestAValueIsEscapedForItsPlaceInXML(t *testing.T) {
	values := facts{"x": `a<b>&"c' ]]> {number} é` + "\u02bc", "number": "+33 4", "filter": "a < 'b'"}
	const escaped = "a&lt;b&gt;&amp;&#34;c&#39; ]]&gt; {number} é\u02bc"
	for text, want := range map[string]string{
		`<a>{data.x}</a>`:                                `<a>` + escaped + `</a>`,
		"<a>\n\t{data.x}\n</a>":                          "<a>\n\t" + escaped + "\n</a>",
		`<a b="{data.x}"/>`:                              `<a b="` + escaped + `"/>`,
		`<a b='{data.x}'/>`:                              `<a b='` + escaped + `'/>`,
		`<a><b>{data.x}</b><c>{data.x}</c></a>`:          `<a><b>` + escaped + `</b><c>` + escaped + `</c></a>`,
		`<s:a xmlns:s="urn:x"><s:b>{number}</s:b></s:a>`: `<s:a xmlns:s="urn:x"><s:b>+33 4</s:b></s:a>`,
		`<a>phone = '{number}'</a>`:                      `<a>phone = '+33 4'</a>`,
		`<a>{filter}</a>`:                                `<a>a &lt; &#39;b&#39;</a>`,
		`<a>{data.absent}</a>`:                           `<a></a>`,
		`<a>{env.QUOTE}{env.WORD}</a>`:                   `<a>&#34;word</a>`,
		`<a b="{env.BRACES}"/>`:                          `<a b="{data.queue} \{ {nothing.like.it}"/>`,
		"\n <?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a>{number}</a>\n ": "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a>+33 4</a>",
		`<a><!-- text --><![CDATA[<x>]]><b/>{number}</a>`:                   `<a><!-- text --><![CDATA[<x>]]><b/>+33 4</a>`,
		`<a/>`: `<a/>`,
	} {
		if got := render(t, text, XML, values); got != want {
			t.Errorf("%s\n= %s\n! %s", text, got, want)
		}
	}
}

func TestWhatXMLCannotHoldIsRefused(t *testing.T) {
	for _, text := range []string{`<a>{data.x}</a>`, `<a b="{data.x}"/>`} {
		for _, value := range []string{"\x00", "\x0b", "\x1b[31m", "\ufffe", "\uffff", "\xff"} {
			if got, err := compile(t, text, XML).Render(facts{"x": "a" + value}); !errors.Is(err, ErrUnsafe) || got != "" {
				t.Errorf("%s with %q = %q, %v", text, value, got, err)
			}
		}
	}
}

func TestAValueThatSharesATextOfXMLMayBePartOfAQuery(t *testing.T) {
	for _, text := range []string{
		`<a>name = {data.x}</a>`, `<a b="name = {data.x}"/>`, `<a>name = <!-- -->{data.x}</a>`, `<a><![CDATA[name = ]]>{data.x}</a>`, `<a>{data.x}{number}</a>`,
	} {
		if got, err := compile(t, text, XML).Render(facts{"x": "1 or true"}); !errors.Is(err, ErrUnsafe) {
			t.Errorf("%s = %q, %v", text, got, err)
		}
	}
	if got, err := compileIn(t, `<a>Name = '{data.x}'</a>`, XML, "soql").Render(facts{"x": "O'Brien & <sons>"}); err != nil ||
		got != `<a>Name = 'O\&#39;Brien &amp; &lt;sons&gt;'</a>` {
		t.Errorf("= %s, %v", got, err)
	}
	if _, err := CompileIn(`<a>Name = &apos;{data.x}</a>`, XML, dialect(t, "soql"), scope()); err == nil || !strings.Contains(err.Error(), "ends inside of a string of soql") {
		t.Errorf("err = %v", err)
	}
}

func TestAPlaceholderStandsInTextOrAttributesOfXMLOnly(t *testing.T) {
	const where = "a placeholder can stand only in the text of an element or in an attribute"
	for text, want := range map[string]string{
		`<{data.x}/>`:                        "is not well-formed XML",
		`<a{data.x}/>`:                       where,
		`<a{number}></a>`:                    "{number}",
		`<a {data.x}="b"/>`:                  "is not well-formed XML",
		`<a b={data.x}/>`:                    "is not well-formed XML",
		`<a></{data.x}>`:                     "is not well-formed XML",
		`<a></a{data.x}>`:                    where,
		`<a><!-- {data.x} --></a>`:           "{data.x}: " + where,
		`<a><![CDATA[{data.x}]]></a>`:        "in a CDATA section: " + where,
		`<a><?b {data.x}?></a>`:              "{data.x}: " + where,
		`<a>&{data.x};</a>`:                  "is not well-formed XML",
		`<a>&#{data.x};</a>`:                 "is not well-formed XML",
		`<a/>{data.x}`:                       "has text outside of its element",
		`{data.x}`:                           "has text outside of its element",
		`{data.x}<a/>`:                       "has text outside of its element",
		`<a b="{env.WORD}" {env.WORD}="c"/>`: "is not well-formed XML",
		"<a>\U000f0000{data.x}</a>":          "characters for private use",
		`<a>&#xF0001;{data.x}</a>`:           "characters for private use",
		`<a>{data.x}&#xF0000;</a>`:           "characters for private use",
	} {
		_, err := Compile(text, XML, scope())
		if err == nil || !strings.Contains(err.Error(), want) || strings.ContainsFunc(err.Error(), isMark) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

func TestWhatIsNoXMLDocumentIsAnErrorAtLoad(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "has 0 elements at the top, not one",
		"text":                      "has text outside of its element",
		"<a>":                       "is not well-formed XML: XML syntax error on line 1: unexpected EOF",
		"<a></b>":                   "element <a> closed by </b>",
		"<a/><b/>":                  "has 2 elements at the top",
		"<a/>text":                  "has text outside of its element",
		"<!DOCTYPE a><a/>":          "has a document type",
		`<a>&nbsp;</a>`:             "invalid character entity &nbsp;",
		`<a b="1" b="2"/>`:          "has the attribute b twice in <a>",
		`<a/><?xml version="1.0"?>`: "has its declaration <?xml ...?> behind other text",
		`<?xml version="1.0" encoding="ISO-8859-1"?><a/>`: `encoding "ISO-8859-1"`,
	} {
		if _, err := Compile(text, XML, scope()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
	if _, err := Compile(`<a>{env.NUL}</a>`, XML, scope()); err == nil || !strings.Contains(err.Error(), "{env.NUL} holds characters that XML can't hold") {
		t.Errorf("err = %v", err)
	}
}

// FuzzXML: a parser reads back just the value, or it is refused.
func FuzzXML(f *testing.F) {
	for _, value := range append(hostile, "]]>", "<!--", "<b/>", "&amp;", "\t\r\n ", "\ufffd", "\U000f0000", "\U0010ffff") {
		f.Add(value)
	}
	compiled := compile(f, `<a><b c="{data.x}" d='{data.x}'>{data.x}</b><e/></a>`, XML)
	f.Fuzz(func(t *testing.T, value string) {
		got, err := compiled.Render(facts{"x": value})
		if err != nil {
			if !errors.Is(err, ErrUnsafe) || got != "" || utf8.ValidString(value) && !strings.ContainsFunc(value, isForbidden) {
				t.Errorf("%q: %q, %v", value, got, err)
			}
			return
		}
		var document struct {
			B struct {
				C    string     `xml:"c,attr"`
				D    string     `xml:"d,attr"`
				Text string     `xml:",chardata"`
				More []struct{} `xml:",any"`
			} `xml:"b"`
			E *struct{} `xml:"e"`
		}
		if err := xml.Unmarshal([]byte(got), &document); err != nil || document.E == nil || len(document.B.More) > 0 {
			t.Fatalf("%q gives %s: %v", value, got, err)
		}
		for _, said := range []string{document.B.C, document.B.D, document.B.Text} {
			if said != value {
				t.Errorf("%q gives %s, which says %q", value, got, said)
			}
		}
	})
}
