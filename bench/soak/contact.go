package main

import (
	"fmt"
	"strings"
)

// contact is a record as CRMs have them, of whoever has the number; beside it is a
// stranger's, which a search by a part of the number finds too.
func contact(phone string) string { return `{"items":[` + person(phone) + `,` + stranger + `]}` }

// somebody does the same for those who are known.
func somebody(phone string) string {
	if !isKnown(phone) {
		return `{"items":[` + stranger + `]}`
	}
	return contact(phone)
}

// isKnown: whose number is even.
func isKnown(phone string) bool { return strings.ContainsRune("02468", rune(phone[len(phone)-1])) }

const stranger = `{"id":"stranger","name":"Zoé Autre","phone":"+33 1 99 00 00 01"}`

// person is a record of about 300 bytes beside the number.
func person(phone string) string {
	id := strings.TrimPrefix(phone, "+")
	return fmt.Sprintf(`{"id":%q,"name":"Rosa Marin %s","company":"Quai Nord Logistique SARL","email":"rosa.marin.%s@quai-nord.example.org","phone":%q,"mobile":"06 39 98 00 01",`+
		`"street":"17 bis, quai de la Fontaine","city":"69002 Lyon","manager":"Étienne Dubois-Lambert","contract":"2026-%s, gold, until 31 December",`+
		`"note":"Calls about deliveries to the northern dock; prefers to be called back in the morning, and wants her invoices by e-mail."}`,
		id, id[len(id)-4:], id, phone, id[len(id)-6:])
}

// Where agents are sent.
const (
	notFound    = `"url":"https://none.example.com/"`
	unreachable = `"url":"https://unreachable.example.com/"`
	found       = `"url":"https://crm.example.com/contacts/`
)

// isOf reports whether an answer opens the record of a caller: of 0612345678 that
// of 33612345678. Some of France's numbers have another country's code.
func isOf(caller, answer string) bool {
	_, id, opens := strings.Cut(answer, found)
	id, _, _ = strings.Cut(id, `"`)
	country, same := strings.CutSuffix(id, caller[1:])
	return opens && same && (country == "33" || country == "262")
}
