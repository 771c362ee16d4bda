package phone

import (
	"net/url"
	"regexp"
	"strings"
	"unicode"
)

var (
	// angled is a number in a SIP name-addr: "Front desk" <sip:+33...@pbx>.
	angled = regexp.MustCompile(`<([^<>]*)>[^<>]*$`)
	// sipScheme marks an address whose user part is the number.
	sipScheme = regexp.MustCompile(`(?i)^sips?:`)
	// extensionMark is how people and RFC 3966 announce an extension.
	extensionMark = regexp.MustCompile(`(?i)\s*(?:;\s*ext\s*=|\bext(?:ension|n)?\b\.?:?|\bposte\b|x)\s*(\d{1,7})\s*$`)
	// spreadsheet is a number that an import took for a quantity.
	spreadsheet = regexp.MustCompile(`^\+?\d{7,15}\.0$`)
	// telScheme, and the parameter that says which country a number belongs to.
	telScheme    = regexp.MustCompile(`(?i)^tel:`)
	phoneContext = regexp.MustCompile(`(?i)^([^;]*)(?:;[^;]*)*?;phone-context=(\+\d+)(?:;.*)?$`)
)

// Bare takes a number out of what it is wrapped in: spaces, a display name, a
// sip: or tel: address with its parameters. What is not wrapped is returned
// as it is, and an extension stays, as " ext. 12".
func Bare(text string) string {
	if isBare(text) {
		return text
	}
	text = strings.TrimSpace(plain(text))
	if match := angled.FindStringSubmatch(text); match != nil {
		text = strings.TrimSpace(match[1])
	}
	switch {
	case sipScheme.MatchString(text):
		text = userPart(sipScheme.ReplaceAllString(text, ""))
	case telScheme.MatchString(text), phoneContext.MatchString(text):
		text = globalise(telScheme.ReplaceAllString(text, ""))
	case strings.ContainsRune(text, '@'):
		text = userPart(text)
	}
	text = strings.TrimRight(text, "# ") // the key that ends dialling
	if spreadsheet.MatchString(text) {
		text = strings.TrimSuffix(text, ".0")
	}
	return strings.TrimSpace(uniformExtension(text))
}

// isBare reports whether a text is digits, perhaps with a plus: what trunks
// deliver mostly.
func isBare(text string) bool {
	digits := strings.TrimPrefix(text, "+")
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return false
		}
	}
	return true
}

// plain writes the typographic forms of spaces, dashes and the plus as those
// that numbering libraries know. French software groups digits by U+202F.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\r': // two lines are two numbers
			return r
		case unicode.IsSpace(r) || r == '_' || r == '·' || r == '•':
			return ' '
		case unicode.Is(unicode.Cf, r):
			return -1
		case unicode.Is(unicode.Pd, r) || r == '−':
			return '-'
		case r == '＋':
			return '+'
		}
		return r
	}, text)
}

// userPart is what stands before the host of a SIP address, without parameters.
func userPart(address string) string {
	user, _, _ := strings.Cut(address, "@")
	user, _, _ = strings.Cut(user, ";")
	if decoded, err := url.PathUnescape(user); err == nil {
		user = decoded
	}
	return user
}

// globalise puts RFC 3966's phone-context in front of a local number and drops
// the other parameters but the extension. Whether a zero belongs to the number
// is libphonenumber's to know: it does in Italy.
func globalise(number string) string {
	if match := phoneContext.FindStringSubmatch(number); match != nil {
		return match[2] + " " + match[1]
	}
	extension := ""
	if match := extensionMark.FindStringSubmatch(number); match != nil {
		extension = " ext. " + match[1]
	}
	number, _, _ = strings.Cut(number, ";")
	return extensionMark.ReplaceAllString(number, "") + extension
}

func uniformExtension(text string) string {
	match := extensionMark.FindStringSubmatch(text)
	if match == nil {
		return text
	}
	return extensionMark.ReplaceAllString(text, "") + " ext. " + match[1]
}

// withheldWords are what networks, gateways and PBXs put where a withheld
// number would stand. All are compared without case, spaces and punctuation.
var withheldWords = map[string]bool{
	"": true, "anonymous": true, "anonym": true, "anonyme": true, "unknown": true, "unknownnumber": true,
	"unknowncaller": true, "private": true, "privatenumber": true, "privatecaller": true, "restricted": true,
	"withheld": true, "withheldnumber": true, "unavailable": true, "notavailable": true, "nonumber": true,
	"hidden": true, "hiddennumber": true, "blocked": true, "masked": true, "masqué": true, "masque": true,
	"numéromasqué": true, "numeromasque": true, "privé": true, "prive": true, "numéroprivé": true, "numeroprive": true,
	"inconnu": true, "numéroinconnu": true, "numeroinconnu": true, "secret": true, "none": true, "null": true,
	"undefined": true, "nil": true, "na": true, "asterisk": true, "s": true, "outofarea": true, "payphone": true,
	// ANONYMOUS and UNKNOWN on a telephone keypad, which some gateways send.
	"266696687": true, "8656696": true,
}

var onlyZeros = regexp.MustCompile(`^0+$`)

// isWithheld reports whether a text is what stands for a withheld number:
// nothing, "anonymous", "private", zeros, ...
func isWithheld(bare string) bool {
	if isBare(bare) && strings.Trim(bare, "+0") != "" {
		return withheldWords[bare]
	}
	word := strings.ToLower(strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, bare))
	return withheldWords[word] || onlyZeros.MatchString(word)
}

func hasLetters(text string) bool { return strings.ContainsFunc(text, unicode.IsLetter) }

func countDigits(text string) int {
	count := 0
	for _, r := range text {
		if unicode.IsDigit(r) {
			count++
		}
	}
	return count
}

// digitsOf keeps a text's ASCII digits.
func digitsOf(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, text)
}
