package phone

import (
	"regexp"
	"strings"
	"unicode"
)

// numberLike is a run of digits, with the separators that numbers have, long
// enough to be somebody's.
var numberLike = regexp.MustCompile(`[+＋]?\p{Nd}(?:[\s\p{Z}.()/_\x{2010}-\x{2015}%*#:~+-]*\p{Nd}){4,}`)

// MaskText hides every telephone number in a text that is about to be logged:
// a CRM's error may repeat the request. The last two digits stay.
func MaskText(text string) string {
	return numberLike.ReplaceAllStringFunc(text, func(number string) string {
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
