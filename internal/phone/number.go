// Package phone is about telephone numbers: reading what trunks and people
// write, the spellings in which a CRM may hold a number, whether two texts are
// the same number, and what may stand in a log. The numbering plans are
// libphonenumber's. It knows nothing else.
package phone

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/nyaruka/phonenumbers"
)

// Reasons why a text holds no number that could be looked up. Errors of
// [Region.Parse] wrap one of them.
var (
	// ErrWithheld: the caller's number was withheld by the caller or a network.
	ErrWithheld = errors.New("the number is withheld")
	// ErrNotANumber: the text is no telephone number.
	ErrNotANumber = errors.New("not a telephone number")
)

// maxText is the longest text that is read as a number. SIP addresses with
// parameters are long; no number is.
const maxText = 250

// minDigits is the length below which nothing can be looked up.
const minDigits = 3

// Number is a telephone number, parsed once. It is immutable; only
// [Region.Parse] makes one, and the zero Number is no number.
type Number struct {
	e164      string // +33427466347
	nsn       string // 427466347, with a significant leading zero where a plan has one
	idd       string // 00, 011, ...: what the region dials for abroad
	trunk     string // 0: what the region dials before it; "" for numbers from abroad
	domestic  bool   // whether the region dials it without a prefix for abroad
	extension string
	calling   int32 // 33
	valid     bool  // fits a known range of the plan
	possible  bool  // has a length that the plan has, area code included
}

// IsZero reports whether n is no number.
func (n Number) IsZero() bool { return n.e164 == "" }

// Region is a country whose rules national numbers are read by. Only
// [ParseRegion] makes one.
type Region struct {
	code    string
	calling int    // 33
	idd     string // 00
	dials00 bool   // whether that is what people dial
	trunk   string // 0: what is dialled before a national number; "" where nothing is
	plan    *plan
}

// ParseRegion reads an ISO 3166 country code such as FR.
func ParseRegion(code string) (Region, error) {
	if len(code) != 2 || !phonenumbers.GetSupportedRegions()[strings.ToUpper(code)] {
		return Region{}, fmt.Errorf("%q is not a country code; write the two letters of ISO 3166, for example FR", code)
	}
	code = strings.ToUpper(code)
	idd := internationalPrefix(code)
	return Region{
		code:    code,
		calling: phonenumbers.GetCountryCodeForRegion(code),
		idd:     cmp.Or(idd, "00"),
		dials00: idd == "00",
		trunk:   phonenumbers.GetNddPrefixForRegion(code, true),
		plan:    planOf(code),
	}, nil
}

// String returns the country code.
func (r Region) String() string { return r.code }

var plainDigits = regexp.MustCompile(`^\d+$`)

// internationalPrefix learns what a region dials for abroad from how
// libphonenumber writes a foreign number there. Plans with carrier selection
// have no single prefix: it is "" then.
func internationalPrefix(region string) string {
	abroad := phonenumbers.GetExampleNumber("CH")
	if region == "CH" || region == "LI" {
		abroad = phonenumbers.GetExampleNumber("FR")
	}
	prefix, _, _ := strings.Cut(phonenumbers.FormatOutOfCountryCallingNumber(abroad, region), " ")
	if !plainDigits.MatchString(prefix) {
		return ""
	}
	return prefix
}

// Parse reads a number as trunks, SIP headers and people write it: national,
// +33 (0)1 ..., 0033..., 33... without a plus, tel:, sip:user@host, with an
// extension. The error wraps [ErrWithheld] or [ErrNotANumber]; it does not
// repeat the text, which may be personal.
func (r Region) Parse(text string) (Number, error) {
	bare := Bare(text)
	if isWithheld(bare) {
		return Number{}, ErrWithheld
	}
	if err := r.plausible(bare); err != nil {
		return Number{}, err
	}
	return r.parse(bare)
}

// plausible refuses what libphonenumber would read with too much good will:
// it takes letters for a telephone keypad's, so "unknown123" becomes digits.
func (r Region) plausible(bare string) error {
	if isBare(bare) && len(bare) <= maxText && len(bare) > minDigits {
		return nil
	}
	switch {
	case len(bare) > maxText:
		return fmt.Errorf("%w: %d characters are too many", ErrNotANumber, len(bare))
	case countDigits(bare) < minDigits:
		return fmt.Errorf("%w: fewer than %d digits", ErrNotANumber, minDigits)
	case hasLetters(extensionMark.ReplaceAllString(bare, "")):
		return fmt.Errorf("%w: it has letters", ErrNotANumber)
	}
	return nil
}

func (r Region) parse(text string) (Number, error) {
	if plain, ok := r.plain(text); ok {
		return plain, nil
	}
	return r.search(text)
}

// search has libphonenumber look for a number in a text, and looks where it
// does not.
func (r Region) search(text string) (Number, error) {
	if digits, ok := r.softwarePrefix(text); ok {
		if abroad := international(digits); abroad != nil {
			return r.found(abroad, true), nil
		}
		return Number{}, ErrNotANumber
	}
	parsed, err := phonenumbers.Parse(text, r.code)
	if err != nil {
		return Number{}, fmt.Errorf("%w: %w", ErrNotANumber, err)
	}
	valid := phonenumbers.IsValidNumber(parsed)
	if !valid || r.withoutPlus(text) {
		if abroad := withPlus(text); abroad != nil {
			return r.found(abroad, true), nil
		}
	}
	if !valid {
		if sister := r.inFamily(text); sister != nil {
			return r.found(sister, true), nil
		}
	}
	return r.found(parsed, valid), nil
}

// softwarePrefix cuts off the 00 that software writes for abroad where people
// dial something else.
func (r Region) softwarePrefix(text string) (rest string, ok bool) {
	digits := digitsOf(text)
	if r.dials00 || strings.Contains(text, "+") || r.idd != "00" && strings.HasPrefix(digits, r.idd) {
		return "", false
	}
	return strings.CutPrefix(digits, "00")
}

// withoutPlus reports whether a text looks like this country's E.164 without
// its plus. Where national numbers are of any length (Germany) such a text may
// read as one of those too, but a trunk would put the trunk prefix before it.
func (r Region) withoutPlus(text string) bool {
	digits := digitsOf(text)
	return r.trunk != "" && !strings.HasPrefix(digits, r.trunk) && strings.HasPrefix(digits, strconv.Itoa(r.calling))
}

// families are countries of one numbering plan with several calling codes:
// from Paris, Réunion is dialled 0692 12 34 56, and is +262.
var families = [][]string{{"FR", "GP", "GF", "MQ", "RE", "YT"}}

func (r Region) family() []string {
	for _, family := range families {
		if slices.Contains(family, r.code) {
			return family
		}
	}
	return nil
}

// inFamily reads a national number as one of another country of the family.
func (r Region) inFamily(text string) *phonenumbers.PhoneNumber {
	for _, code := range r.family() {
		parsed, err := phonenumbers.Parse(text, code)
		if err == nil && phonenumbers.IsValidNumber(parsed) {
			return parsed
		}
	}
	return nil
}

// isDomestic reports whether numbers of a calling code are dialled here without
// a prefix for abroad.
func (r Region) isDomestic(calling int32) bool {
	if int(calling) == r.calling {
		return true
	}
	return slices.ContainsFunc(r.family(), func(code string) bool {
		return phonenumbers.GetCountryCodeForRegion(code) == int(calling)
	})
}

// withPlus reads bare digits as an international number: many trunks deliver
// E.164 without its plus. It returns nil unless that is a valid number.
func withPlus(text string) *phonenumbers.PhoneNumber {
	digits := digitsOf(text)
	if strings.HasPrefix(digits, "0") || strings.Contains(text, "+") {
		return nil
	}
	return international(digits)
}

// international reads country code and number; nil unless that is valid.
func international(digits string) *phonenumbers.PhoneNumber {
	parsed, err := phonenumbers.Parse("+"+digits, "ZZ")
	if err != nil || !phonenumbers.IsValidNumber(parsed) {
		return nil
	}
	return parsed
}

// found keeps what libphonenumber has read; valid is whether it fits a range of
// its plan.
func (r Region) found(parsed *phonenumbers.PhoneNumber, valid bool) Number {
	n := r.number(parsed.GetCountryCode(), phonenumbers.GetNationalSignificantNumber(parsed))
	n.extension = parsed.GetExtension() // spellings are of the line, not of a desk behind it
	n.valid = valid
	n.possible = valid || phonenumbers.IsPossibleNumberWithReason(parsed) == phonenumbers.IS_POSSIBLE
	return n
}

// number is one of a calling code as the region dials it.
func (r Region) number(calling int32, nsn string) Number {
	e164 := "+" + strconv.Itoa(int(calling)) + nsn
	n := Number{e164: e164, nsn: e164[len(e164)-len(nsn):], calling: calling, idd: r.idd, domestic: r.isDomestic(calling)}
	if n.domestic {
		n.trunk = r.trunk
	}
	return n
}

// parsed is the number as libphonenumber knows it, to be grouped; nil if only its
// E.164 is known.
func (n Number) parsed() *phonenumbers.PhoneNumber {
	value, err := strconv.ParseUint(n.nsn, 10, 64)
	if err != nil {
		return nil
	}
	parsed := &phonenumbers.PhoneNumber{CountryCode: new(n.calling), NationalNumber: new(value)}
	if zeros := int32(len(n.nsn) - len(strconv.FormatUint(value, 10))); zeros > 0 { //nolint:gosec // of a text of few characters
		parsed.ItalianLeadingZero, parsed.NumberOfLeadingZeros = new(true), new(zeros)
	}
	return parsed
}

// worldwide is the number grouped, with its country code: +33 4 27 46 63 47.
func (n Number) worldwide() string {
	parsed := n.parsed()
	if parsed == nil {
		return n.e164
	}
	return phonenumbers.Format(parsed, phonenumbers.INTERNATIONAL)
}

// dialled is the number grouped as people of the region dial it: 04 27 46 63 47.
// An Italian 06 written nationally reads as a French mobile: a foreign number is
// written with the prefix for abroad.
func (n Number) dialled() string {
	if n.domestic {
		if parsed := n.parsed(); parsed != nil {
			return phonenumbers.Format(parsed, phonenumbers.NATIONAL)
		}
	}
	return n.idd + " " + strings.TrimPrefix(n.worldwide(), "+")
}
