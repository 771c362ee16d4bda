package phone

import "strings"

// tail is how many of a number's last digits a text must hold to be it.
const tail = 6

// compare decides by the digits alone, where they can: a CRM's answer has many
// numbers, and libphonenumber takes ten thousand times as long for each. known
// is false where it has to be asked.
func (n Number) compare(text string) (same, known bool) {
	written, ok := figuresOf(text)
	switch {
	case !ok:
		return false, false
	case !strings.Contains(string(written.digits()), n.nsn[max(0, len(n.nsn)-tail):]):
		return false, true
	case written.grouped && n.valid && n.isWritten(written.digits(), written.plus):
		return true, true
	default:
		return false, false
	}
}

// figures are the digits of a text that has nothing else but what stands between
// the groups of a number.
type figures struct {
	all   [maxDigits]byte
	count int
	// plus is set if there is one in front; grouped if nothing but single spaces,
	// dots and dashes stands between.
	plus, grouped bool
}

func (f *figures) digits() []byte { return f.all[:f.count] }

func figuresOf(text string) (f figures, ok bool) {
	text, f.plus = strings.CutPrefix(text, "+")
	f.grouped = true
	separated := true
	for i := range len(text) {
		switch c := text[i]; {
		case c >= '0' && c <= '9':
			if f.count == maxDigits {
				return f, false
			}
			f.all[f.count] = c
			f.count++
			separated = false
		case !strings.ContainsRune(" .-()/", rune(c)):
			return f, false
		default:
			f.grouped = f.grouped && !separated && strings.ContainsRune(" .-", rune(c))
			separated = true
		}
	}
	return f, true
}

// maxDigits is more than any number has, with what is dialled before it.
const maxDigits = 40

// isWritten reports whether digits are this number in one of the forms that can
// be nothing else: with a plus, with 00 where that is dialled for abroad, or with
// the trunk prefix.
func (n Number) isWritten(digits []byte, plus bool) bool {
	switch {
	case plus:
		return string(digits) == n.e164[1:]
	case n.idd == "00" && len(digits) > 2 && digits[0] == '0' && digits[1] == '0':
		return string(digits[2:]) == n.e164[1:]
	case n.trunk != "" && strings.HasPrefix(string(digits), n.trunk):
		return string(digits[len(n.trunk):]) == n.nsn
	default:
		return false
	}
}
