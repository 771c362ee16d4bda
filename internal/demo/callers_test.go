package demo

import (
	"slices"
	"testing"
)

func TestScenariosHaveIDsLabelsAndNotes(t *testing.T) {
	seen := map[string]bool{}
	for _, caller := range Callers() {
		if caller.ID == "" || caller.Label == "" || caller.Note == "" || seen[caller.ID] {
			t.Errorf("%+v is incomplete or there twice", caller)
		}
		seen[caller.ID] = true
	}
}

// What a scenario promises must be what the data holds.
func TestScenariosMeetTheContactsTheySpeakOf(t *testing.T) {
	d := directory(Contacts())
	for id, want := range map[string][]string{
		"known":        {"Moreau", "Lambert"}, // Lambert is the stranger that the gateway must drop
		"known-mobile": {"Moreau"},
		"duplicate":    {"Fabre", "FABRE"},
		"unknown":      nil,
		"strangers":    {"Zbinden", "Carrel"},
		"foreign":      {"Weiß"},
		"hostile":      {`O'Brien"; calc.exe & rem`},
		"refused":      {"Kerbrat"},
		"refused-too":  {"Kerbrat"},
		"supplier":     nil,
	} {
		var names []string
		for _, contact := range d.byDigits(nsn(t, id)) {
			names = append(names, contact.LastName)
		}
		if !slices.Equal(names, want) {
			t.Errorf("scenario %s meets %q, want %q", id, names, want)
		}
	}
}

func TestScenariosMeetTheSuppliersTheySpeakOf(t *testing.T) {
	for id, want := range map[string]string{"supplier": "Papeterie du Rhin", "switchboard": "Bellier Logistique"} {
		found := suppliersByDigits(nsn(t, id))
		if len(found) != 1 || found[0].Name != want {
			t.Errorf("scenario %s meets %v, want %s", id, found, want)
		}
	}
}

// The simulator has one button for each page.
func TestEachPageIsShownByOneScenario(t *testing.T) {
	shown := map[string]int{}
	for _, caller := range Callers() {
		if caller.Page != "" {
			shown[caller.Page]++
		}
	}
	for _, page := range []string{"Record", "Chooser", "Card", "Framing refused", "Unknown caller", "Waiting", "Could not ask"} {
		if shown[page] != 1 {
			t.Errorf("%d scenarios show %q, want 1", shown[page], page)
		}
	}
}

func TestWithheldScenariosTellEmptyFromAbsent(t *testing.T) {
	if caller := scenario(t, "withheld").Caller; caller == nil || *caller != "" {
		t.Errorf("the caller is %v, want an empty text", caller)
	}
	if caller := scenario(t, "withheld-absent").Caller; caller != nil {
		t.Errorf("the caller is %q, want none", *caller)
	}
}

// nsn is what the gateway would search for: the number without its country code
// or leading zero.
func nsn(t *testing.T, id string) string {
	t.Helper()
	all := digits(*scenario(t, id).Caller)
	return all[len(all)-significantDigits:]
}

func scenario(t *testing.T, id string) Caller {
	t.Helper()
	callers := Callers()
	i := slices.IndexFunc(callers, func(c Caller) bool { return c.ID == id })
	if i < 0 {
		t.Fatalf("there is no scenario %s", id)
	}
	return callers[i]
}
