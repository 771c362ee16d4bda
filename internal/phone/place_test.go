package phone

import "testing"

func TestANumberIsShownAsPeopleOfTheRegionWriteIt(t *testing.T) {
	for text, want := range map[string]string{
		"+33427466347":  "04 27 46 63 47",
		"0427466347":    "04 27 46 63 47",
		"+390612345678": "+39 06 1234 5678",
		"+442079460018": "+44 20 7946 0018",
	} {
		number, err := region(t, "FR").Parse(text)
		if err != nil || number.Shown() != want {
			t.Errorf("%s is shown as %q, %v, want %q", text, number.Shown(), err, want)
		}
	}
}

func TestWhereANumberIsFrom(t *testing.T) {
	for _, test := range []struct{ text, language, want string }{
		{"+33427466347", "fr", "France"},
		{"+41446681800", "de", "Zürich"},
		{"+4989123456", "de", "München"},
		{"+4989123456", "fr", "Munich"},
		{"+442079460018", "en", "London"},
		{"+8001234567", "en", ""},
	} {
		number, err := region(t, "FR").Parse(test.text)
		if err != nil {
			t.Fatal(err)
		}
		if got := number.From(test.language); got != test.want {
			t.Errorf("%s is from %q in %s, want %q", test.text, got, test.language, test.want)
		}
	}
	if got := (Number{}).From("en"); got != "" {
		t.Errorf("no number is from %q", got)
	}
}
