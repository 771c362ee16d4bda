package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// saasLanguage is what the stand-ins of hosted CRMs understand: conditions
// over the fields of a record, as each of their query languages writes them.
type saasLanguage struct {
	// equals is the word for it; backslash is set where one escapes a quote
	// inside of a string, else a quote is doubled.
	equals    string
	backslash bool
	// pairs is set where a bracket may hold two conditions and no more.
	pairs bool
}

var (
	soqlConditions  = saasLanguage{equals: "=", backslash: true}
	coqlConditions  = saasLanguage{equals: "=", backslash: true, pairs: true}
	odataConditions = saasLanguage{equals: "eq"}
)

// saasTest says whether a record, as its fields, is one.
type saasTest func(fields map[string]string) bool

var saasWords = regexp.MustCompile(`^(?:[A-Za-z_][\w.]*|\d+|!=|[(),=\[\]])`)

// parse reads a condition over fields of those names.
func (l saasLanguage) parse(text string, known []string) (saasTest, error) {
	p := &saasParser{language: l, known: known}
	if err := p.split(text); err != nil {
		return nil, err
	}
	test, err := p.alternatives()
	if err == nil && p.word() != "" {
		err = fmt.Errorf("unexpected %s", p.word())
	}
	return test, err
}

type saasParser struct {
	language saasLanguage
	known    []string
	// words are those of the condition; a string keeps its quote in front.
	words []string
}

func (p *saasParser) split(text string) error {
	for {
		text = strings.TrimLeft(text, " ")
		switch {
		case text == "":
			return nil
		case text[0] == '\'' || text[0] == '"':
			content, rest, err := p.quoted(text)
			if err != nil {
				return err
			}
			p.words, text = append(p.words, `'`+content), rest
		default:
			word := saasWords.FindString(text)
			if word == "" {
				return fmt.Errorf("unexpected %q", text)
			}
			p.words, text = append(p.words, word), text[len(word):]
		}
	}
}

// quoted takes a string from the beginning of a text.
func (p *saasParser) quoted(text string) (content, rest string, err error) {
	quote := text[0]
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && p.language.backslash && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		case c == quote && !p.language.backslash && i+1 < len(text) && text[i+1] == quote:
			i++
			b.WriteByte(quote)
		case c == quote:
			return b.String(), text[i+1:], nil
		default:
			b.WriteByte(c)
		}
	}
	return "", "", errors.New("unterminated string")
}

func (p *saasParser) word() string {
	if len(p.words) == 0 {
		return ""
	}
	return p.words[0]
}

func (p *saasParser) next() string {
	word := p.word()
	if len(p.words) > 0 {
		p.words = p.words[1:]
	}
	return word
}

func (p *saasParser) expect(words ...string) error {
	for _, want := range words {
		if got := p.next(); !strings.EqualFold(got, want) {
			return fmt.Errorf("%s where %s is expected", got, want)
		}
	}
	return nil
}

func (p *saasParser) alternatives() (saasTest, error) {
	return p.joined("or", func() (saasTest, error) { return p.joined("and", p.condition) })
}

// joined reads conditions with a word between them.
func (p *saasParser) joined(word string, one func() (saasTest, error)) (saasTest, error) {
	var tests []saasTest
	for {
		test, err := one()
		if err != nil {
			return nil, err
		}
		tests = append(tests, test)
		if !strings.EqualFold(p.word(), word) {
			break
		}
		p.next()
	}
	if p.language.pairs && len(tests) > 2 {
		return nil, errors.New("more than two conditions without brackets")
	}
	holds := func(fields map[string]string) func(saasTest) bool {
		return func(test saasTest) bool { return test(fields) }
	}
	if word == "or" {
		return func(fields map[string]string) bool { return slices.ContainsFunc(tests, holds(fields)) }, nil
	}
	return func(fields map[string]string) bool {
		return !slices.ContainsFunc(tests, func(test saasTest) bool { return !test(fields) })
	}, nil
}

func (p *saasParser) condition() (saasTest, error) {
	name := p.next()
	switch {
	case name == "(":
		test, err := p.alternatives()
		if err != nil {
			return nil, err
		}
		return test, p.expect(")")
	case p.language.equals == "eq" && p.word() == "(":
		return p.function(name)
	}
	if err := p.checkField(name); err != nil {
		return nil, err
	}
	operator := strings.ToLower(p.next())
	if operator == "is" && p.language.pairs {
		return func(fields map[string]string) bool { return fields[name] != "" }, p.expect("not", "null")
	}
	values, err := p.values(operator == "in")
	if err != nil {
		return nil, err
	}
	switch operator {
	case p.language.equals, "in":
		return func(fields map[string]string) bool {
			return slices.ContainsFunc(values, func(value string) bool { return strings.EqualFold(fields[name], value) })
		}, nil
	case "!=", "ne":
		return func(fields map[string]string) bool { return fields[name] != values[0] }, nil
	case "like":
		if p.language.equals == "=" {
			return saasLike(name, values[0]), nil
		}
	}
	return nil, fmt.Errorf("unknown operator %s", operator)
}

// function reads one of OData, or the one of Dataverse.
func (p *saasParser) function(name string) (saasTest, error) {
	if name == "contains" {
		if err := p.expect("("); err != nil {
			return nil, err
		}
		field := p.next()
		if err := cmp.Or(p.checkField(field), p.expect(",")); err != nil {
			return nil, err
		}
		values, err := p.values(false)
		if err != nil {
			return nil, err
		}
		return saasLike(field, "%"+values[0]+"%"), p.expect(")")
	}
	if name != "Microsoft.Dynamics.CRM.In" {
		return nil, fmt.Errorf("unknown function %s", name)
	}
	if err := p.expect("(", "PropertyName", "="); err != nil {
		return nil, err
	}
	field := strings.TrimPrefix(p.next(), "'")
	if err := cmp.Or(p.checkField(field), p.expect(",", "PropertyValues", "=", "[")); err != nil {
		return nil, err
	}
	values, err := p.list("]")
	if err != nil {
		return nil, err
	}
	return func(fields map[string]string) bool { return slices.Contains(values, fields[field]) }, p.expect(")")
}

func (p *saasParser) checkField(name string) error {
	if !slices.Contains(p.known, name) {
		return fmt.Errorf("no such field: %s", name)
	}
	return nil
}

func (p *saasParser) values(several bool) ([]string, error) {
	if several {
		if err := p.expect("("); err != nil {
			return nil, err
		}
		return p.list(")")
	}
	word := p.next()
	switch value, isText := strings.CutPrefix(word, "'"); {
	case isText:
		return []string{value}, nil
	case word == "null":
		return []string{""}, nil
	case word == "true", word == "false":
		return []string{word}, nil
	case strings.Trim(word, "0123456789") == "" && word != "":
		return []string{word}, nil
	}
	return nil, fmt.Errorf("%q is no value", word)
}

func (p *saasParser) list(end string) ([]string, error) {
	var all []string
	for {
		values, err := p.values(false)
		if err != nil {
			return nil, err
		}
		all = append(all, values...)
		switch word := p.next(); word {
		case end:
			return all, nil
		case ",":
		default:
			return nil, fmt.Errorf("unexpected %q in a list", word)
		}
	}
}

// saasLike compares as SQL does, without regard to case.
func saasLike(field, pattern string) saasTest {
	quoted := strings.NewReplacer("%", ".*", "_", ".").Replace(regexp.QuoteMeta(pattern))
	expression := regexp.MustCompile("(?is)^" + quoted + "$")
	return func(fields map[string]string) bool { return expression.MatchString(fields[field]) }
}

// saasFields are a card's under the names that a product has for them.
func saasFields(c card, names map[string]string, phones []string) map[string]string {
	own := map[string]string{
		"id": c.ID, "first": c.First, "last": c.Last, "name": strings.TrimSpace(c.First + " " + c.Last), "company": c.Company, "email": c.Email,
	}
	fields := map[string]string{}
	for name, of := range names {
		fields[name] = own[of]
	}
	for i, name := range phones {
		fields[name] = c.phone(i)
	}
	return fields
}

// saasSelect is the part of a record that was asked for, or says which field
// does not exist. What has no value is null.
func saasSelect(fields map[string]string, selected []string) (map[string]any, error) {
	record := map[string]any{}
	for _, name := range selected {
		name = strings.TrimSpace(name)
		value, known := fields[name]
		switch {
		case !known:
			return nil, fmt.Errorf("no such column %s", name)
		case value == "":
			record[name] = nil
		default:
			record[name] = value
		}
	}
	return record, nil
}
