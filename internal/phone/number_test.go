package phone

import (
	"errors"
	"strings"
	"testing"

	"github.com/nyaruka/phonenumbers"
)

func region(t testing.TB, code string) Region {
	t.Helper()
	r, err := ParseRegion(code)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func number(t testing.TB, code, text string) Number {
	t.Helper()
	n, err := region(t, code).Parse(text)
	if err != nil {
		t.Fatalf("parsing %q: %v", text, err)
	}
	return n
}

func TestARegionIsAnISOCountryCode(t *testing.T) {
	for code, good := range map[string]bool{"FR": true, "fr": true, "US": true, "": false, "F": false, "FRA": false, "ZZ": false, "33": false, "001": false} {
		if _, err := ParseRegion(code); (err == nil) != good {
			t.Errorf("ParseRegion(%q) = %v", code, err)
		}
	}
}

func TestANumberIsReadAsTrunksAndPeopleWriteIt(t *testing.T) {
	for _, test := range []struct{ region, text, want string }{
		{"FR", "0427466347", "+33427466347"},
		{"FR", "04 27 46 63 47", "+33427466347"},
		{"FR", "04.27.46.63.47", "+33427466347"},
		{"FR", "+33 (0)1 23 45 67 89", "+33123456789"},
		{"FR", "+33(0)123456789", "+33123456789"},
		{"FR", "0033123456789", "+33123456789"},
		{"FR", "0033 (0)1 23 45 67 89", "+33123456789"},
		{"FR", "33427466347", "+33427466347"},
		{"FR", "427466347", "+33427466347"},
		{"FR", " +33427466347 ", "+33427466347"},
		{"FR", "٠٤٢٧٤٦٦٣٤٧", "+33427466347"},
		{"FR", "tel:+33-1-23-45-67-89", "+33123456789"},
		{"FR", "tel:0123456789;phone-context=+33", "+33123456789"},
		{"FR", "tel:061234567;phone-context=+39", "+39061234567"},
		{"FR", "tel:06201234567;phone-context=+36", "+36201234567"},
		{"FR", "TEL:+33123456789;isub=1;ext=12", "+33123456789"},
		{"FR", "sip:0427466347@trunk.example.net", "+33427466347"},
		{"FR", "sip:+33427466347@trunk.example.net:5060;user=phone", "+33427466347"},
		{"FR", "sip:%2B33427466347;npdi@trunk", "+33427466347"},
		{"FR", "sips:0033427466347@trunk", "+33427466347"},
		{"FR", `"Camille Moreau" <sip:0427466347@trunk>;tag=1f`, "+33427466347"},
		{"FR", "<sip:0612345678@10.0.0.1;user=phone>;tag=abc", "+33612345678"},
		{"FR", "0427466347#", "+33427466347"},
		{"FR", "0612345678;phone-context=+33", "+33612345678"},
		{"FR", "04\u202f27\u202f46\u202f63\u202f47", "+33427466347"},
		{"FR", "04_27_46_63_47", "+33427466347"},
		{"FR", "0692123456", "+262692123456"}, // Réunion, dialled from Paris
		{"FR", "0590123456", "+590590123456"},
		{"RE", "0427466347", "+33427466347"},
		{"DE", "4915112345678", "+4915112345678"},
		{"DE", "015112345678", "+4915112345678"},
		{"FR", `"Camille Moreau" <sip:0427466347@trunk>`, "+33427466347"},
		{"FR", "Camille <0427466347>", "+33427466347"},
		{"FR", "0427466347@trunk", "+33427466347"},
		{"FR", "0123456789 ext. 12", "+33123456789"},
		{"FR", "+33 1 23 45 67 89 x12", "+33123456789"},
		{"FR", "01 23 45 67 89 poste 12", "+33123456789"},
		{"FR", "493012345678", "+493012345678"}, // E.164 without its plus
		{"FR", "00493012345678", "+493012345678"},
		{"DE", "030/901820", "+4930901820"},
		{"IT", "06 1234567", "+39061234567"},
		{"US", "(201) 555-0123", "+12015550123"},
		{"US", "011 33 4 27 46 63 47", "+33427466347"},
		{"FR", "1234567", "+331234567"}, // fits no plan, but it is what was delivered
	} {
		got, err := region(t, test.region).Parse(test.text)
		if got.E164() != test.want {
			t.Errorf("%s %q = %q (%v), want %q", test.region, test.text, got.E164(), err, test.want)
		}
	}
}

func TestWhatIsNoNumberIsNeverLookedUp(t *testing.T) {
	r := region(t, "FR")
	for _, text := range []string{
		"", "  ", "anonymous", "Anonymous", "ANONYMOUS", "sip:anonymous@anonymous.invalid", `"Anonymous" <sip:anonymous@anonymous.invalid>`,
		"unknown", "private", "Private Number", "withheld", "unavailable", "restricted", "Numéro masqué", "inconnu",
		"null", "undefined", "0", "0000000000", "-", "?", "s", "asterisk", "266696687",
	} {
		if _, err := r.Parse(text); !errors.Is(err, ErrWithheld) {
			t.Errorf("Parse(%q) = %v, want withheld", text, err)
		}
	}
	for _, text := range []string{
		"unknown123", "12", "1-800-FLOWERS", "javascript:alert(1)", "'; drop table contacts; --", "{call.caller}",
		strings.Repeat("7", 500), "0427466347x", "<script>0427466347</script>", "99999999999999999999",
	} {
		if _, err := r.Parse(text); !errors.Is(err, ErrNotANumber) {
			t.Errorf("Parse(%q) = %v, want not a number", text, err)
		}
	}
}

func TestParseErrorsDoNotRepeatTheText(t *testing.T) {
	_, err := region(t, "FR").Parse("04 27 46 63 47 99 99 99 99 99 99 99")
	if err == nil || strings.Contains(err.Error(), "46") {
		t.Errorf("err = %v", err)
	}
}

func TestSpellings(t *testing.T) {
	want := map[string]string{
		"e164": "+33427466347", "digits": "33427466347", "idd": "0033427466347", "national": "0427466347",
		"nsn": "427466347", "international": "+33 4 27 46 63 47", "spaced": "04 27 46 63 47",
		"dotted": "04.27.46.63.47", "dashed": "04-27-46-63-47", "like": "%4%2%7%4%6%6%3%4%7", "regex": "4[^0-9]*2[^0-9]*7[^0-9]*4[^0-9]*6[^0-9]*6[^0-9]*3[^0-9]*4[^0-9]*7",
		"last7": "7466347", "last8": "27466347", "last9": "427466347", "last10": "427466347",
		"## ## ## ## ##": "04 27 46 63 47", "(##) ##-##-##-##": "(04) 27-46-63-47", "## ##": "",
	}
	n := number(t, "FR", "0427466347")
	for name, text := range want {
		spelling, err := ParseSpelling(name)
		if err != nil {
			t.Fatal(err)
		}
		if got := spelling.Of(n); got != text {
			t.Errorf("%s = %q, want %q", name, got, text)
		}
		if got := spelling.Of(Number{}); got != "" {
			t.Errorf("%s of no number = %q", name, got)
		}
	}
	for _, name := range SpellingNames() {
		if _, tested := want[name]; !tested {
			t.Errorf("the spelling %s is not tested", name)
		}
	}
	if _, err := ParseSpelling("e146"); err == nil {
		t.Error("an unknown spelling was accepted")
	}
	if _, err := ParseSpelling(`## "#`); err == nil {
		t.Error("a mask with a quote was accepted")
	}
}

func TestAForeignNumberIsSpelledAsItIsDialledFromHere(t *testing.T) {
	// Nationally this Italian number reads 06 1234 5678: a French mobile.
	n := number(t, "FR", "+39 06 1234 5678")
	for name, want := range map[string]string{"national": "00390612345678", "spaced": "00 39 06 1234 5678", "e164": "+390612345678"} {
		spelling, _ := ParseSpelling(name)
		if got := spelling.Of(n); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	idd, _ := ParseSpelling("idd")
	if got := idd.Of(number(t, "US", "+390612345678")); got != "011390612345678" {
		t.Errorf("idd from the US = %q", got)
	}
}

func TestEveryStoredSpellingIsTheSameNumber(t *testing.T) {
	n := number(t, "FR", "0123456789")
	for _, stored := range []string{
		"+33123456789", "+33 1 23 45 67 89", "+33 (0)1 23 45 67 89", "0033123456789", "0033 (0)1 23 45 67 89",
		"0123456789", "01 23 45 67 89", "01.23.45.67.89", "01-23-45-67-89", "(01) 23-45-67-89", "01/23/45/67/89",
		"33123456789", "33 1 23 45 67 89", "01 23 45 67 89 ", "\t01 23 45 67 89", "01 23 45 67 89",
		"01 23 45 67 89 ext. 12", "01 23 45 67 89 poste 12", "+33 1 23 45 67 89 x12", "tel:+33123456789",
		"01 23 45 67 89 / 06 12 34 56 78", "06 12 34 56 78 - 01 23 45 67 89", "06 12 34 56 78; 01 23 45 67 89",
		"01 23 45 67 89 (bureau)", "Bureau : 01 23 45 67 89", "01 23 45 67 89, demander Rosa", "+33123456789 (pro)",
	} {
		if !region(t, "FR").Same(n, stored) {
			t.Errorf("%q is not taken as the number", stored)
		}
	}
}

// libphonenumber knows no range for 06 39 98, which France keeps for fiction.
func TestANumberOfAnUnknownRangeIsFoundBesideAnother(t *testing.T) {
	n := number(t, "FR", "+33639986515")
	for _, stored := range []string{"01 99 00 34 60 / 06 39 98 65 15", "06 39 98 65 15", "06.39.98.65.15 (perso)", "+33 6 39 98 65 15 - 01 99 00 34 60"} {
		if !region(t, "FR").Same(n, stored) {
			t.Errorf("%q is not taken as the number", stored)
		}
	}
}

func TestAStrangersNumberIsNeverTheSame(t *testing.T) {
	n := number(t, "FR", "0123456789")
	for _, stored := range []string{
		"", "0223456789", "+49 1 23456789", "123456789012", "23456789", "3456789", "01234567890", "+330123456789012",
		"06 12 34 56 78", "1234", "n/a", "0012 3456789", "+32 1 23 45 67 89", "01 23 45 67", "REF0123456789123",
		strings.Repeat("0123456789 ", 200),
	} {
		if region(t, "FR").Same(n, stored) {
			t.Errorf("%q is taken as the number", stored)
		}
	}
	if region(t, "FR").Same(Number{}, "") || region(t, "FR").Same(Number{}, "0123456789") {
		t.Error("no number is the same as something")
	}
}

// The rest of a foreign number, torn from its country code, reads as a national
// number here.
func TestANumberIsNeverTornFromItsCountryCode(t *testing.T) {
	for _, test := range []struct{ region, caller, stored string }{
		{"FR", "0475123456", "+32\u202f475 12 34 56"},
		{"FR", "0475123456", "+32\u202f475/12.34.56"},
		{"FR", "0475123456", "+32\u2009475 12 34 56"},
		{"FR", "0475123456", "+32\u2007475123456"},
		{"FR", "0475123456", "+32\t475 12 34 56"},
		{"FR", "0475123456", "+32, 475 12 34 56"},
		{"FR", "0475123456", "+32: 475 12 34 56"},
		{"FR", "0475123456", "+32 | 475 12 34 56"},
		{"FR", "0475123456", "+32 - 475 12 34 56"},
		{"FR", "0475123456", "+32 (BE) 475 12 34 56"},
		{"FR", "0475123456", "+32_475123456"},
		{"FR", "0475123456", "+32 mobile 0475123456"},
		{"FR", "0475123456", "+32\n0475123456"},
		{"FR", "0475123456", "00 32 , 0475123456"},
		{"FR", "0475123456", "0032 BE 0475123456"},
		{"FR", "0475123456", "32 / 475 12 34 56"},
		{"FR", "0475123456", "32, 475 12 34 56"},
		{"FR", "0612345678", "+212\u202f6 12 34 56 78"},
		{"FR", "0612345678", "00212\u202f612345678"},
		{"FR", "0612345678", "+34\u202f612345678"},
		{"FR", "0612345678", "+39, 0612345678"},
		{"FR", "0427466347", "+32/427466347"},
		{"FR", "0427466347", "0032/427.46.63.47"},
		{"DE", "030901820", "+43/30901820"},
		{"DE", "030901820", "0043/30901820"},
		{"US", "2125550123", "+52/2125550123"},
		{"US", "2125550123", "011 52 / 2125550123"},
		{"AU", "0412345678", "00358 mobile 412 345 678"},
		{"FR", "+35227123400", "+352 27 12 34, 00"},
	} {
		if region(t, test.region).Same(number(t, test.region, test.caller), test.stored) {
			t.Errorf("%s: %q is taken as %s", test.region, test.stored, test.caller)
		}
	}
}

func TestSeveralNumbersInOneFieldAreEachFound(t *testing.T) {
	n := number(t, "FR", "0427466347")
	for _, stored := range []string{
		"0123456789 0427466347", "01 23 45 67 89 04 27 46 63 47", "0123456789-0427466347", "0123456789/0427466347",
		"0427466347/0123456789", "01 23 45 67 89 ou 04 27 46 63 47", "01 23 45 67 89\n04 27 46 63 47", "+33123456789 +33427466347",
		"04\u202f27\u202f46\u202f63\u202f47", "04\u200927\u200946\u200963\u200947", "04\t27\t46\t63\t47", "04·27·46·63·47", "04_27_46_63_47",
		"bureau 2 : 04 27 46 63 47", "01 23 45 67 89;0427466347", "0123456789; 0427466347", "0123456789 + 0427466347",
		"04 27 46 63 47 (2)", "04 27 46 63 47 (9h-18h)", "04 27 46 63 47 9h-18h", "1) 04 27 46 63 47", "04 27 46 63 47 (maj 12.03.2021)", "33427466347.0",
		"04 27 46 63 47 [vérifié 2024]", "01 23 45 67 89 (04 27 46 63 47)", "+32 475 12 34 56 / 04 27 46 63 47",
	} {
		if !region(t, "FR").Same(n, stored) {
			t.Errorf("%q is not taken as the number", stored)
		}
	}
}

func TestSeveralNumbersAreFoundWhereNothingIsDialledBeforeThem(t *testing.T) {
	for _, test := range []struct{ region, stored, caller string }{
		{"ES", "912 34 56 78 / 612 34 56 78", "+34612345678"},
		{"ES", "912345678 612345678", "+34912345678"},
		{"IT", "3123456789/3201234567", "+393201234567"},
		{"US", "212-555-0123 / 212-555-0199", "+12125550199"},
		{"US", "212-555-0123 212-555-0199", "+12125550123"},
		{"PT", "212345678/912345678", "+351912345678"},
		{"BR", "1123456789/11987654321", "+5511987654321"},
		{"DE", "0171 1234567;0301234567", "+49301234567"},
		{"JP", "0081 3 1234 5678", "+81312345678"},
		{"AU", "0061 2 1234 5678", "+61212345678"},
	} {
		if !region(t, test.region).Same(number(t, test.region, test.caller), test.stored) {
			t.Errorf("%s: %q is not taken as %s", test.region, test.stored, test.caller)
		}
	}
}

// Where numbers have no fixed length, the figures of a remark could be digits.
func TestARemarkIsNoPartOfANumber(t *testing.T) {
	for _, test := range []struct{ region, stored, stranger, own string }{
		{"DE", "030 123456 (2)", "0301234562", "030123456"},
		{"DE", "030 123456 (8-18 Uhr)", "030123456818", "030123456"},
		{"DE", "030 123456 24h", "03012345624", "030123456"},
		{"DE", "030 123456 fax", "030123456329", "030123456"},
		{"DE", "030 123456 privat", "030123456774828", "030123456"},
		{"FR", "+43 664 123456 (2)", "+436641234562", "+43664123456"},
		{"IT", "Tel1 312 345 6789", "+13123456789", ""},
		{"US", "(201) 555-0123 mobile", "+2015550123", "+12015550123"},
		{"BE", "0475 12 34 56 (12.03.2021)", "+3212032021", "0475123456"},
	} {
		r := region(t, test.region)
		if stranger, err := r.Parse(test.stranger); err == nil && r.Same(stranger, test.stored) {
			t.Errorf("%s: %q is taken as %s", test.region, test.stored, test.stranger)
		}
		if test.own != "" && !r.Same(number(t, test.region, test.own), test.stored) {
			t.Errorf("%s: %q is not taken as %s", test.region, test.stored, test.own)
		}
	}
}

func TestAnOverseasNumberIsTheSameHoweverItIsDialled(t *testing.T) {
	r := region(t, "FR")
	for caller, stored := range map[string]string{
		"0692123456": "+262 692 12 34 56", "+590590123456": "0590 12 34 56", "00262692123456": "06 92 12 34 56",
	} {
		if !r.Same(number(t, "FR", caller), stored) {
			t.Errorf("%s is not %q", caller, stored)
		}
	}
	national, _ := ParseSpelling("national")
	if got := national.Of(number(t, "FR", "+262692123456")); got != "0692123456" {
		t.Errorf("nationally dialled %q", got)
	}
}

func TestExtensionsCountOnlyWhenBothHaveOne(t *testing.T) {
	r := region(t, "FR")
	desk := number(t, "FR", "0123456789 ext. 12")
	for stored, want := range map[string]bool{"0123456789": true, "0123456789 x12": true, "0123456789 x13": false} {
		if got := r.Same(desk, stored); got != want {
			t.Errorf("Same(desk 12, %q) = %v", stored, got)
		}
	}
}

func TestAVanityNumberInACRMIsFound(t *testing.T) {
	if !region(t, "US").Same(number(t, "US", "18003569377"), "1-800-FLOWERS") {
		t.Error("1-800-FLOWERS is not 1 800 356 9377")
	}
}

func TestPatterns(t *testing.T) {
	r := region(t, "FR")
	for _, test := range []struct {
		pattern, text string
		want          bool
	}{
		{"2-6", "1013", true},
		{"2-6", "10", true},
		{"2-6", "1", false},
		{"2-6", "1234567", false},
		{"2-6", "+1013", false},
		{"2-6", "sip:1013@pbx", true},
		{"4", "1013", true},
		{"4", "101", false},
		{"10??", "1013", true},
		{"10??", "10134", false},
		{"+3342746*", "0427466347", true},
		{"+3342746*", "0127466347", false},
		{"04*", "+33427466347", true},
		{"04*", "0033427466347", true},
		{"04*", "04 27 46 63 47", true},
		{"06*", "+39 06 1234 5678", false},
		{"0039*", "+39 06 1234 5678", true},
		{"*", "+39 06 1234 5678", true},
		{"3*", "0427466347", false},
		{"3*", "3949", true},
		{"0[45]*", "0427466347", true},
		{"04*", "anonymous", false},
		{"*", "0427466347", true},
		{"*", "", false},
		{"+*", "", false},
	} {
		p, err := ParsePattern(test.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Match(r, test.text); got != test.want {
			t.Errorf("%s on %q = %v", test.pattern, test.text, got)
		}
	}
	for _, bad := range []string{"", "6-2", "0-3", "2-99", "20", "0", "100-199", "abc", "[", "{call.caller}", "01 23"} {
		if _, err := ParsePattern(bad); err == nil {
			t.Errorf("ParsePattern(%q) was accepted", bad)
		}
	}
}

func TestMaskedNumbersShowNoMoreThanCountryAndTwoDigits(t *testing.T) {
	n := number(t, "FR", "0427466347")
	if got := n.Masked(); got != "+33*******47" {
		t.Errorf("Masked = %q", got)
	}
	if n.String() != n.Masked() || strings.Contains(n.GoString(), "427466") {
		t.Error("a number prints itself whole")
	}
	for text, want := range map[string]string{
		"": "", "7": "**", "1013": "**13", "anonymous": "*******us",
	} {
		if got := MaskRaw(text); got != want {
			t.Errorf("MaskRaw(%q) = %q, want %q", text, got, want)
		}
	}
}

func TestMaskTextHidesEveryWayOfWritingANumber(t *testing.T) {
	for _, text := range []string{
		"+33427466347", "0427466347", "04 27 46 63 47", "04.27.46.63.47", "04-27-46-63-47", "%4%2%7%4%6%6%3%4%7",
		"phone=%2B33427466347", "phone=04%2027%2046%2063%2047", "phone=04+27+46+63+47", "(04) 27-46-63-47", "04/27/46/63/47",
		"0,4,2,7,4,6,6,3,4,7", "04:27:46:63:47", `"04","27","46","63","47"`, "*4*2*7*4*6*6*3*4*7*", "%2B33%2D427%2D466%2D347", "0427|466|347", "04    27    46    63    47", "04 -- 27 -- 46 -- 63 -- 47", `[ "0", "4", "2", "7", "4", "6", "6" ]`, "04&nbsp;27&nbsp;46&nbsp;63&nbsp;47", "04<br>27<br>46<br>63", `04\n27\n46\n63\n47`, `04\u002027\u002046\u002063`, "04\u202f27\u202f46\u202f63\u202f47",
	} {
		masked := MaskText("no phone like '" + text + "' in where, status 503")
		if strings.Contains(digitsOf(masked), "466") || !strings.Contains(masked, "no phone like") || !strings.Contains(masked, "503") {
			t.Errorf("MaskText(%q) = %q", text, masked)
		}
	}
}

func TestMaskTextLeavesTheNumbersOfErrors(t *testing.T) {
	for _, text := range []string{
		"AADSTS7000215: Invalid client secret provided.", "AADSTS50126", "ORA12154", "see KB5004237", "é12345", "X12345678",
	} {
		if got := MaskText(text); got != text {
			t.Errorf("MaskText(%q) = %q", text, got)
		}
	}
	for text, want := range map[string]string{
		"tel0427466347":             "tel********47",
		"T0123456789 is unknown":    "T********89 is unknown",
		"tel042746634":              "tel*******34",
		"T04 27 46 63":              "T******63",
		"x27-46-63":                 "x****63",
		"%2B3312345":                "%2B*****45", // an escape is no word
		"q%3D7466347":               "q%3D*****47",
		`\n7466347`:                 `\n*****47`,
		`\u00e97466347`:             `\u00e******47`,
		`\x2b7466347`:               `\x2b*****47`,
		"A12345 and 0427466347":     "A12345 and ********47",
		"0427466347 A12345 0199000": "********47 A**********00",
	} {
		if got := MaskText(text); got != want {
			t.Errorf("MaskText(%q) = %q, want %q", text, got, want)
		}
	}
}

// A number is kept as text, and made one of libphonenumber's again to be grouped.
func TestANumberIsGroupedAsLibphonenumberGroupsWhatItRead(t *testing.T) {
	texts := []string{"+390612345678", "+39000000", "+390001234567", "+80012345678", "+3906", "+22501020304"}
	for code := range phonenumbers.GetSupportedRegions() {
		for kind := phonenumbers.FIXED_LINE; kind <= phonenumbers.VOICEMAIL; kind++ {
			if example := phonenumbers.GetExampleNumberForType(code, kind); example != nil {
				texts = append(texts, phonenumbers.Format(example, phonenumbers.E164))
			}
		}
	}
	for _, text := range texts {
		read, err := phonenumbers.Parse(text, "ZZ")
		if err != nil {
			t.Fatal(text, err)
		}
		of := region(t, "FR")
		if code := phonenumbers.GetRegionCodeForCountryCode(int(read.GetCountryCode())); code != worldwide {
			of = region(t, code)
		}
		n, err := of.Parse(text)
		if err != nil {
			t.Fatal(text, err)
		}
		if want := phonenumbers.Format(read, phonenumbers.INTERNATIONAL); n.worldwide() != want {
			t.Errorf("%s is grouped %s, want %s", text, n.worldwide(), want)
		}
		if want := phonenumbers.Format(read, phonenumbers.NATIONAL); n.domestic && n.dialled() != want {
			t.Errorf("%s is grouped %s, want %s", text, n.dialled(), want)
		}
	}
}
