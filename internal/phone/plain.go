package phone

import (
	"cmp"
	"strconv"
	"strings"
	"sync"

	"github.com/nyaruka/phonenumbers"
	"google.golang.org/protobuf/proto"
)

// plans are the regions whose plain numbers are read without a search for
// prefixes, with their plans: those that have one literal prefix for abroad, at
// most one literal trunk prefix, and the say over their calling code. In the
// others only libphonenumber knows which digits belong to the number.
var plans = sync.OnceValue(func() map[string]*plan {
	collection, err := phonenumbers.MetadataCollection()
	if err != nil {
		return nil // then all numbers are searched
	}
	known := map[string]*plan{}
	for _, of := range collection.GetMetadata() {
		isLiteral := of.GetNationalPrefixTransformRule() == "" && of.GetNationalPrefix() == of.GetNationalPrefixForParsing() &&
			plainDigits.MatchString(of.GetInternationalPrefix())
		if isLiteral && phonenumbers.GetRegionCodeForCountryCode(int(of.GetCountryCode())) == of.GetId() {
			known[of.GetId()] = &plan{of.GetCountryCode(), strconv.Itoa(int(of.GetCountryCode())), of.GetInternationalPrefix(), of.GetNationalPrefix()}
		}
	}
	return known
})

// plan is how the plain numbers of a region are made up. A nil one has none.
type plan struct {
	code    int32
	calling string // code, as it is written
	idd     string
	trunk   string
}

// longestPlain is the longest national number, and more than fits a plan.
const longestPlain = 15

// national cuts the prefix off a plain number of the region: bare digits with a
// plus and the calling code, or with the trunk prefix.
func (p *plan) national(text string) (string, bool) {
	if p == nil || !isBare(text) {
		return "", false
	}
	nsn, abroad := strings.CutPrefix(text, "+"+p.calling)
	if !abroad {
		var domestic bool
		if nsn, domestic = strings.CutPrefix(text, p.trunk); !domestic || p.trunk == "" || strings.HasPrefix(text, p.idd) || strings.HasPrefix(text, p.calling) {
			return "", false
		}
	}
	if len(nsn) < minDigits || len(nsn) > longestPlain || nsn[0] == '0' || strings.HasPrefix(nsn, cmp.Or(p.trunk, "0")) {
		return "", false
	}
	return nsn, true
}

// plain reads what trunks deliver mostly: a plain number of the region. It is
// what libphonenumber reads too, with a search that takes three times as long;
// nil where it has to be asked.
func (r Region) plain(text string) *phonenumbers.PhoneNumber {
	nsn, ok := r.plan.national(text)
	if !ok {
		return nil
	}
	number, err := strconv.ParseUint(nsn, 10, 64)
	if err != nil {
		return nil
	}
	parsed := &phonenumbers.PhoneNumber{CountryCode: proto.Int32(r.plan.code), NationalNumber: proto.Uint64(number)}
	if !phonenumbers.IsValidNumber(parsed) {
		return nil
	}
	return parsed
}
