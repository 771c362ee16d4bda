package demo

import (
	"slices"
	"testing"
)

func TestByDigitsFindsAnySpellingAndStrangersToo(t *testing.T) {
	d := directory{
		{ID: "spaced", Phone: "01 99 00 12 34"},
		{ID: "e164", Mobile: "+33199001234"},
		{ID: "extension", Phone: "03 53 01 00 19 poste 9001234"},
		{ID: "swiss", Phone: "+41 19 900 12 34"},
		{ID: "other", Phone: "01 99 00 12 35"},
		{ID: "none"},
	}
	for text, want := range map[string][]string{
		"199001234":  {"spaced", "e164", "extension", "swiss"},
		"19 90.01":   {"spaced", "e164", "extension", "swiss", "other"},
		"0199001234": {"spaced", "extension"},
		"777":        nil,
		"":           nil,
		"nobody":     nil,
	} {
		if got := ids(d.byDigits(text)); !slices.Equal(got, want) {
			t.Errorf("byDigits(%q) = %v, want %v", text, got, want)
		}
	}
}

func TestByTextFindsNamesCompaniesAndNumbers(t *testing.T) {
	d := directory{
		{ID: "a", FirstName: "Hélène", LastName: "Fabre", Company: "Fabre Conseil", Phone: "+33 (0)4 65 71 02 00"},
		{ID: "b", FirstName: "Uwe", LastName: "Kramer", City: "Köln"},
	}
	for text, want := range map[string][]string{
		"hélène":             {"a"},
		"CONSEIL":            {"a"},
		"köln":               {"b"},
		"0465710200":         {"a"},
		"0033 4 65 71 02 00": {"a"},
		"":                   {"a", "b"},
		"nobody":             nil,
	} {
		if got := ids(d.byText(text)); !slices.Equal(got, want) {
			t.Errorf("byText(%q) = %v, want %v", text, got, want)
		}
	}
}

func ids(contacts []Contact) []string {
	var ids []string
	for _, contact := range contacts {
		ids = append(ids, contact.ID)
	}
	return ids
}
