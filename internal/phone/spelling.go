package phone

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Spelling is one way in which a CRM may have written a number. Only
// [ParseSpelling] makes one.
type Spelling struct {
	name  string
	write func(Number) string
}

// spellings are the named ones, in the order of the documentation.
var spellings = []Spelling{
	{"e164", func(n Number) string { return n.e164 }},
	{"digits", func(n Number) string { return strings.TrimPrefix(n.e164, "+") }},
	{"idd", func(n Number) string { return n.idd + strings.TrimPrefix(n.e164, "+") }},
	{"national", func(n Number) string { return digitsOf(n.dialled()) }},
	{"nsn", func(n Number) string { return n.nsn }},
	{"international", func(n Number) string { return n.worldwide() }},
	{"spaced", grouped(" ")},
	{"dotted", grouped(".")},
	{"dashed", grouped("-")},
	{"like", func(n Number) string { return "%" + strings.Join(strings.Split(n.nsn, ""), "%") }},
	{"regex", func(n Number) string { return strings.Join(strings.Split(n.nsn, ""), "[^0-9]*") }},
	{"last7", last(7)},
	{"last8", last(8)},
	{"last9", last(9)},
	{"last10", last(10)},
}

// SpellingNames returns the names that [ParseSpelling] knows, besides masks.
func SpellingNames() []string {
	names := make([]string, len(spellings))
	for i, spelling := range spellings {
		names[i] = spelling.name
	}
	return names
}

// ParseSpelling returns the spelling of that name, or of a mask such as
// "## ## ## ## ##", whose # are filled with the nationally dialled digits.
func ParseSpelling(name string) (Spelling, error) {
	for _, spelling := range spellings {
		if spelling.name == name {
			return spelling, nil
		}
	}
	if strings.Contains(name, "#") {
		if strings.ContainsAny(name, "{}\"'\\\r\n") {
			return Spelling{}, fmt.Errorf("the mask %q may not hold braces, quotes or backslashes", name)
		}
		return Spelling{name, masked(name)}, nil
	}
	return Spelling{}, fmt.Errorf("unknown spelling %q; there are %s, and masks such as \"## ## ## ## ##\"",
		name, strings.Join(SpellingNames(), ", "))
}

// String returns the spelling's name.
func (s Spelling) String() string { return s.name }

// Of writes a number in this spelling. It is "" where the number can't be
// written so: a mask with another count of digits, or no number at all.
func (s Spelling) Of(n Number) string {
	if n.IsZero() {
		return ""
	}
	return s.write(n)
}

// grouped writes the national groups with another separator. What stands
// between groups differs by country: spaces, brackets, dashes.
func grouped(separator string) func(Number) string {
	return func(n Number) string {
		groups := strings.FieldsFunc(n.dialled(), func(r rune) bool { return r < '0' || r > '9' })
		return strings.Join(groups, separator)
	}
}

func last(count int) func(Number) string {
	return func(n Number) string { return n.nsn[max(0, len(n.nsn)-count):] }
}

func masked(mask string) func(Number) string {
	return func(n Number) string {
		digits := digitsOf(n.dialled())
		if strings.Count(mask, "#") != len(digits) {
			return ""
		}
		var b strings.Builder
		next := 0
		for _, r := range mask {
			if r == '#' {
				b.WriteByte(digits[next])
				next++
				continue
			}
			b.WriteRune(r)
		}
		return b.String()
	}
}

// E164 returns the number in E.164, the worldwide form: +33427466347.
func (n Number) E164() string { return n.e164 }

// Masked returns the number as it may stand in a log: its country and its last
// two digits.
func (n Number) Masked() string {
	if n.IsZero() {
		return ""
	}
	hidden := len(n.nsn) - 2
	if hidden < 1 {
		return "***"
	}
	country := strings.TrimSuffix(n.e164, n.nsn)
	return country + strings.Repeat("*", hidden) + n.nsn[hidden:]
}

// String returns the masked number, so that a number that slips into a
// message does not leak.
func (n Number) String() string { return n.Masked() }

// GoString returns the masked number too.
func (n Number) GoString() string { return strconv.Quote(n.Masked()) }

// SpellingOf says how a text writes a number: the name of a spelling, or, of
// any other way, its shape, such as "+## (#)# ## ## ## ##".
func SpellingOf(n Number, text string) string {
	for _, spelling := range spellings {
		if spelling.Of(n) == text && spelling.name != "regex" {
			return spelling.name
		}
	}
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsDigit(r):
			return '#'
		case unicode.IsLetter(r):
			return 'a'
		}
		return r
	}, text)
}
