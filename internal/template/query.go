package template

import (
	"errors"
	"fmt"
	"strings"
)

// spot is where in a query a value stands.
type spot struct {
	language *language
	// quote is the quote that opened the string around the value; 0 outside.
	quote byte
	// like is set in a string behind like, in which % and _ are wildcards, and
	// condition in one behind a colon, as Dolibarr writes conditions.
	like, condition bool
	// search is set within the words that SOSL searches for.
	search bool
}

// escape makes a value fit its spot. What was rendered as a query before is
// one; the program's own spellings hold nothing that could change one, but may
// hold what the language wants to be escaped.
func (s spot) escape(kind Kind, value string, _ position) (string, error) {
	if kind == Composed {
		return value, nil
	}
	if kind != Spelled {
		if err := s.language.admit(value, s); err != nil {
			return "", err
		}
	}
	return s.language.write(value, s), nil
}

// query follows the quotes of a text, to know where its placeholders stand.
type query struct {
	spot
	// behind is the text outside of strings so far, with their quotes.
	behind strings.Builder
	// escaped is set behind a backslash that waits for its character.
	escaped bool
	// braced is set where a text says by FIND {...} what it searches for.
	braced bool
}

// newQuery begins a text whose literals are known already: a SOSL text without
// braces is what stands between them.
func newQuery(dialect Dialect, literals string) *query {
	q := &query{spot: spot{language: dialect.rules()}}
	if q.isSOSL() {
		q.braced = strings.ContainsRune(literals, '{')
		q.search = !q.braced
	}
	return q
}

func (q *query) isSOSL() bool { return q.language.name == "sosl" }

// read follows the literal text before the next placeholder.
func (q *query) read(literal string) error {
	for i := range len(literal) {
		if err := q.step(literal[i]); err != nil {
			return err
		}
	}
	return nil
}

func (q *query) step(c byte) error {
	switch {
	case q.escaped:
		return q.unescape(c)
	case c == '\\' && q.isEscape():
		q.escaped = true
		return nil
	case q.quote != 0:
		q.inside(c)
		return nil
	case strings.IndexByte(q.quotes(), c) >= 0:
		return q.open(c)
	case q.isSOSL() && (c == '{' || c == '}'):
		q.search = c == '{'
	}
	q.behind.WriteByte(c)
	if comment := q.comment(); comment != "" {
		return fmt.Errorf("holds %s, which begins a comment; leave it out of a query with placeholders", comment)
	}
	return nil
}

func (q *query) quotes() string {
	switch {
	case !q.isSOSL():
		return q.language.quotes
	case q.search:
		return `"`
	default:
		return `'`
	}
}

// isEscape reports whether a backslash means something here.
func (q *query) isEscape() bool {
	switch {
	case q.isSOSL():
		return q.search || q.quote != 0
	case q.language.name == "lucene":
		return true
	}
	return q.language.backslash && q.quote != 0
}

// unescape takes the character behind a backslash. Where SQL knows no
// backslash, a quote behind one ends the string.
func (q *query) unescape(c byte) error {
	q.escaped = false
	if q.language.name == "sql" && c == q.quote {
		return fmt.Errorf("has a backslash before a quote, which not every SQL reads alike; write %c%c", c, c)
	}
	return nil
}

func (q *query) inside(c byte) {
	if c == q.quote {
		q.behind.WriteByte(c)
		q.quote = 0
	}
}

func (q *query) open(c byte) error {
	q.quote = c
	before := q.behind.String()
	q.behind.WriteByte(c)
	if q.language.name == "graphql" && strings.HasSuffix(before, `""`) {
		return errors.New(`holds a text in """, in which values can't be escaped; write it in simple quotes`)
	}
	if strings.HasSuffix(before, string(c)) {
		return nil // a doubled quote: the same string goes on
	}
	before = strings.ToLower(strings.TrimRight(before, " \t\r\n("))
	q.condition = strings.HasSuffix(before, ":")
	q.like = strings.HasSuffix(strings.TrimSuffix(before, ":"), "like")
	return nil
}

func (q *query) comment() string {
	for _, comment := range q.language.comments {
		if strings.HasSuffix(q.behind.String(), comment) {
			return comment
		}
	}
	return ""
}

// at returns the spot of a placeholder behind what was read.
func (q *query) at() (spot, error) {
	if q.escaped {
		return spot{}, errors.New("has a backslash directly before a placeholder, which would change its first character")
	}
	return q.spot, nil
}

// end says why a text can't end here. An apostrophe in a text of no known
// language may be one.
func (q *query) end() error {
	switch {
	case q.language == unknown:
		return nil
	case q.quote != 0:
		return fmt.Errorf("ends inside of a string of %s: a %c is not closed", q.language.name, q.quote)
	case q.escaped:
		return errors.New("ends with a backslash that has nothing to escape")
	case q.braced && q.search:
		return errors.New("ends inside of FIND {...}: the } is missing")
	}
	return nil
}

// piece is a stretch of a text that is read as one query: a literal, or the
// placeholder at an index of the template's parts.
type piece struct {
	literal string
	part    int
	filled  bool
}

// writer makes a value that fits its query fit the document around the query.
type writer func(value string) (string, error)

func asItIs(value string) (string, error) { return value, nil }

// settleQuery gives the values of a text the escaping of the spots where they
// stand.
func (t *Template[T]) settleQuery(text []piece, write writer) error {
	if err := t.followQuery(text, write); err != nil && t.IsKnown() {
		return fmt.Errorf("the text %w", err)
	}
	return nil
}

func (t *Template[T]) followQuery(text []piece, write writer) error {
	var literals strings.Builder
	varies := t.place == Expression
	for _, p := range text {
		literals.WriteString(p.literal)
		varies = varies || p.filled
	}
	if !varies {
		return nil // not for the program to judge
	}
	q := newQuery(t.dialect, literals.String())
	for _, p := range text {
		if !p.filled {
			if err := q.read(p.literal); err != nil {
				return err
			}
			continue
		}
		at, err := q.at()
		if err != nil {
			return err
		}
		t.parts[p.part].escape = at.within(write)
	}
	return q.end()
}

// within escapes a value for its spot, and then for the document around it.
func (s spot) within(write writer) escaper {
	return func(kind Kind, value string, at position) (string, error) {
		escaped, err := s.escape(kind, value, at)
		if err != nil {
			return "", err
		}
		return write(escaped)
	}
}

// pieces are the parts of a template that is one text.
func (t *Template[T]) pieces() []piece {
	pieces := make([]piece, len(t.parts))
	for i := range t.parts {
		pieces[i] = t.piece(i)
	}
	return pieces
}

func (t *Template[T]) piece(part int) piece {
	p := t.parts[part]
	return piece{literal: p.literal, part: part, filled: p.value.Get != nil}
}
