package template

import (
	"errors"
	"strings"
	"unicode"

	"golang.org/x/net/http/httpguts"
)

// position is where in a text a value stands: first, when nothing is before it.
type position struct{ first bool }

// escaper makes a value fit its place, or says why it can't stand there.
type escaper func(kind Kind, value string, at position) (string, error)

// OneLine makes a text fit for one line that people read, on a page or in a
// log: white space is a space, and control characters and the marks that
// reorder text are left out.
func OneLine(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= ' ' && r < 0x7f: // mostly
			return r
		case unicode.IsSpace(r):
			return ' '
		case unicode.Is(unicode.C, r):
			return -1
		}
		return r
	}, text)
}

func textValue(_ Kind, value string, _ position) (string, error) { return OneLine(value), nil }

func verbatimValue(_ Kind, value string, _ position) (string, error) { return value, nil }

func harmless(value, punctuation string) bool {
	return !strings.ContainsFunc(value, func(r rune) bool {
		return !isAlphanumeric(r) && !strings.ContainsRune(punctuation, r)
	})
}

// isAlphanumeric reports whether a character is a letter or digit, and stays
// one: where a program squeezes text into an old code page, the modifier
// letters become quotes, and the click letters the operators | and !.
func isAlphanumeric(r rune) bool {
	return unicode.IsDigit(r) || unicode.IsLetter(r) && !isLookalike(r)
}

// argumentValue keeps a value from being anything but the text of one
// argument, whatever shell or program reads it: no quotes, no operators, and
// nothing that begins like an option.
func argumentValue(kind Kind, value string, at position) (string, error) {
	if kind == Spelled {
		return value, nil
	}
	kept := strings.Map(func(r rune) rune {
		if isAlphanumeric(r) || strings.ContainsRune(" .,_@+-:/=?#", r) {
			return r
		}
		return -1
	}, value)
	if at.first {
		kept = strings.TrimLeft(kept, "-/+ ")
	}
	return kept, nil
}

var errHeader = errors.New("holds characters that can't stand in a header")

func headerValue(_ Kind, value string, _ position) (string, error) { return inHeader(value) }

func inHeader(value string) (string, error) {
	if !httpguts.ValidHeaderFieldValue(value) {
		return "", errHeader
	}
	return value, nil
}

func (t *Template[T]) settleHeader() error {
	for _, p := range t.parts {
		if !httpguts.ValidHeaderFieldValue(p.literal) {
			return errors.New("holds a line break or another control character, which can't stand in a header")
		}
	}
	switch {
	case t.isJSON():
		t.ascii = true
		return t.settleJSON()
	case t.dialect.IsZero(), len(t.parts) == 1:
		return t.escapeAll(headerValue)
	default:
		return t.settleQuery(t.pieces(), inHeader)
	}
}
