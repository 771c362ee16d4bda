package phone

import "strings"

// tail is how many of a number's last digits a text must hold to be it.
const tail = 6

// compare decides by the digits alone, where they can: a CRM's answer has many
// numbers, and libphonenumber takes ten thousand times as long for each. known
// is false where it has to be asked.
func (n Number) compare(text string) (same, known bool) {
	var digits [maxDigits]byte
	count, plus, grouped := 0, false, true
	separated := true
	for i := range len(text) {
		switch c := text[i]; {
		case c >= '0' && c <= '9':
			if count == maxDigits {
				return false, false
			}
			digits[count] = c
			count++
			separated = false
		case c == '+' && count == 0 && i == 0:
			plus = true
		case (c == ' ' || c == '.' || c == '-') && !separated:
			separated = true
		case c == ' ' || c == '.' || c == '-' || c == '(' || c == ')' || c == '/':
			grouped = false
		default:
			return false, false
		}
	}
	found := digits[:count]
	if !holds(found, n.nsn[max(0, len(n.nsn)-tail):]) {
		return false, true
	}
	if grouped && n.valid && n.isWritten(found, plus) {
		return true, true
	}
	return false, false
}

// maxDigits is more than any number has, with what is dialled before it.
const maxDigits = 40

func holds(digits []byte, wanted string) bool { return strings.Contains(string(digits), wanted) }

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
