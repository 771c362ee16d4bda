package realcrm

import (
	"fmt"
	"strings"
	"testing"
)

// person is a record in a CRM.
type person struct {
	name, company, email string
	// stored is how the CRM was given the number.
	stored string
	// dialled is what the caller's network sends.
	dialled string
	// page must be opened.
	page string
}

func (p person) title() string { return p.name + "|" + p.company + "|" + p.email }

// spellings are ways in which people write +33 1 23 45 67 nn.
var spellings = []string{
	"+331234567%02d",
	"+33 1 23 45 67 %02d",
	"+33 (0)1 23 45 67 %02d",
	"+33-1-23-45-67-%02d",
	"331234567%02d",
	"00331234567%02d",
	"0033 1 23 45 67 %02d",
	"01234567%02d",
	"01 23 45 67 %02d",
	"01.23.45.67.%02d",
	"01-23-45-67-%02d",
	"01/23/45/67/%02d",
	"(01) 23-45-67-%02d",
	"01\u00a023\u00a045\u00a067\u00a0%02d",
	"Tel. 01 23 45 67 %02d",
	"+33 1 23 45 67 %02d ext. 12",
}

// people are one for each spelling, with numbers of their own from a first one on.
func people(first int, spellings ...string) []person {
	var list []person
	for i, spelling := range spellings {
		n := first + i
		list = append(list, person{
			name:    fmt.Sprintf("Person %02d", n),
			company: fmt.Sprintf("Company %02d", n),
			email:   fmt.Sprintf("person%02d@example.org", n),
			stored:  fmt.Sprintf(spelling, n),
			dialled: fmt.Sprintf("01234567%02d", n),
		})
	}
	return list
}

// unknownCaller is nobody's number, though a stranger's ends with its digits.
const unknownCaller = "0123456799"

// twins share a number; a stranger's has the unknown caller's digits in it.
func twins() (first, second, stranger person) {
	first = person{name: "First twin", company: "Twins", email: "first@example.org", stored: "+33 1 23 45 67 90", dialled: "0123456790"}
	second = person{name: "Second twin", company: "Twins", email: "second@example.org", stored: "01 23 45 67 90", dialled: "0123456790"}
	stranger = person{name: "Stranger", company: "Elsewhere", email: "stranger@example.org", stored: "+49 1 2345 6799"}
	return first, second, stranger
}

// testPeople rings for everybody.
func testPeople(t *testing.T, g *gateway, list []person) {
	t.Helper()
	for _, p := range list {
		t.Run("stored as "+p.stored, func(t *testing.T) {
			if got := g.expect(t, p.dialled, p.page); got.Title != p.title() {
				t.Errorf("the title is %q, want %q", got.Title, p.title())
			}
		})
	}
}

// testOutcomes rings for what is not one person.
func testOutcomes(t *testing.T, g *gateway) {
	t.Helper()
	t.Run("nobody, though a stranger's number holds the digits", func(t *testing.T) {
		g.expect(t, unknownCaller, nonePage)
	})
	t.Run("several", func(t *testing.T) {
		g.expect(t, "0123456790", manyPage)
	})
}

// testCheck runs `screen-pop check` for somebody and nobody, and samples. The
// gateway with wrong credentials is checked too.
func testCheck(t *testing.T, g, wrong *gateway, somebody person) {
	t.Helper()
	t.Run("check finds somebody", func(t *testing.T) {
		if output := g.check(t, 0, "--number", somebody.dialled); !strings.Contains(output, somebody.page) || !strings.Contains(output, "outcome   one") {
			t.Errorf("it printed:\n%s", output)
		}
	})
	t.Run("check finds nobody", func(t *testing.T) {
		if output := g.check(t, 1, "--number", unknownCaller); !strings.Contains(output, "outcome   none") {
			t.Errorf("it printed:\n%s", output)
		}
	})
	t.Run("check can't ask", func(t *testing.T) {
		if output := wrong.check(t, 2, "--number", somebody.dialled); !strings.Contains(output, "does not accept the credentials") {
			t.Errorf("it printed:\n%s", output)
		}
		wrong.check(t, 2, "--sample=2")
	})
}

// hostile texts must be data wherever they come to.
var hostile = []string{
	`0123456700' OR '1'='1`, `0123456700"]]],0,9,null,["name"],{}],"method":"model.res.user.read`, `x", "operator": "LIKE", "value": "%`, `%`, `_%`, `1]*`,
	`"}) { customers { items { id } } } #`, `' OR id > 0 OR Subject = '`, "0123456700\r\nX-Pwned: pwned", `{credential.password}{login.session}`, `../../root`, `<script>alert(1)</script>`, `javascript:alert(1)`,
	"0123456700\x00", `; DROP TABLE users; --`, `[{"field":"id","operator":">","value":"0"}]`,
}

// testHostileCalls posts hostile texts everywhere in a call. Nobody has such a
// number, so no person may open.
func testHostileCalls(t *testing.T, g *gateway) {
	t.Helper()
	for _, text := range hostile {
		for _, changes := range []map[string]any{
			{"caller": text},
			{"caller": unknownCaller, "userData": map[string]any{"USR_NAME": text, "XIVO_DSTNUM": text, text: text}, "callee": text, "queue": map[string]any{"name": text}, "callDataCallId": text},
		} {
			if got := g.post(changes); strings.HasPrefix(got.URL, "http://127.0.0.1") {
				t.Errorf("%q opened %s", text, got.URL)
			}
		}
	}
}
