package phone

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/nyaruka/phonenumbers"
)

// plans are those that were asked for, by their regions.
var plans sync.Map

// planOf returns the plan of a region whose plain numbers are read without a
// search for prefixes: one with one literal prefix for abroad, at most one literal
// trunk prefix, and the say over its calling code. In the others only
// libphonenumber knows which digits belong to the number: they have none.
func planOf(code string) *plan {
	if known, ok := plans.Load(code); ok {
		return known.(*plan)
	}
	made := newPlan(code)
	plans.Store(code, made)
	return made
}

func newPlan(code string) *plan {
	collection, err := phonenumbers.MetadataCollection()
	if err != nil {
		return nil // then its numbers are searched
	}
	for _, of := range collection.GetMetadata() {
		isLiteral := of.GetNationalPrefixTransformRule() == "" && of.GetNationalPrefix() == of.GetNationalPrefixForParsing() &&
			plainDigits.MatchString(of.GetInternationalPrefix())
		if of.GetId() == code && isLiteral && phonenumbers.GetRegionCodeForCountryCode(int(of.GetCountryCode())) == code {
			return &plan{
				code: of.GetCountryCode(), calling: strconv.Itoa(int(of.GetCountryCode())),
				idd: of.GetInternationalPrefix(), trunk: of.GetNationalPrefix(), ranges: rangesOf(of),
			}
		}
	}
	return nil
}

// plan is how the plain numbers of a region are made up. A nil one has none.
type plan struct {
	code    int32
	calling string // code, as it is written
	idd     string
	trunk   string
	// ranges are the numbers that there are, by their length.
	ranges map[int]*regexp.Regexp
}

// rangesOf joins the ranges of all kinds of numbers: libphonenumber tries one
// after the other, each twice.
func rangesOf(region *phonenumbers.PhoneMetadata) map[int]*regexp.Regexp {
	kinds := []*phonenumbers.PhoneNumberDesc{
		region.GetFixedLine(), region.GetMobile(), region.GetTollFree(), region.GetPremiumRate(), region.GetSharedCost(),
		region.GetVoip(), region.GetPersonalNumber(), region.GetPager(), region.GetUan(), region.GetVoicemail(),
	}
	patterns := map[int][]string{}
	for _, kind := range kinds {
		lengths := kind.GetPossibleLength()
		if len(lengths) == 0 {
			lengths = region.GetGeneralDesc().GetPossibleLength()
		}
		for _, length := range lengths {
			if pattern := kind.GetNationalNumberPattern(); pattern != "" {
				patterns[int(length)] = append(patterns[int(length)], pattern)
			}
		}
	}
	ranges := map[int]*regexp.Regexp{}
	for length, all := range patterns {
		ranges[length], _ = regexp.Compile("^(?:" + strings.Join(all, "|") + ")$") // nil: not known here
	}
	return ranges
}

// hasNumber reports whether a national number fits a range of the plan.
func (p *plan) hasNumber(nsn string) bool {
	of := p.ranges[len(nsn)]
	return of != nil && of.MatchString(nsn)
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
// what libphonenumber reads too, with a search that takes ten times as long, and
// has to be asked for what is not ok.
func (r Region) plain(text string) (n Number, ok bool) {
	nsn, ok := r.plan.national(text)
	if !ok || !r.plan.hasNumber(nsn) {
		return Number{}, false
	}
	n = r.number(r.plan.code, nsn)
	n.valid, n.possible = true, true
	return n, true
}
