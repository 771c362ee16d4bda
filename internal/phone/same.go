package phone

import (
	"regexp"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// Same reports whether a text, as a CRM keeps it, is or contains the number n.
// Numbers are the same when their E.164 forms are; extensions count only when
// both have one. Shortened and suffix forms are never the same: a stranger's
// number may end alike.
func (r Region) Same(n Number, text string) bool {
	if n.IsZero() || len(text) > 4*maxText {
		return false
	}
	if same, known := n.compare(text); known {
		return same
	}
	return r.read(n, text)
}

// read compares with each number that libphonenumber reads in a text.
func (r Region) read(n Number, text string) bool {
	for _, candidate := range r.candidates(text) {
		if same(n, candidate) {
			return true
		}
	}
	return false
}

func same(a, b Number) bool {
	if a.e164 != b.e164 {
		return false
	}
	return a.extension == "" || b.extension == "" || a.extension == b.extension
}

// candidates reads the whole text as one number and, where that gives no valid
// one, each part of it that is a number by itself.
func (r Region) candidates(text string) []Number {
	text = withoutRemarks(plain(text))
	bare := Bare(text)
	if r.plausible(bare) == nil && !between.MatchString(bare) {
		if whole, err := r.parse(bare); err == nil && (whole.valid || len(piecesOf(bare)) < 2) {
			return []Number{whole}
		}
	}
	return append(r.parts(text), vanity(bare)...)
}

// remark is a figure with a letter right behind it: 24h, 2e. An x or ext
// announces an extension.
var remark = regexp.MustCompile(`(?i)\b\d{1,4}(?:h|e|er|st|nd|rd|th|ème|eme|°)(?:\d{0,2}\b|\b|$)`)

// bracketAfter is how many digits may stand before a bracket that belongs to
// the number: +33 (0)1, 00355 (0)4, (01) 23.
const bracketAfter = 5

// withoutRemarks puts a separator in place of what people write beside a
// number: brackets after it, a numbering before it, opening hours. Where
// numbers have no fixed length, the figures in a remark would join them.
func withoutRemarks(text string) string {
	text = remark.ReplaceAllString(text, ";")
	digits, open := 0, false
	return strings.Map(func(c rune) rune {
		switch {
		case c >= '0' && c <= '9':
			digits++
		case c == '(' || c == '[':
			if open = digits <= bracketAfter; !open {
				digits = 0
				return ';'
			}
		case c == ')' || c == ']':
			if !open {
				digits = 0
				return ';'
			}
			open = false
		case strings.ContainsRune(";,|/\r\n", c):
			digits, open = 0, false
		}
		return c
	}, text)
}

// piece is a part of a text that may be a number: digits with what people put
// between the groups of one number, and an extension.
var piece = regexp.MustCompile(`(?i)[+(]?[+(\d](?:[ .()/-]*[\d)])*(?: *(?:;ext=|ext\.?|poste|x|#) *\d{1,7}\b)?`)

// between is what people put between two numbers, besides a slash.
var between = regexp.MustCompile(` +[-|+&] +|[;,|\r\n]+`)

// date is a day that somebody noted beside a number.
var date = regexp.MustCompile(`^\d{1,2}[./-]\d{1,2}[./-](?:19|20)\d\d$|^(?:19|20)\d\d-\d\d-\d\d$`)

// maxPieces bounds the work on one text. Nobody keeps more numbers in a field.
const maxPieces = 8

// maxJoined is the length of two long numbers with their separators.
const maxJoined = 60

// span is a piece with what stands before it, back to the piece before.
type span struct{ before, text string }

func piecesOf(text string) []span {
	var spans []span
	end := 0
	for _, at := range piece.FindAllStringIndex(text, maxPieces) {
		spans = append(spans, span{text[end:at[0]], text[at[0]:at[1]]})
		end = at[1]
	}
	return spans
}

// parts reads each part of a longer text that is a number: people keep
// "01 23 45 67 89 / 06 12 34 56 78 (home)" in one field. What looks like the
// country code of a number that was torn from it spoils the text: the rest
// would read as somebody else's national number.
func (r Region) parts(text string) []Number {
	var spans []span
	for i, section := range between.Split(text, maxPieces) {
		for j, s := range piecesOf(section) {
			if i > 0 && j == 0 {
				s.before = "," + s.before
			}
			spans = append(spans, r.unjoined(s)...)
		}
	}
	var found []Number
	for i, s := range spans {
		if date.MatchString(s.text) {
			continue
		}
		number, err := r.parsePart(s.text)
		switch complete := err == nil && number.possible; {
		case !complete && r.isInternational(s.text):
			return nil
		case !complete:
			continue
		case i > 0 && r.continues(spans[i-1], s):
			continue
		}
		found = append(found, number)
	}
	return found
}

// unjoined takes apart a piece that holds several numbers, if it does: at
// slashes, or where a space or dash stands between two that are each complete.
func (r Region) unjoined(s span) []span {
	if number, err := r.parsePart(s.text); len(s.text) > maxJoined || err == nil && number.possible {
		return []span{s}
	}
	for at, c := range s.text {
		if c != '/' && c != ' ' && c != '-' {
			continue
		}
		left, right := strings.TrimSpace(s.text[:at]), strings.TrimLeft(s.text[at:], "/ -")
		if r.isComplete(left) && (c == '/' && r.isPrefixed(left) || r.isComplete(right)) {
			return append([]span{{s.before, left}}, r.unjoined(span{"/", right})...)
		}
	}
	return []span{s}
}

// parsePart reads a part of a longer text. Bare digits may be an international
// number, but not what happens to stand side by side.
func (r Region) parsePart(text string) (Number, error) {
	bare := Bare(text)
	number, err := r.parse(bare)
	if err == nil && !r.isPrefixed(bare) && !plainDigits.MatchString(bare) && !strings.HasPrefix(digitsOf(bare), number.nsn) {
		return Number{}, ErrNotANumber
	}
	return number, err
}

// isComplete reports whether a text is a number with all that it needs.
func (r Region) isComplete(text string) bool {
	number, err := r.parsePart(text)
	return err == nil && (number.valid || number.possible && r.isPrefixed(text))
}

func (r Region) isInternational(text string) bool {
	return strings.Contains(text, "+") || strings.HasPrefix(digitsOf(text), "00") || strings.HasPrefix(digitsOf(text), r.idd)
}

// isPrefixed reports whether a text begins as a whole number does: with a plus,
// a prefix for abroad, or the trunk prefix, where the country has one.
func (r Region) isPrefixed(text string) bool {
	return r.isInternational(text) || r.trunk != "" && strings.HasPrefix(digitsOf(text), r.trunk)
}

// continues reports whether a piece may be the rest of the number before it:
// too short a number, with no word between, and this one has no prefix.
func (r Region) continues(previous, s span) bool {
	return countDigits(previous.text) < 5 && !hasLetters(s.before) && !r.isPrefixed(s.text)
}

// northAmerica is the calling code of the plan in which numbers are written in
// keypad letters.
const northAmerica = 1

// vanity reads a number written in keypad letters: 1-800-FLOWERS. CRMs hold
// those; trunks never deliver them. Elsewhere, letters are a remark.
func vanity(bare string) []Number {
	if !phonenumbers.IsAlphaNumber(bare) {
		return nil
	}
	parsed, err := phonenumbers.Parse(bare, "US")
	if err != nil || parsed.GetCountryCode() != northAmerica || !phonenumbers.IsValidNumber(parsed) {
		return nil
	}
	return []Number{{e164: phonenumbers.Format(parsed, phonenumbers.E164)}}
}
