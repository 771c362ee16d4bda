package phone

import (
	"regexp"
	"strings"
	"unicode"
)

// separated is what may stand between the digits of a number, in any notation:
// a few characters that are neither letters nor digits, or as many that are
// written as a percent, JSON or HTML escape, or a tag.
const separated = `(?:%[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|\\[nrt]|&[#0-9A-Za-z]{1,8};|<[^<>]{0,20}>|[^\p{L}\p{Nd}]){0,8}`

var (
	// numberLike is a run of digits long enough to be somebody's number.
	numberLike = regexp.MustCompile(`[+＋]?\p{Nd}(?:` + separated + `\p{Nd}){4,}`)
	// longNumberLike is one that identifiers rarely have.
	longNumberLike = regexp.MustCompile(`[+＋]?\p{Nd}(?:[^\p{L}\p{Nd}]{0,3}\p{Nd}){7,}`)
)

// MaskText hides every telephone number in a text that is about to be logged:
// a CRM's error may repeat the request. The last two digits stay. It hides
// addresses and other figures of five and more digits with them.
func MaskText(text string) string { return mask(numberLike, text) }

// MaskIdentifier hides what is long enough to be a whole telephone number, from
// eight digits on, in a text that identifies something.
func MaskIdentifier(text string) string { return mask(longNumberLike, text) }

func mask(pattern *regexp.Regexp, text string) string {
	return pattern.ReplaceAllStringFunc(text, func(number string) string {
		runes := []rune(digitRunes(number))
		return strings.Repeat("*", len(runes)-2) + string(runes[len(runes)-2:])
	})
}

// MaskRaw hides a caller's number as delivered, which may be no number at all:
// at most the last two characters stay.
func MaskRaw(text string) string {
	runes := []rune(strings.TrimSpace(text))
	switch {
	case len(runes) == 0:
		return ""
	case len(runes) <= 2:
		return "**"
	}
	return strings.Repeat("*", min(len(runes)-2, 12)) + string(runes[len(runes)-2:])
}

func digitRunes(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsDigit(r) {
			return r
		}
		return -1
	}, text)
}
