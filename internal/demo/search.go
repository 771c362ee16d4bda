package demo

import "strings"

// A directory is the demo CRM's contacts and the two ways to search them.
type directory []Contact

// byDigits returns the contacts one of whose number fields contains the digits
// of text. It is as forgiving as the search of many a real CRM: it looks at the
// digits of the field, whatever they mean, and so returns strangers too.
func (d directory) byDigits(text string) []Contact {
	wanted := digits(text)
	if wanted == "" {
		return nil
	}
	var found []Contact
	for _, contact := range d {
		if strings.Contains(digits(contact.Phone), wanted) || strings.Contains(digits(contact.Mobile), wanted) {
			found = append(found, contact)
		}
	}
	return found
}

// significantDigits is the length of a French number without its leading zero
// or country code, which people write or leave out.
const significantDigits = 9

// byText is the search box of the web pages: a number in any spelling, or a
// part of a name, a company, a city or an address. No text finds everybody.
func (d directory) byText(text string) []Contact {
	if number := digits(text); len(number) >= significantDigits {
		return d.byDigits(number[len(number)-significantDigits:])
	}
	wanted := strings.ToLower(strings.TrimSpace(text))
	var found []Contact
	for _, contact := range d {
		if strings.Contains(strings.ToLower(searchable(contact)), wanted) {
			found = append(found, contact)
		}
	}
	return found
}

// byID returns the contact with that id.
func (d directory) byID(id string) (Contact, bool) {
	for _, contact := range d {
		if contact.ID == id {
			return contact, true
		}
	}
	return Contact{}, false
}

func searchable(c Contact) string {
	return strings.Join([]string{c.FullName(), c.Company, c.City, c.Email, digits(c.Phone), digits(c.Mobile)}, " ")
}

// digits keeps what is left of a number when everything but 0 to 9 is gone.
func digits(text string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, text)
}
