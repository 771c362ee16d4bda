// Package template compiles texts with placeholders such as
// {number.national}, once, when a configuration loads, and renders them for
// each call. A value is escaped for the place where it stands, by the program
// and not by the person who writes the text.
package template

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Place is where the rendered text will stand.
type Place int

const (
	// Text is shown to people: a title, a name.
	Text Place = iota
	// URL is a whole address: https://host/path?query#fragment.
	URL
	// Path is the part of an address behind its host: /path?query.
	Path
	// Value is one query parameter or form field; whoever builds the query
	// percent-encodes it.
	Value
	// Expression is text in some query language, such as phone eq '{number}'.
	Expression
	// JSON is a JSON document.
	JSON
	// Header is the value of a header field. One that is a JSON array or object
	// is escaped as JSON, in ASCII.
	Header
	// Argument is one argument of a program on the agent's machine.
	Argument
	// XML is an XML document, such as a SOAP request. Values can stand in its
	// text and its attributes.
	XML
)

// Kind says where a placeholder's values come from, and so what may be done
// with them.
type Kind int

const (
	// Data comes from a call or a CRM: anything may be in it.
	Data Kind = iota
	// Spelled is a telephone number that the program wrote itself.
	Spelled
	// Address is a whole URL; it may stand at the beginning of one.
	Address
	// Composed is text that was rendered as an [Expression] before.
	Composed
)

// Placeholder is what a name stands for.
type Placeholder[T any] struct {
	Kind Kind
	// Get returns the value; "" when it is absent.
	Get func(T) string
	// List, where not nil, returns all values of a name that can have several.
	List func(T) []string
	// JSON, where not nil, returns the value as JSON that keeps its type, ""
	// when it is absent. It counts where a placeholder stands in a JSON document
	// outside of strings; without it the value becomes a string there.
	JSON func(T) string
}

// Template is a compiled text. It is immutable and safe for concurrent use.
type Template[T any] struct {
	text    string
	place   Place
	dialect Dialect
	parts   []part[T]
	// ascii is set where the rendered text is JSON that must be ASCII.
	ascii bool
}

// part is a literal, a setting or, where value is set, a placeholder.
type part[T any] struct {
	literal string
	name    string
	unknown bool // a setting whose value is not known yet
	value   Placeholder[T]
	typed   bool // value.JSON counts, not value.Get
	escape  escaper
}

// of is what the placeholder stands for, before it is escaped.
func (p *part[T]) of(values T) string {
	if p.typed {
		return p.value.JSON(values)
	}
	return p.value.Get(values)
}

// render is the part's text, escaped for its place.
func (p *part[T]) render(values T, first bool) (string, error) {
	if p.value.Get == nil {
		return p.literal, nil
	}
	escaped, err := p.escape(p.value.Kind, p.of(values), position{first})
	if err != nil {
		return "", fmt.Errorf("%w: {%s} %w", ErrUnsafe, p.name, err)
	}
	return escaped, nil
}

// ErrUnsafe is wrapped by the errors of a rendering whose values may not stand
// where they would.
var ErrUnsafe = errors.New("value refused")

// Compile reads a text for a place. Errors name the placeholder that is wrong
// and the nearest one that exists.
func Compile[T any](text string, place Place, scope *Scope[T]) (*Template[T], error) {
	return CompileIn(text, place, Dialect{}, scope)
}

// CompileIn is [Compile] for a text that may hold a query: a value that shares
// a [Value], [Expression], [Header], string of [JSON] or text of [XML] with
// others is escaped as the dialect writes it. One that is all of it is data. A
// text that ends inside of a string of its dialect is an error.
func CompileIn[T any](text string, place Place, dialect Dialect, scope *Scope[T]) (*Template[T], error) {
	parts, err := parse(text, scope)
	if err != nil {
		return nil, err
	}
	t := &Template[T]{text: text, place: place, dialect: dialect, parts: parts}
	if err := t.settle(); err != nil {
		return nil, err
	}
	return t, nil
}

// settle decides how each value is escaped, and refuses texts in which no
// value could be.
func (t *Template[T]) settle() error {
	switch t.place {
	case URL:
		return t.settleURL()
	case Path:
		return t.settlePath()
	case JSON:
		return t.settleJSON()
	case Value:
		if t.isJSON() {
			return t.settleJSON()
		}
		return t.settleValue()
	case Expression:
		return t.settleQuery(t.pieces(), asItIs)
	case XML:
		return t.settleXML()
	case Header:
		return t.settleHeader()
	case Argument:
		return t.escapeAll(argumentValue)
	default:
		return t.escapeAll(textValue)
	}
}

func (t *Template[T]) escapeAll(escape escaper) error {
	for i := range t.parts {
		t.parts[i].escape = escape
	}
	return nil
}

// settleValue lets a value that stands alone be anything: it is encoded as a
// whole. One that shares its text with others may be part of a query language.
func (t *Template[T]) settleValue() error {
	if len(t.parts) == 1 {
		return t.escapeAll(verbatimValue)
	}
	return t.settleQuery(t.pieces(), asItIs)
}

// String returns the text that the template was compiled from.
func (t *Template[T]) String() string { return t.text }

// Uses reports whether the text has that placeholder.
func (t *Template[T]) Uses(name string) bool {
	for _, p := range t.parts {
		if p.name == name {
			return true
		}
	}
	return false
}

// UsesAny reports whether the text has one of these placeholders, or, of a
// name that ends with a dot, one that begins with it.
func (t *Template[T]) UsesAny(names ...string) bool {
	for _, p := range t.parts {
		for _, name := range names {
			if p.name == name || strings.HasSuffix(name, ".") && strings.HasPrefix(p.name, name) {
				return true
			}
		}
	}
	return false
}

// IsKnown reports whether every setting in the text had its value.
func (t *Template[T]) IsKnown() bool {
	for _, p := range t.parts {
		if p.unknown {
			return false
		}
	}
	return true
}

// Varies reports whether the text has a placeholder that calls or records fill.
func (t *Template[T]) Varies() bool {
	for _, p := range t.parts {
		if p.value.Get != nil || p.unknown {
			return true
		}
	}
	return false
}

// IsComplete reports whether every placeholder has a value.
func (t *Template[T]) IsComplete(values T) bool {
	for _, p := range t.parts {
		if p.value.Get != nil && strings.TrimSpace(p.value.Get(values)) == "" {
			return false
		}
	}
	return true
}

// Render fills in the values. What is absent renders as nothing. An error that
// wraps [ErrUnsafe] means that a value may not stand in this place; it names
// the placeholder and never repeats the value.
func (t *Template[T]) Render(values T) (string, error) {
	if len(t.parts) == 1 { // there is nothing to join
		text, err := t.parts[0].render(values, true)
		if err != nil {
			return "", err
		}
		return t.finish(text)
	}
	var b strings.Builder
	b.Grow(2 * len(t.text))
	for i := range t.parts {
		text, err := t.parts[i].render(values, b.Len() == 0)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
	}
	return t.finish(b.String())
}

func (t *Template[T]) finish(text string) (string, error) {
	switch t.place {
	case Text:
		return singleSpaced(text), nil
	case URL:
		return checkAddress(text)
	case Path:
		return checkPath(text)
	case Header:
		return t.finishHeader(text)
	default:
		return text, nil
	}
}

// singleSpaced writes each run of white space as one space, and none at the ends.
func singleSpaced(text string) string {
	spaced := true
	for i := range len(text) {
		switch c := text[i]; {
		case c == ' ' && !spaced:
			spaced = true
		case c > ' ' && c < utf8.RuneSelf:
			spaced = false
		default:
			return strings.Join(strings.Fields(text), " ")
		}
	}
	return strings.TrimSuffix(text, " ")
}

// RenderAll renders every value of a text that is one placeholder with
// several, such as {record.phones.#.number}; of any other it renders the one.
func (t *Template[T]) RenderAll(values T) ([]string, error) {
	if len(t.parts) == 1 && t.parts[0].value.List != nil {
		return t.parts[0].value.List(values), nil
	}
	text, err := t.Render(values)
	if err != nil || text == "" {
		return nil, err
	}
	return []string{text}, nil
}

// Fallback is several texts for one thing: the first that is not blank counts.
type Fallback[T any] []*Template[T]

// CompileFallback compiles every text for the same place.
func CompileFallback[T any](texts []string, place Place, scope *Scope[T]) (Fallback[T], error) {
	var fallback Fallback[T]
	for _, text := range texts {
		t, err := Compile(text, place, scope)
		if err != nil {
			return nil, err
		}
		fallback = append(fallback, t)
	}
	return fallback, nil
}

// Render returns the first text that is not blank. A text with a refused value
// counts as blank; if none is left the refusal is returned.
func (f Fallback[T]) Render(values T) (string, error) {
	var refused error
	for _, t := range f {
		text, err := t.Render(values)
		if err != nil {
			refused = err
			continue
		}
		if strings.TrimSpace(text) != "" {
			return text, nil
		}
	}
	return "", refused
}

// braced is a brace that may open a placeholder. A letter must follow, so that
// JSON ({"a":1}) and GraphQL ({ id }) keep their braces.
var braced = regexp.MustCompile(`\\\{|\{([A-Za-z_][^{}]*)\}`)

var unclosed = regexp.MustCompile(`\{[a-z]+\.[^{}]*$`)

func parse[T any](text string, scope *Scope[T]) ([]part[T], error) {
	var parts []part[T]
	var forgotten string // a placeholder that is not closed
	literal := func(s string) {
		if forgotten == "" {
			forgotten = unclosed.FindString(s)
		}
		switch {
		case s == "":
		case len(parts) > 0 && parts[len(parts)-1].name == "":
			parts[len(parts)-1].literal += s
		default:
			parts = append(parts, part[T]{literal: s})
		}
	}
	rest := text
	for {
		at := braced.FindStringSubmatchIndex(rest)
		if at == nil {
			break
		}
		literal(rest[:at[0]])
		found := rest[at[0]:at[1]]
		rest = rest[at[1]:]
		if found == `\{` {
			literal("{")
			continue
		}
		name := strings.Trim(found, "{}")
		p, err := scope.resolve(name)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	literal(rest)
	if forgotten != "" {
		return nil, fmt.Errorf("the placeholder %q is not closed; write %q", forgotten, forgotten+"}")
	}
	return parts, nil
}
