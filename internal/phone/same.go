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
	bare := Bare(text)
	if r.plausible(bare) == nil {
		if whole, err := r.parse(bare); err == nil && (whole.valid || len(piecesOf(bare)) < 2) {
			return []Number{whole}
		}
	}
	return append(r.parts(plain(text)), r.vanity(bare)...)
}

// piece is a part of a text that may be a number: digits with what people put
// between the groups of one number, and an extension.
var piece = regexp.MustCompile(`(?i)[+(]?[+(\d](?:[ .()/-]*[\d)])*(?: *(?:;ext=|ext\.?|poste|x|#) *\d{1,7}\b)?`)

// between is what people put between two numbers, besides a slash.
var between = regexp.MustCompile(` +[-|] +|[;,|\r\n]+`)

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
		number, err := r.parse(Bare(s.text))
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
	if number, err := r.parse(Bare(s.text)); len(s.text) > maxJoined || err == nil && number.possible {
		return []span{s}
	}
	for at, c := range s.text {
		if c != '/' && c != ' ' && c != '-' {
			continue
		}
		left, right := strings.TrimSpace(s.text[:at]), strings.TrimLeft(s.text[at:], "/ -")
		if r.isComplete(left) && (c == '/' || r.isComplete(right)) {
			return append([]span{{s.before, left}}, r.unjoined(span{"/", right})...)
		}
	}
	return []span{s}
}

// isComplete reports whether a text is a number with all that it needs.
func (r Region) isComplete(text string) bool {
	number, err := r.parse(Bare(text))
	return err == nil && number.possible && r.isPrefixed(text)
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

// vanity reads a number written in keypad letters: 1-800-FLOWERS. CRMs hold
// those; trunks never deliver them.
func (r Region) vanity(bare string) []Number {
	if !phonenumbers.IsAlphaNumber(bare) {
		return nil
	}
	number, err := r.parse(bare)
	if err != nil || !number.valid {
		return nil
	}
	return []Number{number}
}
