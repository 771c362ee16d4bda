package demo

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// ContactCount is how many contacts the demo CRM holds.
const ContactCount = 320

// seed is fixed so that a bug report, a test and a screenshot all speak of the
// same contact c-0042.
const seed = 20261122

// Contact is one person in the demo CRM, in the shape its API sends.
type Contact struct {
	ID        string `json:"id"`
	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
	Company   string `json:"company"`
	Email     string `json:"email"`
	Phone     string `json:"phone"`
	Mobile    string `json:"mobile"`
	City      string `json:"city"`
	// Area is the part of the CRM that shows the contact: the beginning of the
	// path of its page.
	Area   string `json:"area"`
	Custom Custom `json:"custom"`
}

// The areas of the demo CRM.
const (
	areaContacts = "contacts"
	// areaConfidential refuses to be framed, as most CRMs do.
	areaConfidential = "confidential"
)

// Custom holds the fields that this CRM's owner has added to the product's own.
type Custom struct {
	VIP bool `json:"vip"`
}

// FullName is the name as a person would say it.
func (c Contact) FullName() string {
	return strings.TrimSpace(c.FirstName + " " + c.LastName)
}

// Initials is what stands in the round beside the name.
func (c Contact) Initials() string {
	var initials []rune
	for _, word := range []string{c.FirstName, c.LastName} {
		if letters := []rune(word); len(letters) > 0 {
			initials = append(initials, letters[0])
		}
	}
	return strings.ToUpper(string(initials))
}

// Contacts generates the demo CRM's contacts: first the hand-written ones that
// the scenarios speak of, then a crowd. Every call returns the same ones.
func Contacts() []Contact {
	contacts := cast()
	crowd := newCrowd()
	for len(contacts) < ContactCount {
		contacts = append(contacts, crowd.next())
	}
	for i := range contacts {
		contacts[i].ID = fmt.Sprintf("c-%04d", i+1)
		if contacts[i].Area == "" {
			contacts[i].Area = areaContacts
		}
		if contacts[i].Email == "" {
			contacts[i].Email = address(contacts[i])
		}
	}
	return contacts
}

// A place is a city with the beginning of its numbers. The beginnings are the
// ranges that ARCEP keeps for fiction, so that nobody's telephone rings.
type place struct{ city, prefix string }

var places = []place{
	{"Paris", "019900"},
	{"Nantes", "026191"},
	{"Rennes", "026191"},
	{"Strasbourg", "035301"},
	{"Lille", "035301"},
	{"Lyon", "046571"},
	{"Marseille", "046571"},
	{"Bordeaux", "053649"},
	{"Toulouse", "053649"},
}

const mobilePrefix = "063998"

var firstNames = []string{
	"Adèle", "Agnès", "Alice", "Amélie", "Anaïs", "Antoine", "Bastien", "Béatrice", "Benoît", "Camille",
	"Cédric", "Céline", "Chloé", "Clément", "Damien", "Élodie", "Émile", "Étienne", "Fabien", "Florence",
	"François", "Gaëlle", "Gérard", "Hélène", "Hugo", "Inès", "Jérôme", "Joëlle", "Julien", "Léa",
	"Loïc", "Lucie", "Mathilde", "Maël", "Nadia", "Noémie", "Océane", "Olivier", "Pascal", "Quentin",
	"Raphaël", "Rémi", "Sandrine", "Sébastien", "Simon", "Théo", "Valérie", "Véronique", "Yann", "Zoé",
	"Ingrid", "Jürgen", "Søren", "Łukasz", "María", "João", "Matteo", "Chiara", "Katarína", "Niamh",
}

var lastNames = []string{
	"André", "Arnaud", "Aubert", "Barbier", "Bernard", "Besson", "Blanchard", "Bonnet", "Boucher", "Brun",
	"Caron", "Carpentier", "Chevalier", "Clément", "Colin", "Coulon", "Da Silva", "Delacroix", "Deschamps", "Dubois",
	"Dumas", "Dupont", "Durand", "Faure", "Fontaine", "Fournier", "Gaillard", "Garnier", "Gauthier", "Girard",
	"Guérin", "Hoarau", "Jacquet", "Joly", "Lacroix", "Le Goff", "Lefèvre", "Legrand", "Lemaître", "Leroux",
	"Marchand", "Martin", "Mercier", "Meunier", "Noël", "Olivier", "Perrin", "Picard", "Prévost", "Renaud",
	"Rousseau", "Schmitt", "Müller", "O'Connor", "Nowak", "García", "Ferreira", "Rossi", "Jensen", "Van den Berg",
}

var trades = []string{
	"%s & Fils", "Garage %s", "Cabinet %s", "Ateliers %s", "Transports %s", "Pharmacie %s",
	"Menuiserie %s", "%s Conseil", "Imprimerie %s", "Boulangerie %s", "%s Logistique", "Clinique %s",
}

// A crowd makes up ordinary people, one after another, and gives no number to
// two of them.
type crowd struct {
	random *rand.Rand
	made   int
	given  map[string]bool
}

func newCrowd() *crowd {
	// Not for secrets: the point of this generator is that it repeats itself.
	return &crowd{random: rand.New(rand.NewPCG(seed, seed)), given: map[string]bool{}} //nolint:gosec
}

// next makes up one more contact. The position in the crowd, not chance,
// decides which numbers the contact has and how they are written, so that
// every case occurs.
func (c *crowd) next() Contact {
	n := c.made
	c.made++
	home := c.place()
	contact := Contact{
		FirstName: c.one(firstNames),
		LastName:  c.one(lastNames),
		City:      home.city,
		Custom:    Custom{VIP: n%17 == 0},
	}
	contact.Company = fmt.Sprintf(c.one(trades), c.one(lastNames))
	landline, mobile := c.number(home.prefix), c.number(mobilePrefix)
	write := spellings[n%len(spellings)].write
	switch n % 10 {
	case 3: // reachable by e-mail only
	case 5: // only a mobile
		contact.Mobile = write(mobile)
	case 8: // two numbers squeezed into the one field
		contact.Phone = spaced(landline) + " / " + spaced(mobile)
	case 1, 4, 7: // a landline and a mobile, by two different hands
		contact.Phone = write(landline)
		contact.Mobile = spellings[(n+4)%len(spellings)].write(mobile)
	default:
		contact.Phone = write(landline)
	}
	return contact
}

func (c *crowd) place() place { return places[c.random.IntN(len(places))] }

func (c *crowd) one(of []string) string { return of[c.random.IntN(len(of))] }

// number gives a national number that nobody has yet. The first 2,000 of each
// range are left to the cast.
func (c *crowd) number(prefix string) string {
	for {
		number := fmt.Sprintf("%s%04d", prefix, 2000+c.random.IntN(8000))
		if !c.given[number] {
			c.given[number] = true
			return number
		}
	}
}

// address makes up an e-mail address under .example, which no one can own.
func address(c Contact) string {
	return slug(c.FirstName) + "." + slug(c.LastName) + "@" + slug(c.Company) + ".example"
}

var ascii = strings.NewReplacer(
	"à", "a", "á", "a", "â", "a", "ä", "ae", "ã", "a", "ç", "c", "è", "e", "é", "e", "ê", "e", "ë", "e",
	"î", "i", "ï", "i", "í", "i", "ł", "l", "ñ", "n", "ó", "o", "ô", "o", "ö", "oe", "ø", "o",
	"ß", "ss", "ù", "u", "û", "u", "ü", "ue", "&", "et",
)

// slug reduces a name to what may stand in a host name.
func slug(name string) string {
	plain := ascii.Replace(strings.ToLower(name))
	words := strings.FieldsFunc(plain, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
	return strings.Join(words, "-")
}
