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
// addresses and other figures of five and more digits with them, but not the
// number of an error that follows its letters, such as AADSTS7000215.
func MaskText(text string) string {
	var b strings.Builder
	end := 0
	for _, found := range numberLike.FindAllStringIndex(text, -1) {
		if isCode(text[max(end, found[0]-longestEscape):found[0]], text[found[0]:found[1]]) {
			continue
		}
		b.WriteString(text[end:found[0]])
		b.WriteString(hidden(text[found[0]:found[1]]))
		end = found[1]
	}
	return b.String() + text[end:]
}

// longestEscape is the length of \u00e9, in bytes.
const longestEscape = 6

// shortestBehindLetters is how many digits a telephone number has at least
// where it stands directly behind letters: tel0427466347.
const shortestBehindLetters = 9

var (
	// lettersBefore is a text that ends with a letter.
	lettersBefore = regexp.MustCompile(`\p{L}$`)
	// escapeBefore is one that ends with an escape, which is no letter: %2B, \n,
	// \u00e9, or the beginning of one whose digits follow.
	escapeBefore = regexp.MustCompile(`(?:%[0-9A-Fa-f]{1,2}|\\[nrtux]|\\[ux][0-9A-Fa-f]{1,4})$`)
)

// isCode reports whether digits are a part of the word before them, and too few
// for a telephone number.
func isCode(before, digits string) bool {
	return len(digits) < shortestBehindLetters && plainDigits.MatchString(digits) &&
		lettersBefore.MatchString(before) && !escapeBefore.MatchString(before)
}

// MaskIdentifier hides what is long enough to be a whole telephone number, from
// eight digits on, in a text that identifies something.
func MaskIdentifier(text string) string { return longNumberLike.ReplaceAllStringFunc(text, hidden) }

// hidden is a number without its digits but for the last two.
func hidden(number string) string {
	runes := []rune(digitRunes(number))
	return strings.Repeat("*", len(runes)-2) + string(runes[len(runes)-2:])
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
