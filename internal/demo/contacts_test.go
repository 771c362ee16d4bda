package demo

import (
	"reflect"
	"regexp"
	"strings"
	"testing"
)

func TestGenerationIsDeterministic(t *testing.T) {
	if !reflect.DeepEqual(Contacts(), Contacts()) {
		t.Error("two generations differ")
	}
}

func TestContactsAreManyAndHaveIDsOfTheirOwn(t *testing.T) {
	contacts := Contacts()
	if len(contacts) != ContactCount {
		t.Fatalf("%d contacts, want %d", len(contacts), ContactCount)
	}
	seen := map[string]bool{}
	for _, contact := range contacts {
		if seen[contact.ID] {
			t.Errorf("%s is given twice", contact.ID)
		}
		seen[contact.ID] = true
		if contact.FullName() == "" || contact.Company == "" || contact.City == "" {
			t.Errorf("%+v is incomplete", contact)
		}
	}
}

func TestDocumentedCallerExists(t *testing.T) {
	found := directory(Contacts()).byText("Camille Moreau")
	if len(found) == 0 {
		t.Fatal("there is no Camille Moreau")
	}
	got := found[0]
	if got.Company != "Moreau & Fils" || got.City != "Lyon" || !got.Custom.VIP || digits(got.Phone) != knownNumber {
		t.Errorf("got %+v", got)
	}
}

// Every way of writing that design.md and the measurements of real CRMs speak
// of stands somewhere in the data.
func TestEverySpellingOccurs(t *testing.T) {
	for name, pattern := range map[string]string{
		"e164":                          `^\+33\d{9}$`,
		"international":                 `^\+33 \d( \d\d){4}$`,
		"international with trunk zero": `^\+33 \(0\)\d( \d\d){4}$`,
		"idd":                           `^0033\d{9}$`,
		"idd with trunk zero":           `^0033 \(0\)\d( \d\d){4}$`,
		"national":                      `^0\d{9}$`,
		"spaced":                        `^0\d( \d\d){4}$`,
		"dotted":                        `^0\d(\.\d\d){4}$`,
		"dashed":                        `^0\d(-\d\d){4}$`,
		"slashed":                       `^0\d(/\d\d){4}$`,
		"bracketed":                     `^\(0\d\) \d\d(-\d\d){3}$`,
		"digits":                        `^33\d{9}$`,
		"poste":                         `^0\d( \d\d){4} poste 12$`,
		"ext.":                          `^0\d( \d\d){4} ext\. 12$`,
		"trailing spaces":               `^0\d( \d\d){4} +$`,
		"two numbers in one field":      `^0\d( \d\d){4} / 0[67]( \d\d){4}$`,
		"German":                        `^\+49 30/\d+$`,
		"German with trunk zero":        `^\+49 \(0\)`,
		"Belgian":                       `^\+32 `,
		"Swiss":                         `^\+41 `,
		"British":                       `^\+44 `,
	} {
		t.Run(name, func(t *testing.T) {
			spelling := regexp.MustCompile(pattern)
			for _, contact := range Contacts() {
				if spelling.MatchString(contact.Phone) || spelling.MatchString(contact.Mobile) {
					return
				}
			}
			t.Errorf("no contact has a number that matches %s", pattern)
		})
	}
}

func TestSpellingsKeepTheNumber(t *testing.T) {
	for _, spelling := range spellings {
		written := spelling.write("0199001234")
		if !strings.Contains(digits(written), "199001234") {
			t.Errorf("%s writes %q, which loses digits", spelling.name, written)
		}
	}
}

func TestEightPeopleShareTheSwitchboard(t *testing.T) {
	found := directory(Contacts()).byDigits(switchboardNumber[1:])
	if len(found) != 8 {
		t.Fatalf("%d people have the switchboard's number, want 8", len(found))
	}
	written := map[string]bool{}
	for _, contact := range found {
		if contact.Company != "Transports Bellier" {
			t.Errorf("%s works for %s, want Transports Bellier", contact.FullName(), contact.Company)
		}
		written[contact.Phone] = true
	}
	if len(written) != 8 {
		t.Errorf("the number is written in %d ways, want 8", len(written))
	}
}

func TestSomePeopleHaveOneNumberSomeTwoSomeNone(t *testing.T) {
	var none, phoneOnly, mobileOnly, both int
	for _, contact := range Contacts() {
		switch {
		case contact.Phone == "" && contact.Mobile == "":
			none++
		case contact.Mobile == "":
			phoneOnly++
		case contact.Phone == "":
			mobileOnly++
		default:
			both++
		}
	}
	if none == 0 || phoneOnly == 0 || mobileOnly == 0 || both == 0 {
		t.Errorf("none %d, phone only %d, mobile only %d, both %d: want some of each", none, phoneOnly, mobileOnly, both)
	}
}

// Nobody's telephone may ring because of a demo: French numbers come from the
// ranges that are kept for fiction, apart from the documentation's own example.
func TestFrenchNumbersAreFictional(t *testing.T) {
	national := regexp.MustCompile(`(?:^|/ )0[1-9](?:[ ./-]?\d\d){4}`)
	fictional := regexp.MustCompile(`^(019900|026191|035301|046571|053649|063998|` + knownNumber + `)`)
	for _, contact := range Contacts() {
		for _, text := range []string{contact.Phone, contact.Mobile} {
			for _, found := range national.FindAllString(text, -1) {
				if number := digits(found); !fictional.MatchString(number) {
					t.Errorf("%s of %s is in no range for fiction", number, contact.ID)
				}
			}
		}
	}
}

func TestAddressesAreUnderExample(t *testing.T) {
	valid := regexp.MustCompile(`^[a-z0-9.-]+@[a-z0-9-]+\.example$`)
	for _, contact := range Contacts() {
		if !valid.MatchString(contact.Email) {
			t.Errorf("%s has the address %q", contact.ID, contact.Email)
		}
	}
}
