package demo

import "slices"

// The numbers that the scenarios call from, in national form.
const (
	knownNumber       = "0427466347" // the caller of XiVO's documentation
	knownMobile       = "0639980001"
	switchboardNumber = "0353010100"
	duplicateNumber   = "0465710200"
	hostileNumber     = "0199000666"
	unknownNumber     = "0536490999" // nobody's
	strangersNumber   = "0261915501" // nobody's, but two records contain its digits
	foreignNumber     = "+493023125147"
	refusedNumber     = "0536490100" // of someone whose page may not be framed
	otherRefused      = "0536490101"
	supplierNumber    = "0353010150" // of a record without a page
)

// cast returns the hand-written contacts: each is there because some real CRM
// has such a record, and a gateway that is careless with numbers gets it wrong.
func cast() []Contact {
	return slices.Concat(known(), switchboard(), duplicates(), strangers(), foreigners(), hostile(), confidential())
}

// known is the caller whom every example speaks of.
func known() []Contact {
	return []Contact{{
		FirstName: "Camille", LastName: "Moreau", Company: "Moreau & Fils", City: "Lyon",
		Phone: "04 27 46 63 47", Mobile: "06.39.98.00.01", Custom: Custom{VIP: true},
	}}
}

// switchboard is eight people of one company behind one number, written by
// eight hands.
func switchboard() []Contact {
	people := [][2]string{
		{"Agathe", "Bellier"},
		{"Bruno", "Kessler"},
		{"Clara", "Nguyen"},
		{"Denis", "Petit"},
		{"Elsa", "Hamidi"},
		{"Franck", "Weber"},
		{"Gisèle", "Lorrain"},
		{"Henri", "Bellier"},
	}
	contacts := make([]Contact, 0, len(people))
	for i, person := range people {
		contacts = append(contacts, Contact{
			FirstName: person[0], LastName: person[1], Company: "Transports Bellier", City: "Strasbourg",
			Phone:  spellings[i].write(switchboardNumber),
			Custom: Custom{VIP: i == 0},
		})
	}
	return contacts
}

// duplicates is one person who was entered twice.
func duplicates() []Contact {
	return []Contact{
		{
			FirstName: "Hélène", LastName: "Fabre", Company: "Fabre Conseil", City: "Marseille",
			Phone: "04 65 71 02 00", Email: "helene.fabre@fabre-conseil.example",
		},
		{
			FirstName: "Helene", LastName: "FABRE", Company: "FABRE CONSEIL SARL", City: "MARSEILLE",
			Phone: "+33465710200", Email: "helene.fabre@fabre-conseil.example",
		},
	}
}

// strangers have numbers that contain another number's digits without being
// that number: an extension that was written on, and Swiss numbers that differ
// from a French one by the country code alone.
func strangers() []Contact {
	return []Contact{
		{
			FirstName: "Victor", LastName: "Lambert", Company: "Ateliers Lambert", City: "Paris",
			Phone: "01 99 00 42 74 poste 66347", // ...427466347
		},
		{
			FirstName: "Beat", LastName: "Zbinden", Company: "Zbinden Treuhand AG", City: "Fribourg",
			Phone: "+41 26 191 55 01", // ...261915501
		},
		{
			FirstName: "Odile", LastName: "Carrel", Company: "Cabinet Carrel", City: "Nantes",
			Phone: "06 39 98 26 19 poste 15501", // ...261915501
		},
		{
			FirstName: "Sophie", LastName: "Aebischer", Company: "Aebischer SA", City: "Fribourg",
			Phone: "0041 26 191 02 10",
		},
		{
			FirstName: "Tanguy", LastName: "Le Bihan", Company: "Le Bihan Marine", City: "Nantes",
			Phone: "02 61 91 02 10",
		},
	}
}

// foreigners are numbers from abroad. The German and the British ones come
// from the ranges that their regulators keep for fiction.
func foreigners() []Contact {
	return []Contact{
		{FirstName: "Jürgen", LastName: "Weiß", Company: "Weiß Maschinenbau GmbH", City: "Berlin", Phone: "+49 30/23125147"},
		{FirstName: "Katrin", LastName: "Vogel", Company: "Vogel & Söhne KG", City: "Berlin", Phone: "+49 (0)30 / 23125 148"},
		{FirstName: "Uwe", LastName: "Kramer", Company: "Kramer Spedition", City: "Köln", Phone: "0049 221 4710123", Mobile: "+49 (0)171-3920012"},
		{FirstName: "Lotte", LastName: "Peeters", Company: "Peeters Logistiek NV", City: "Antwerpen", Phone: "+32 3 290 00 12"},
		{FirstName: "Marc", LastName: "Dewaele", Company: "Dewaele SPRL", City: "Bruxelles", Phone: "0032 (0)2 290 00 34"},
		{FirstName: "Oliver", LastName: "Grant", Company: "Grant & Sons Ltd", City: "London", Phone: "+44 (0)20 7946 0018"},
		{FirstName: "Priya", LastName: "Shah", Company: "Shah Imports Ltd", City: "Leicester", Phone: "+44 116 496 0042", Mobile: "+44 7700 900042"},
	}
}

// hostile is a record whose text tries to become a program, in the CRM's page,
// in the pane's title and in the arguments of a program that is run.
func hostile() []Contact {
	return []Contact{{
		FirstName: `<img src=x onerror=alert(1)>`, LastName: `O'Brien"; calc.exe & rem`,
		Company: `"><script>alert('pop')</script>`, City: "Paris",
		Email: "security@hostile.example", Phone: spaced(hostileNumber),
	}}
}

// confidential are people whose pages refuse to be framed.
func confidential() []Contact {
	return []Contact{
		{
			FirstName: "Solène", LastName: "Kerbrat", Company: "Notaires Kerbrat", City: "Bordeaux",
			Phone: spaced(refusedNumber), Area: areaConfidential,
		},
		{
			FirstName: "Yann", LastName: "Kerbrat", Company: "Notaires Kerbrat", City: "Bordeaux",
			Phone: spaced(otherRefused), Area: areaConfidential,
		},
	}
}
