package demo

// A spelling is one of the ways in which people write a French number into a
// CRM. A CRM that stores text keeps them all, side by side.
type spelling struct {
	name  string
	write func(national string) string
}

// spellings is the order in which the generated contacts are written, so that
// every one of them occurs many times.
var spellings = []spelling{
	{"e164", func(n string) string { return "+33" + n[1:] }},
	{"international", func(n string) string { return "+33 " + n[1:2] + " " + pairs(n[2:], " ") }},
	{"international with trunk zero", func(n string) string { return "+33 (0)" + n[1:2] + " " + pairs(n[2:], " ") }},
	{"idd", func(n string) string { return "0033" + n[1:] }},
	{"idd with trunk zero", func(n string) string { return "0033 (0)" + n[1:2] + " " + pairs(n[2:], " ") }},
	{"national", func(n string) string { return n }},
	{"spaced", spaced},
	{"dotted", func(n string) string { return pairs(n, ".") }},
	{"dashed", func(n string) string { return pairs(n, "-") }},
	{"slashed", func(n string) string { return pairs(n, "/") }},
	{"bracketed", func(n string) string { return "(" + n[:2] + ") " + pairs(n[2:], "-") }},
	{"digits", func(n string) string { return "33" + n[1:] }},
	{"poste", func(n string) string { return spaced(n) + " poste 12" }},
	{"ext.", func(n string) string { return spaced(n) + " ext. 12" }},
	{"trailing spaces", func(n string) string { return spaced(n) + "  " }},
}

// spaced writes a national number in pairs, as it is read out in France.
func spaced(national string) string { return pairs(national, " ") }

// pairs puts separator between every two digits.
func pairs(digits, separator string) string {
	var written []byte
	for i := range len(digits) {
		if i > 0 && i%2 == 0 {
			written = append(written, separator...)
		}
		written = append(written, digits[i])
	}
	return string(written)
}
