package phone

import (
	"github.com/nyaruka/phonenumbers"
)

// Shown is the number as people of the region write it: nationally if it is
// one of theirs, else with its country code.
func (n Number) Shown() string {
	if n.domestic {
		return n.dialled()
	}
	return n.worldwide()
}

// worldwide is the region of numbers that belong to no country, such as +800.
const worldwide = "001"

// From is where the number is from, as far as libphonenumber knows: a city, a
// region or a country, in the language of a BCP 47 tag. "" is not known.
func (n Number) From(language string) string {
	parsed, err := phonenumbers.Parse(n.e164, "ZZ")
	if err != nil || phonenumbers.GetRegionCodeForNumber(parsed) == worldwide {
		return ""
	}
	place, err := phonenumbers.GetGeocodingForNumber(parsed, language)
	if err != nil {
		return ""
	}
	return place
}
