package phone

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/nyaruka/phonenumbers"
)

// regions are all that there are, in an order that stays.
func regions(t testing.TB) []Region {
	var all []Region
	for code := range phonenumbers.GetSupportedRegions() {
		all = append(all, region(t, code))
	}
	slices.SortFunc(all, func(a, b Region) int { return slices.Compare([]byte(a.code), []byte(b.code)) })
	return all
}

func assertReadAsSearched(t testing.TB, r Region, text string) {
	t.Helper()
	if len(text) <= minDigits {
		return
	}
	got, err := r.parse(text)
	want, wrong := r.search(text)
	if (err == nil) != (wrong == nil) || got != want {
		t.Errorf("%s reads %q as %+v (%v), want %+v (%v)", r, text, got, err, want, wrong)
	}
}

// neighbours are a plain number and others of its size, most of which begin as
// it does, in the ways in which a trunk may deliver them.
func neighbours(r Region, nsn string, random *rand.Rand) []string {
	var all []string
	for range 3 {
		digits := []byte(nsn)
		for i := random.IntN(len(digits)); i < len(digits); i++ {
			digits[i] = '0' + byte(random.IntN(10))
		}
		number := string(digits)
		calling := fmt.Sprint(r.calling)
		all = append(all, r.trunk+number, "+"+calling+number, "+"+calling+r.trunk+number, calling+number, number, r.idd+calling+number,
			r.trunk+number[:len(number)-1], "+"+calling+number+"5", r.trunk+r.trunk+number)
	}
	return all
}

func TestAPlainNumberIsReadAsLibphonenumberReadsIt(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, r := range regions(t) {
		for kind := phonenumbers.FIXED_LINE; kind <= phonenumbers.VOICEMAIL; kind++ {
			example := phonenumbers.GetExampleNumberForType(r.code, kind)
			if example == nil {
				continue
			}
			for _, text := range neighbours(r, phonenumbers.GetNationalSignificantNumber(example), random) {
				assertReadAsSearched(t, r, text)
			}
		}
	}
}

func TestMostPlainNumbersNeedNoSearch(t *testing.T) {
	for _, text := range []string{"0427466347", "+33427466347", "0612345678"} {
		if _, ok := region(t, "FR").plain(text); !ok {
			t.Errorf("%s is searched", text)
		}
	}
	for _, text := range []string{"33427466347", "0033427466347", "04 27 46 63 47", "+330427466347", "0000000000", "+41446681800", "+3342746634799", "0692123456"} {
		if _, ok := region(t, "FR").plain(text); ok {
			t.Errorf("%s is not searched", text)
		}
	}
	planned := 0
	for _, r := range regions(t) {
		if r.plan != nil {
			planned++
		}
	}
	if planned < 100 {
		t.Errorf("only %d regions have plain numbers", planned)
	}
}

// FuzzPlain: what is read without a search is what the search reads.
func FuzzPlain(f *testing.F) {
	all := regions(f)
	for i, r := range all {
		if example := phonenumbers.GetExampleNumber(r.code); example != nil {
			f.Add(uint8(i), r.trunk+phonenumbers.GetNationalSignificantNumber(example))
			f.Add(uint8(i), phonenumbers.Format(example, phonenumbers.E164))
		}
	}
	f.Fuzz(func(t *testing.T, of uint8, text string) {
		if isBare(text) && len(text) <= maxText {
			assertReadAsSearched(t, all[int(of)%len(all)], text)
		}
	})
}
