package template

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func dialect(t testing.TB, name string) Dialect {
	t.Helper()
	if name == "" {
		return Dialect{}
	}
	d, err := ParseDialect(name)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func compileIn(t testing.TB, text string, place Place, name string) *Template[facts] {
	t.Helper()
	compiled, err := CompileIn(text, place, dialect(t, name), scope())
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return compiled
}

func TestADialectHasAName(t *testing.T) {
	for _, name := range DialectNames() {
		if d := dialect(t, name); d.String() != name || d.IsZero() {
			t.Errorf("%s = %q, zero %v", name, d, d.IsZero())
		}
	}
	if d := (Dialect{}); d.String() != "" || !d.IsZero() {
		t.Errorf("no dialect = %q, zero %v", d, d.IsZero())
	}
	for name, want := range map[string]string{
		"":        `unknown dialect ""; there are odata, soql, sosl, sql, lucene, graphql`,
		"OData":   `unknown dialect "OData"; did you mean odata? there are odata,`,
		"graphq":  "did you mean graphql?",
		"mongodb": "there are odata, soql, sosl, sql, lucene, graphql",
	} {
		if d, err := ParseDialect(name); err == nil || !d.IsZero() || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestAValueWithinQuotesIsEscapedAsItsDialectWritesIt(t *testing.T) {
	for _, test := range []struct{ dialect, text, value, want string }{
		{"odata", `name eq '{data.x}'`, `O'Brien`, `name eq 'O''Brien'`},
		{"odata", `name eq '{data.x}'`, `' or 1 eq 1 or name eq '`, `name eq ''' or 1 eq 1 or name eq '''`},
		{"odata", `name eq '{data.x}'`, `\" -- /* */ ^ (x) & %_`, `name eq '\" -- /* */ ^ (x) & %_'`},
		{"odata", `name eq 'it''s {data.x}'`, `'`, `name eq 'it''s '''`},
		{"soql", `Name = '{data.x}'`, `O'Brien`, `Name = 'O\'Brien'`},
		{"soql", `Name = '{data.x}'`, `\' OR Name LIKE "x`, `Name = '\\\' OR Name LIKE \"x'`},
		{"soql", `Name = 'it\'s {data.x}'`, `'`, `Name = 'it\'s \''`},
		{"soql", `Name = '{data.x}'`, `50%_`, `Name = '50%_'`},
		{"sql", `name = '{data.x}'`, `O'Brien`, `name = 'O''Brien'`},
		{"sql", `name = '{data.x}'`, `\' or 1=1 -- /* */ ;`, `name = '\\'' or 1=1 -- /* */ ;'`},
		{"sql", `name = "{data.x}"`, `"' or 1=1`, `name = """' or 1=1"`},
		{"sql", `a = "it's" and name = '{data.x}'`, `'`, `a = "it's" and name = ''''`},
		{"lucene", `name:"{data.x}"`, `a" OR b:\*`, `name:"a\" OR b:\\*"`},
		{
			"lucene", `name:{data.x}`, `+1 -2 && (a || b) ! [x] {y} ^3 "z" ~4 * ? : \ /r/`,
			`name:\+1\ \-2\ \&\&\ \(a\ \|\|\ b\)\ \!\ \[x\]\ \{y\}\ \^3\ \"z\"\ \~4\ \*\ \?\ \:\ \\\ \/r\/`,
		},
		{"lucene", `name:\"{data.x}`, `a b`, `name:\"a\ b`},
		{"sosl", `FIND {{data.x}} IN NAME FIELDS`, `a} & b|c!{[](d)^~*:?\"'+-`, `FIND {a\} \& b\|c\!\{\[\]\(d\)\^\~\*\:\?\\\"\'\+\-} IN NAME FIELDS`},
		{"sosl", `FIND {"{data.x}"} IN NAME FIELDS`, `x" OR "y`, `FIND {"x\" OR \"y"} IN NAME FIELDS`},
		{"sosl", `FIND \{x} RETURNING Contact(Id WHERE Name = '{data.x}')`, `O'Brien (x)`, `FIND {x} RETURNING Contact(Id WHERE Name = 'O\'Brien (x)')`},
		{"sosl", `{data.x}*`, `a-b`, `a\-b*`},
		{"graphql", `query \{ people(name: "{data.x}") { id } }`, `a" } \ é`, `query { people(name: "a\" } \\ é") { id } }`},
		{"graphql", `query \{ people(name: "don't \"{data.x}") { id } }`, `"`, `query { people(name: "don't \"\"") { id } }`},
	} {
		for _, place := range []Place{Value, Expression, Header} {
			got, err := compileIn(t, test.text, place, test.dialect).Render(facts{"x": test.value})
			if err != nil || got != test.want {
				t.Errorf("%s in place %d: %s with %s\n= %s\n! %s, %v", test.dialect, place, test.text, test.value, got, test.want, err)
			}
		}
	}
}

// quoted is a text of each dialect with a value within quotes, and one without.
var quoted = map[string]struct{ inside, outside string }{
	"odata":   {`a eq '{data.x}'`, `a eq {data.x}`},
	"soql":    {`a = '{data.x}'`, `a = 'b' and c = {data.x}`},
	"sosl":    {`FIND {"{data.x}"} IN ALL FIELDS`, `FIND \{a} IN ALL FIELDS LIMIT {data.x}`},
	"sql":     {`a = '{data.x}'`, `a = "b" and c = {data.x}`},
	"lucene":  {`a:"{data.x}"`, ``},
	"graphql": {`query \{ a(b: "{data.x}") { id } }`, `query \{ a(b: "c", d: {data.x}) { id } }`},
}

func TestWhatNoEscapingMakesSafeIsRefused(t *testing.T) {
	for name, texts := range quoted {
		compiled := compileIn(t, texts.inside, Expression, name)
		for _, value := range []string{
			"\x00", "\n", "\r\n", "\t", "\x1b[31m", "\x7f", "\u0085", "\u2028", "\u2029", "\xff", "\xc0\xa7",
			"\u02bc", "\u02ba", "\u02c8", "\u01c0", "\u2032", "\uff07", "\uff02", "\uff3c",
		} {
			if got, err := compiled.Render(facts{"x": "a" + value + "b"}); !errors.Is(err, ErrUnsafe) || got != "" {
				t.Errorf("%s with %q = %q, %v", name, value, got, err)
			}
		}
		for _, value := range []string{"", "Rosa Marín", "O’Brien", "松本", "javascript:alert(1)", "^ORname!=x", "a--b", "/* a */", "x;y", "$(id)", "\u202e"} {
			if _, err := compiled.Render(facts{"x": value}); err != nil {
				t.Errorf("%s with %q: %v", name, value, err)
			}
		}
	}
}

func TestOutsideOfQuotesCallDataIsOneWord(t *testing.T) {
	for name, texts := range quoted {
		if texts.outside == "" {
			continue
		}
		compiled := compileIn(t, texts.outside, Expression, name)
		for _, value := range []string{"7", "rosa.marin_1@x", "é", ""} {
			if got, err := compiled.Render(facts{"x": value}); err != nil || !strings.Contains(got, value) {
				t.Errorf("%s with %q = %q, %v", name, value, got, err)
			}
		}
		for _, value := range []string{"1 or true", "1--", "1/**/", "-1", "1+1", "'", `"`, "(1)", "a:b", "$x", "a=b", "\u02bc", "\u00a0", "a,b", "a{b}"} {
			if got, err := compiled.Render(facts{"x": value}); !errors.Is(err, ErrUnsafe) {
				t.Errorf("%s with %q = %q, %v", name, value, got, err)
			}
		}
	}
}

func TestBehindLikeDataHasNoWildcards(t *testing.T) {
	for _, test := range []struct{ dialect, text string }{
		{"sql", `a like '%{data.x}%'`},
		{"sql", `a LIKE'{data.x}'`},
		{"sql", `a not ilike ('{data.x}')`},
		{"sql", `a Like "{data.x}"`},
		{"sql", `(t.phone:like:'%{data.x}')`},
		{"sql", `(t.phone:notlike:'{data.x}')`},
		{"sql", `b = 'c' or a like '{data.x}'`},
		{"sql", `a like 'it''s {data.x}'`},
		{"soql", `Name LIKE '%{data.x}'`},
		{"soql", "Name like\n'{data.x}'"},
		{"odata", `a like '{data.x}'`},
	} {
		compiled := compileIn(t, test.text, Expression, test.dialect)
		for _, value := range []string{"%", "_", "[a-z]", `\`} {
			if got, err := compiled.Render(facts{"x": "a" + value}); !errors.Is(err, ErrUnsafe) {
				t.Errorf("%s with %q = %q, %v", test.text, value, got, err)
			}
		}
		if _, err := compiled.Render(facts{"x": "Rosa Marín"}); err != nil {
			t.Errorf("%s: %v", test.text, err)
		}
	}
	for _, test := range []struct{ dialect, text string }{
		{"sql", `a like 'b' and c = '{data.x}'`}, {"sql", `a like {number} and c = '{data.x}'`}, {"soql", `like__c = '{data.x}'`},
	} {
		if _, err := compileIn(t, test.text, Expression, test.dialect).Render(facts{"x": "100%_"}); err != nil {
			t.Errorf("%s: %v", test.text, err)
		}
	}
}

// Dolibarr reads field:operator:'value' by its brackets and colons, wherever
// they stand.
func TestDataCannotLeaveAConditionOfDolibarr(t *testing.T) {
	compiled := compileIn(t, `(t.lastname:=:'{data.x}')`, Expression, "sql")
	for _, value := range []string{`x') or (t.rowid:>:'0`, "(x", "x)", "a:b", "'", `\`, "%"} {
		if got, err := compiled.Render(facts{"x": value}); !errors.Is(err, ErrUnsafe) {
			t.Errorf("%q = %q, %v", value, got, err)
		}
	}
	if got, err := compiled.Render(facts{"x": "Marín-Gil_2"}); err != nil || got != "(t.lastname:=:'Marín-Gil_2')" {
		t.Errorf("= %q, %v", got, err)
	}
}

func TestDataIsNoOperatorOfASearch(t *testing.T) {
	for _, test := range []struct {
		dialect, text string
		refused       []string
		good          []string
	}{
		{"sosl", `FIND {{data.x}}`, []string{"OR", "a or b", "x AND y", "a-Not-b"}, []string{"Orlando", "android", "nothing"}},
		{"sosl", `FIND {"{data.x}"}`, nil, []string{"a OR b"}},
		{"lucene", `a:{data.x}`, []string{"OR", "AND", "NOT", "TO", ">5", "<5", "a>b"}, []string{"or", "Orlando", "a OR b"}},
		{"lucene", `a:"{data.x}"`, nil, []string{"OR", ">5"}},
		{"", `ref:{data.x} tel:1`, []string{"OR", "or", "not"}, []string{"Orlando", "x1"}},
		{"sql", `a = {data.x}`, []string{"OR", "and"}, []string{"Orlando", "4711"}},
	} {
		compiled := compileIn(t, test.text, Expression, test.dialect)
		for _, value := range test.refused {
			if got, err := compiled.Render(facts{"x": value}); !errors.Is(err, ErrUnsafe) {
				t.Errorf("%s with %q = %q, %v", test.text, value, got, err)
			}
		}
		for _, value := range test.good {
			if _, err := compiled.Render(facts{"x": value}); err != nil {
				t.Errorf("%s with %q: %v", test.text, value, err)
			}
		}
	}
}

func TestANumberIsWrittenAsItsDialectWantsIt(t *testing.T) {
	for _, test := range []struct{ dialect, text, number, want string }{
		{"sosl", `FIND {{number}}`, "+33 4-27", `FIND {\+33 4\-27}`},
		{"lucene", `phone:{number}`, "+33 4", `phone:\+33\ 4`},
		{"lucene", `phone:"{number}"`, "+33 4", `phone:"+33 4"`},
		{"sql", `phone like '{number}'`, "%4%2%7", `phone like '%4%2%7'`},
		{"sql", `(t.phone:like:'{number}')`, "%4%2%7", `(t.phone:like:'%4%2%7')`},
		{"soql", `Phone LIKE '{number}'`, "%4%2%7", `Phone LIKE '%4%2%7'`},
		{"odata", `phone eq {number}`, "+33 4", `phone eq +33 4`},
		{"graphql", `query \{ a(b: {number}) { id } }`, "+33", `query { a(b: +33) { id } }`},
		{"", `phone eq {number}`, "(04) 27", `phone eq (04) 27`},
	} {
		if got, err := compileIn(t, test.text, Expression, test.dialect).Render(facts{"number": test.number}); err != nil || got != test.want {
			t.Errorf("%s: %s = %s, %v, want %s", test.dialect, test.text, got, err, test.want)
		}
	}
}

func TestAFilterBringsItsOwnQuotes(t *testing.T) {
	const filter = `phone eq '+33''' or phone eq "x"`
	for _, name := range append(DialectNames(), "") {
		for text, want := range map[string]string{"{filter}": filter, "a and ({filter})": "a and (" + filter + ")"} {
			if got, err := compileIn(t, text, Value, name).Render(facts{"filter": filter}); err != nil || got != want {
				t.Errorf("%s: %s = %s, %v", name, text, got, err)
			}
		}
		want := `{"q": "a and (phone eq '+33''' or phone eq \"x\")"}`
		if got, err := compileIn(t, `{"q": "a and ({filter})"}`, JSON, name).Render(facts{"filter": filter}); err != nil || got != want {
			t.Errorf("%s in JSON = %s, %v", name, got, err)
		}
	}
	if got, err := compileIn(t, "{number}", Expression, "sosl").Render(facts{"number": "+33"}); err != nil || got != `\+33` {
		t.Errorf("fragment = %s, %v", got, err)
	}
}

func TestAValueThatStandsAloneIsDataInAnyDialect(t *testing.T) {
	for _, name := range append(DialectNames(), "") {
		for _, value := range hostile {
			if got, err := compileIn(t, "{data.x}", Value, name).Render(facts{"x": value}); err != nil || got != value {
				t.Errorf("%s with %q = %q, %v", name, value, got, err)
			}
			if _, err := compileIn(t, `{"a": "{data.x}"}`, JSON, name).Render(facts{"x": value}); err != nil {
				t.Errorf("%s with %q in JSON: %v", name, value, err)
			}
		}
	}
}

func TestAQueryWithinJSONIsEscapedTwice(t *testing.T) {
	for _, test := range []struct{ dialect, text, want string }{
		{"sosl", `{"q": "FIND {{data.x}}", "n": 1}`, `{"q": "FIND {a\\\"b\\'\\\\c}", "n": 1}`},
		{"sql", `{"q": "name = '{data.x}'"}`, `{"q": "name = 'a\"b''\\\\c'"}`},
		{"sql", `{"q": "name = \"{data.x}\""}`, `{"q": "name = \"a\"\"b'\\\\c\""}`},
		{"graphql", `{"query": "query \{ a(b: \"{data.x}\") \{ id } }"}`, `{"query": "query { a(b: \"a\\\"b'\\\\c\") { id } }"}`},
		{"graphql", `{"query": "query \{ a(b: \u0022{data.x}\u0022) }"}`, `{"query": "query { a(b: \u0022a\\\"b'\\\\c\u0022) }"}`},
		{"odata", `["it's", "a eq '{data.x}'", "{data.x}"]`, `["it's", "a eq 'a\"b''\\c'", "a\"b'\\c"]`},
		{"odata", `["a eq '{env.WORD}{data.x}'"]`, `["a eq 'worda\"b''\\c'"]`},
	} {
		for _, place := range []Place{JSON, Value, Header} {
			if got, err := compileIn(t, test.text, place, test.dialect).Render(facts{"x": `a"b'\c`}); err != nil || got != test.want {
				t.Errorf("%s: %s\n= %s\n! %s, %v", test.dialect, test.text, got, test.want, err)
			}
		}
	}
}

func TestATextThatIsNoQueryOfItsDialectIsAnErrorAtLoad(t *testing.T) {
	for _, test := range []struct{ dialect, text, want string }{
		{"odata", `a eq '{data.x}`, "ends inside of a string of odata: a ' is not closed"},
		{"odata", `a eq ''{data.x}'`, "ends inside of a string of odata"},
		{"soql", `a = '{data.x}\'`, "ends inside of a string of soql"},
		{"sql", `a = "{data.x}'`, "ends inside of a string of sql: a \" is not closed"},
		{"sql", `a = 'b\' and c = '{data.x}'`, "has a backslash before a quote, which not every SQL reads alike; write ''"},
		{"sql", `a = '{data.x}' -- it's`, "holds --, which begins a comment"},
		{"sql", `a = '{data.x}' /* it's */`, "holds /*, which begins a comment"},
		{"lucene", `a:"{data.x}`, "ends inside of a string of lucene"},
		{"lucene", `a:{data.x}\`, "ends with a backslash"},
		{"lucene", `a:{env.BACKSLASH}{data.x}`, "has a backslash directly before a placeholder"},
		{"soql", `a = '{env.BACKSLASH}{data.x}'`, "has a backslash directly before a placeholder"},
		{"sosl", `FIND {{data.x}`, "ends inside of FIND {...}: the } is missing"},
		{"sosl", `FIND {"{data.x}}`, "ends inside of a string of sosl"},
		{"graphql", `query \{ a(b: "{data.x}) }`, "ends inside of a string of graphql"},
		{"graphql", `query \{ a(b: """{data.x}""") }`, `holds a text in """`},
		{"graphql", `query \{ a(b: ""{data.x}"c") }`, `holds a text in """`},
		{"graphql", `query \{ a(b: "{data.x}") } # it"s`, "holds #, which begins a comment"},
	} {
		for _, place := range []Place{Value, Expression, Header} {
			if _, err := CompileIn(test.text, place, dialect(t, test.dialect), scope()); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: %v, want %s", test.text, err, test.want)
			}
		}
		inJSON := `["` + jsonString(strings.ReplaceAll(test.text, `\{`, "{ ")) + `"]`
		if _, err := CompileIn(inJSON, JSON, dialect(t, test.dialect), scope()); err == nil {
			t.Errorf("%s in JSON is accepted", inJSON)
		}
	}
	if _, err := CompileIn("phone eq '", Expression, dialect(t, "odata"), scope()); err == nil {
		t.Error("a filter that is not closed is accepted")
	}
}

func TestProseIsNotJudgedAsAQuery(t *testing.T) {
	for _, test := range []struct{ dialect, text string }{{"", "it's {data.x}"}, {"", `a "{data.x}`}, {"odata", "it's"}, {"sql", "a -- b"}, {"sql", "{env.QUOTE}"}} {
		if _, err := CompileIn(test.text, Value, dialect(t, test.dialect), scope()); err != nil {
			t.Errorf("%s: %v", test.text, err)
		}
	}
	unread := scope()
	unread.settings = Settings{"env.": nil}
	if _, err := CompileIn("a = '{env.REST} or b = '{data.x}'", Value, dialect(t, "sql"), unread); err != nil {
		t.Errorf("a text whose setting is not known yet: %v", err)
	}
}

// literal reads one string literal of a language at the beginning of a text,
// as that language's grammar says.
type literal func(text string) (value, rest string, ok bool)

func untilQuote(quote byte, doubled, backslash bool) literal {
	return func(text string) (string, string, bool) {
		if text == "" || text[0] != quote {
			return "", text, false
		}
		var value strings.Builder
		for i := 1; i < len(text); i++ {
			switch {
			case backslash && text[i] == '\\' && i+1 < len(text):
				i++
				value.WriteByte(text[i])
			case text[i] == quote && doubled && i+1 < len(text) && text[i+1] == quote:
				i++
				value.WriteByte(quote)
			case text[i] == quote:
				return value.String(), text[i+1:], true
			default:
				value.WriteByte(text[i])
			}
		}
		return "", text, false
	}
}

// term reads up to a character that means something in a search.
func term(ends string) literal {
	return func(text string) (string, string, bool) {
		var value strings.Builder
		for i := 0; i < len(text); i++ {
			switch {
			case text[i] == '\\' && i+1 < len(text):
				i++
				_, size := utf8.DecodeRuneInString(text[i:])
				value.WriteString(text[i : i+size])
				i += size - 1
			case strings.IndexByte(ends, text[i]) >= 0:
				return value.String(), text[i:], true
			default:
				value.WriteByte(text[i])
			}
		}
		return value.String(), "", true
	}
}

// FuzzDialect: whatever a value is, the query has one literal where it stands,
// which says just the value; or the value is refused.
func FuzzDialect(f *testing.F) {
	for _, value := range append(hostile, `\'`, `''`, `\\'`, `a\`, "\u02bc", "--", "/*", "*/", "^", "OR", "&&", "]]>", `"""`, `\u0022`, "\u3000") {
		f.Add(value)
	}
	tests := []struct {
		dialect, head, tail string
		read                literal
	}{
		{"odata", `a eq '`, `' or b eq '1'`, untilQuote('\'', true, false)},
		{"soql", `a = '`, `' or b = '1'`, untilQuote('\'', false, true)},
		{"sql", `a = '`, `' or b = '1'`, untilQuote('\'', true, true)},
		{"sql", `a = "`, `" or b = '1'`, untilQuote('"', true, true)},
		{"lucene", `a:"`, `" OR b:1`, untilQuote('"', false, true)},
		{"lucene", `a:`, ` OR b:1`, term(`+-=&|!(){}[]^"~*?:/<> ` + "\t\r\n")},
		{"sosl", `FIND {`, `} IN ALL FIELDS`, term(`?&|!{}[]()^~*:"'+-`)},
		{"sosl", `FIND {"`, `"} IN ALL FIELDS`, untilQuote('"', false, true)},
		{"sosl", `FIND {a} RETURNING a(b WHERE c = '`, `')`, untilQuote('\'', false, true)},
		{"graphql", `a(b: "`, `") `, untilQuote('"', false, true)},
	}
	compiled := make([]*Template[facts], len(tests))
	for i, test := range tests {
		compiled[i] = compileIn(f, strings.ReplaceAll(test.head, "{a", `\{a`)+"{data.x}"+test.tail, Expression, test.dialect)
	}
	f.Fuzz(func(t *testing.T, value string) {
		for i, test := range tests {
			got, err := compiled[i].Render(facts{"x": value})
			if err != nil {
				if !errors.Is(err, ErrUnsafe) || got != "" {
					t.Errorf("%q: %q, %v", value, got, err)
				}
				continue
			}
			if fault := misread(got, test.head, test.tail, value, test.read); fault != "" {
				t.Errorf("%s: %q gives %s: %s", test.dialect, value, got, fault)
			}
			if test.dialect == "sql" { // where a backslash means nothing
				if fault := misread(got, test.head, test.tail, strings.ReplaceAll(value, `\`, `\\`), untilQuote(test.head[len(test.head)-1], true, false)); fault != "" {
					t.Errorf("standard SQL: %q gives %s: %s", value, got, fault)
				}
			}
		}
	})
}

func misread(got, head, tail, value string, read literal) string {
	text, ok := strings.CutPrefix(got, head)
	if !ok {
		return "the beginning changed"
	}
	if quote := head[len(head)-1]; quote == '\'' || quote == '"' {
		text = string(quote) + text
		tail = tail[1:]
	}
	said, rest, ok := read(text)
	if !ok || said != value || rest != tail {
		return fmt.Sprintf("reads %q, then %q", said, rest)
	}
	return ""
}
