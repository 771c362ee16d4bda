package phone

import (
	"strings"
	"testing"
)

var seeds = []string{
	"0427466347", "+33 (0)1 23 45 67 89", "0033123456789", "tel:0123456789;phone-context=+33", "sip:+33427466347@trunk;user=phone",
	`"A" <sip:1@b>`, "anonymous", "", "030/901820", "01 23 45 67 89 / 06 12 34 56 78", "+", "00", ";ext=", "1-800-FLOWERS",
	"tel:;phone-context=+", "\x00", "٠٤٢٧", "+33427466347 ext. 99999999", "%%%", "sip:%zz@", strings.Repeat("9", 600),
}

// FuzzParse: any text is a number, withheld, or not a number; a number's own
// spellings read back as itself, and none of them can end a quoted text.
func FuzzParse(f *testing.F) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	r := region(f, "FR")
	f.Fuzz(func(t *testing.T, text string) {
		n, err := r.Parse(text)
		if err != nil {
			if !n.IsZero() {
				t.Fatalf("Parse(%q) gives a number and %v", text, err)
			}
			return
		}
		if again, err := r.Parse(n.E164()); n.valid && (err != nil || again.E164() != n.E164()) {
			t.Fatalf("%q -> %q -> %q, %v", text, n.E164(), again.E164(), err)
		}
		for _, spelling := range spellings {
			if strings.Trim(spelling.Of(n), "+0123456789 ().-%/~[^]*") != "" {
				t.Fatalf("%s of %q = %q", spelling, text, spelling.Of(n))
			}
		}
		if len(n.E164()) > 6 && strings.Contains(n.Masked(), n.E164()[1:]) {
			t.Fatalf("the mask %q shows the number", n.Masked())
		}
	})
}

// FuzzSame: no text makes the comparison fail, and what is the same number
// holds at least the number's last six digits, or letters that stand for them.
func FuzzSame(f *testing.F) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	r := region(f, "FR")
	n := number(f, "FR", "0123456789")
	f.Fuzz(func(t *testing.T, text string) {
		if r.Same(n, text) && !hasLetters(text) && countDigits(text) < 9 {
			t.Fatalf("%q is taken as %s", text, n.E164())
		}
	})
}

// FuzzMaskText: what is masked has no run of digits long enough to be a number,
// but for a short one that ends a word.
func FuzzMaskText(f *testing.F) {
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		masked := MaskText(text)
		for _, found := range numberLike.FindAllStringIndex(masked, -1) {
			number := masked[found[0]:found[1]]
			if !isCode(masked[:found[0]], number) && !strings.Contains(masked, "*") {
				t.Fatalf("MaskText(%q) = %q", text, masked)
			}
		}
	})
}

// FuzzCompare: what is decided by the digits alone is what libphonenumber says.
func FuzzCompare(f *testing.F) {
	numbers := map[string][]string{
		"FR": {"0427466347", "+33639980001", "+262692123456", "+390612345678"}, "DE": {"030123456", "+4915112345678"}, "IT": {"0612345678", "3312345678"},
		"US": {"2015550123", "+18002255288"}, "AR": {"+5491123456789", "01123456789"}, "GB": {"02079460018"}, "MX": {"+525512345678"}, "RU": {"+79123456789"}, "HU": {"+3612345678"}, "LT": {"+37061234567"}, "CH": {"0446681800"},
	}
	for code, texts := range numbers {
		for _, text := range texts {
			n := number(f, code, text)
			for _, spelling := range spellings {
				f.Add(spelling.Of(n))
			}
			f.Add("+" + strings.TrimPrefix(n.e164, "+")[:2] + " (0)" + n.nsn)
			f.Add(n.nsn + " " + n.nsn)
			f.Add(n.trunk + n.nsn + "-" + n.nsn[:3])
		}
	}
	for _, seed := range seeds {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for code, texts := range numbers {
			r := region(t, code)
			for _, caller := range texts {
				n := number(t, code, caller)
				if same, known := n.compare(text); known && same != r.read(n, text) {
					t.Fatalf("%s: %q and %s: %t by the digits, %t by libphonenumber", code, text, n.E164(), same, !same)
				}
			}
		}
	})
}
