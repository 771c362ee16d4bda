package phone

import (
	"regexp"

	"github.com/nyaruka/phonenumbers"
)

// chunk is what looks like one number inside a longer text: people keep
// "01 23 45 67 89 / 06 12 34 56 78 (home)" in one field.
var chunk = regexp.MustCompile(`(?i)[+＋(]?[+＋(\d][\d\s.()\x{00A0}\x{2010}-\x{2015}\x{202F}-]*\d(?:\s*(?:;ext=|ext\.?|poste|x|#)\s*\d{1,7})?`)

// between is what people put between two numbers, other than a slash.
var between = regexp.MustCompile(`\s+[-–—|]\s+|[;,|\r\n\t]+`)

// slashed is the same with slashes inside, as in the German 030/901820.
var slashed = regexp.MustCompile(`[+＋(]?[+＋(\d][\d\s./()-]*\d`)

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
// one, each part of it that looks like a number. A part need not be in a range
// that libphonenumber knows: plans grow.
func (r Region) candidates(text string) []Number {
	bare := Bare(text)
	if r.plausible(bare) == nil {
		if whole, err := r.parse(bare); err == nil && (whole.valid || !chunked(bare)) {
			return []Number{whole}
		}
	}
	var found []Number
	for _, piece := range between.Split(text, -1) {
		for _, pattern := range []*regexp.Regexp{chunk, slashed} {
			for _, part := range pattern.FindAllString(piece, -1) {
				if number, err := r.parse(Bare(part)); err == nil && number.possible {
					found = append(found, number)
				}
			}
		}
	}
	return append(found, r.vanity(bare)...)
}

// chunked reports whether a text holds more than one number-like part.
func chunked(text string) bool { return len(chunk.FindAllString(text, 2)) > 1 }

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
