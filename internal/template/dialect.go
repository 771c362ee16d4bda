package template

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Dialect is the query language that values stand in, where they share their
// text with others. The zero value is a language that the program does not
// know: call data may then hold no character that could mean anything in one.
// Only [ParseDialect] makes others.
type Dialect struct{ language *language }

// language is how one query language writes its strings.
type language struct {
	name string
	// quotes open a string, and close it.
	quotes string
	// backslash is set where a backslash takes away the meaning of the next
	// character of a string.
	backslash bool
	// comments begin a remark, in which an apostrophe would be no quote.
	comments []string
	// admit says why call data may not stand at a spot; nil lets it.
	admit func(value string, at spot) error
	// write escapes a value for a spot.
	write func(value string, at spot) string
}

// unknown is the language of the zero dialect.
var unknown = &language{
	quotes: `'"`,
	admit: func(value string, at spot) error {
		if at.quote == 0 {
			return admitWord(value)
		}
		return admitPlain(value)
	},
	write: func(value string, _ spot) string { return value },
}

var languages = []*language{
	{name: "odata", quotes: `'`, admit: admitQuoted, write: doubleQuote},
	{name: "soql", quotes: `'`, backslash: true, comments: sqlComments, admit: admitQuoted, write: writeSOQL},
	{name: "sosl", admit: admitSOSL, write: writeSOSL},
	{name: "sql", quotes: `'"`, backslash: true, comments: sqlComments, admit: admitSQL, write: writeSQL},
	{name: "lucene", quotes: `"`, backslash: true, admit: admitLucene, write: writeLucene},
	{name: "graphql", quotes: `"`, backslash: true, comments: []string{"#"}, admit: admitQuoted, write: writeGraphQL},
}

var sqlComments = []string{"--", "/*"}

// DialectNames are the names that [ParseDialect] knows.
func DialectNames() []string {
	names := make([]string, len(languages))
	for i, l := range languages {
		names[i] = l.name
	}
	return names
}

// ParseDialect returns the dialect of that name: odata, soql, sosl, sql,
// lucene or graphql. Its error names them and the nearest.
func ParseDialect(name string) (Dialect, error) {
	for _, l := range languages {
		if l.name == name {
			return Dialect{l}, nil
		}
	}
	meant := ""
	if nearest := Nearest(strings.ToLower(name), DialectNames()); nearest != "" {
		meant = fmt.Sprintf("did you mean %s? ", nearest)
	}
	return Dialect{}, fmt.Errorf("unknown dialect %q; %sthere are %s", name, meant, strings.Join(DialectNames(), ", "))
}

// String returns the dialect's name, "" for none.
func (d Dialect) String() string { return d.rules().name }

// IsZero reports whether there is no dialect.
func (d Dialect) IsZero() bool { return d.language == nil }

func (d Dialect) rules() *language {
	if d.language == nil {
		return unknown
	}
	return d.language
}

var (
	errWord      = errors.New("holds characters that could change the query it stands in; outside of quotes only letters, digits and . _ @ may")
	errPlain     = errors.New("holds characters that could change the query it stands in; only letters, digits, spaces and . _ @ + - may, or write the query's dialect")
	errUnseen    = errors.New("holds control characters or bytes that are no text")
	errLookalike = errors.New("holds a character that old code pages turn into a quote or an operator")
	errWildcard  = errors.New("holds a character that is a wildcard behind like: one of % _ [ \\")
	errCondition = errors.New("holds characters that could change the condition it stands in; only letters, digits, spaces and . _ @ + - may")
	errOperator  = errors.New("holds a word that is an operator of the search: and, or, not; write quotes around it")
	errCompare   = errors.New("holds < or >, which can't be escaped outside of quotes")
)

// admitWord is the rule outside of quotes: nothing that could be more than one
// word.
func admitWord(value string) error {
	switch {
	case !harmless(value, "._@"):
		return errWord
	case isOperator(strings.ToUpper(value)):
		return errOperator
	}
	return nil
}

// admitPlain is the rule within the quotes of a language that the program does
// not know.
func admitPlain(value string) error {
	if !harmless(value, " ._@+-") {
		return errPlain
	}
	return nil
}

// admitQuoted is the rule of a language whose strings can hold anything.
func admitQuoted(value string, at spot) error {
	if at.quote == 0 {
		return admitWord(value)
	}
	if err := admitText(value); err != nil {
		return err
	}
	if at.like && strings.ContainsAny(value, `%_[\`) {
		return errWildcard
	}
	return nil
}

// admitSQL knows the conditions field:operator:'value' of Dolibarr too, which
// are read without regard to quotes.
func admitSQL(value string, at spot) error {
	if at.quote != 0 && at.condition && !harmless(value, " ._@+-") {
		return errCondition
	}
	return admitQuoted(value, at)
}

// admitText refuses what no escaping makes safe.
func admitText(value string) error {
	switch {
	case !utf8.ValidString(value), strings.ContainsFunc(value, isUnseen):
		return errUnseen
	case strings.ContainsFunc(value, isLookalike):
		return errLookalike
	}
	return nil
}

func isUnseen(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp) }

// isLookalike reports whether a program that squeezes text into an old code
// page makes a quote or an operator of a character: the modifier and click
// letters, the primes, and the wide forms of punctuation.
func isLookalike(r rune) bool {
	switch {
	case r >= 0x01c0 && r <= 0x01c3, r >= 0x02b0 && r <= 0x02ff, r >= 0x2032 && r <= 0x2037:
		return true
	case r >= 0xff00 && r <= 0xff5e:
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	}
	return false
}

func doubleQuote(value string, at spot) string {
	if at.quote == 0 {
		return value
	}
	quote := string(at.quote)
	return strings.ReplaceAll(value, quote, quote+quote)
}

// writeSQL is read alike where a backslash means something, as in MySQL, and
// where it does not.
func writeSQL(value string, at spot) string {
	if at.quote == 0 {
		return value
	}
	return doubleQuote(strings.ReplaceAll(value, `\`, `\\`), at)
}

func writeSOQL(value string, at spot) string {
	if at.quote == 0 {
		return value
	}
	return backslashed(value, `\'"`)
}

func writeGraphQL(value string, at spot) string {
	if at.quote == 0 {
		return value
	}
	return jsonString(value)
}

// admitSOSL: within the braces of FIND anything can be searched for, but not
// an operator; behind them follow conditions in SOQL.
func admitSOSL(value string, at spot) error {
	if !at.search {
		return admitQuoted(value, at)
	}
	if err := admitText(value); err != nil || at.quote != 0 {
		return err
	}
	for word := range strings.FieldsFuncSeq(value, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if isOperator(strings.ToUpper(word)) {
			return errOperator
		}
	}
	return nil
}

func writeSOSL(value string, at spot) string {
	if !at.search {
		return writeSOQL(value, at)
	}
	return backslashed(value, `?&|!{}[]()^~*:\"'+-`)
}

func admitLucene(value string, at spot) error {
	switch err := admitText(value); {
	case err != nil || at.quote != 0:
		return err
	case strings.ContainsAny(value, "<>"):
		return errCompare
	case isOperator(value), value == "TO":
		return errOperator
	}
	return nil
}

func isOperator(word string) bool { return word == "AND" || word == "OR" || word == "NOT" }

func writeLucene(value string, at spot) string {
	if at.quote != 0 {
		return backslashed(value, `\"`)
	}
	return backslashed(value, `+-=&|!(){}[]^"~*?:\/ `+"\u3000")
}

func backslashed(value, special string) string {
	var b strings.Builder
	for _, r := range value {
		if strings.ContainsRune(special, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
