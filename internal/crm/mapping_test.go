package crm

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// mapped searches a CRM that answers with one record of the caller's.
func mapped(t *testing.T, members string, change func(*Lookup)) Record {
	t.Helper()
	body := `[{"phone":"0427466347"` + members + `}]`
	crm := serve(t, answering(200, body))
	return found(t, searched(t, contacts(crm.URL, change)))
}

func TestARecordIsMappedAsTheLookupSays(t *testing.T) {
	got := mapped(t, `,"id":7,"first":"Camille","last":"Moreau","org":{"name":"Cuisines Moreau"},"mail":["a@example.com","b@example.com"],"custom":{"vip":true,"score":12.50}`, func(l *Lookup) {
		l.RecordName = []string{"{record.first} {record.last}", "{record.org.name}"}
		l.Company = []string{"{record.org.name}"}
		l.Email = []string{"{record.mail.0}"}
		l.URL = []string{"https://crm.example.com/contacts/{record.id}?from={call.queue.name}"}
		l.Fields = []Field{{"vip", []string{"{record.custom.vip}"}}, {"score", []string{"{record.custom.score}"}}, {"none", []string{"{record.nothing}"}}}
	})
	want := Record{
		CRM: "legacy", Kind: "contact", ID: "7", Name: "Camille Moreau", Company: "Cuisines Moreau", Email: "a@example.com",
		Phones: []string{"0427466347"},
		URL:    "https://crm.example.com/contacts/7?from=sales",
		Fields: map[string]string{"vip": "true", "score": "12.5", "none": ""},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("record = %+v\nwant     %+v", got, want)
	}
}

func TestIDAndNameAreReadWhereMostCRMsHaveThem(t *testing.T) {
	if got := mapped(t, `,"id":"7","name":"Camille"`, func(*Lookup) {}); got.ID != "7" || got.Name != "Camille" || got.Company != "" || got.URL != "" || got.Fields != nil {
		t.Errorf("record = %+v", got)
	}
}

func TestOfSeveralTextsTheFirstThatIsNotBlankCounts(t *testing.T) {
	for members, want := range map[string]string{
		`,"first":"Camille","last":"Moreau"`:     "Camille Moreau",
		`,"last":"Moreau","company":"CM"`:        "Moreau", // no space in front
		`,"first":"Camille","last":null`:         "Camille",
		`,"first":"","last":"  ","company":"CM"`: "CM",
		`,"company":"  Cuisines \n\t Moreau  "`:  "Cuisines Moreau",
		`,"first":"\u0000\u202e","company":"CM"`: "CM",
		``:                                       "nobody",
	} {
		got := mapped(t, members, func(l *Lookup) {
			l.RecordName = []string{"{record.first} {record.last}", "{record.company}", "nobody"}
		})
		if got.Name != want {
			t.Errorf("%s: name = %q, want %q", members, got.Name, want)
		}
	}
}

func TestNamesHoldNothingThatReordersOrBreaksALine(t *testing.T) {
	got := mapped(t, `,"name":"Evil\u202e\u2066\u0000\r\nName\u0007<b>"`, func(*Lookup) {})
	if got.Name != "Evil Name<b>" { // pages escape for themselves
		t.Errorf("name = %q", got.Name)
	}
}

func TestAnIDIsEscapedInTheRecordsPage(t *testing.T) {
	for id, want := range map[string]string{
		`7`:              "https://crm.example.com/c/7/view#7",
		`a/b?c#d`:        "https://crm.example.com/c/a%2Fb%3Fc%23d/view#a%2Fb%3Fc%23d",
		`../x`:           "https://crm.example.com/c/..%2Fx/view#..%2Fx",
		`..`:             "", // would be another page
		`.`:              "",
		`a b+c`:          "https://crm.example.com/c/a%20b%2Bc/view#a%20b%2Bc",
		`@evil.example/`: "https://crm.example.com/c/%40evil.example%2F/view#%40evil.example%2F",
		`a\\b`:           "https://crm.example.com/c/a%5Cb/view#a%5Cb",
		`a\r\nb`:         "https://crm.example.com/c/a%0D%0Ab/view#a%0D%0Ab",
		`é`:              "https://crm.example.com/c/%C3%A9/view#%C3%A9",
	} {
		got := mapped(t, `,"id":"`+id+`"`, func(l *Lookup) {
			l.URL = []string{"https://crm.example.com/c/{record.id}/view#{record.id}"}
		})
		if got.URL != want {
			t.Errorf("id %q: url = %q, want %q", id, got.URL, want)
		}
	}
}

func TestAPageThatTheRecordNamesItself(t *testing.T) {
	for link, want := range map[string]string{
		`https://crm.example.com/c/7?tab=1#x`:       "https://crm.example.com/c/7?tab=1#x",
		` http://crm.example.com/c/7 `:              "http://crm.example.com/c/7",
		`javascript:alert(1)`:                       "",
		`JaVaScRiPt:alert(1)`:                       "",
		`java\tscript:alert(1)`:                     "",
		`javascript://crm.example.com/%0aalert(1)`:  "",
		`data:text/html,<script>alert(1)</script>`:  "",
		`vbscript:x`:                                "",
		`file:///etc/passwd`:                        "",
		`//evil.example/c`:                          "",
		`/c/7`:                                      "",
		`https:///c/7`:                              "",
		`https://user:secret@crm.example.com/c`:     "",
		`https://crm.example.com\\@evil.example/c`:  "",
		`https://crm.example.com/a b`:               "",
		`https://crm.example.com/c/../../admin`:     "",
		`https://crm.example.com/c\r\nSet-Cookie:x`: "",
		``: "",
	} {
		got := mapped(t, `,"id":"7","link":"`+link+`"`, func(l *Lookup) { l.URL = []string{"{record.link}"} })
		if got.URL != want {
			t.Errorf("link %q: url = %q, want %q", link, got.URL, want)
		}
	}
	fallback := mapped(t, `,"id":"7","link":"javascript:alert(1)"`, func(l *Lookup) {
		l.URL = []string{"{record.link}", "https://crm.example.com/c/{record.id}"}
	})
	if fallback.URL != "https://crm.example.com/c/7" {
		t.Errorf("url = %q", fallback.URL)
	}
}

func TestThePageBelowTheCRMsOwnAddress(t *testing.T) {
	crm := serve(t, answering(200, callers))
	got := found(t, searched(t, contacts(crm.URL+"/crm/", func(l *Lookup) { l.URL = []string{"{crm.url}/#Contact/view/{record.id}"} })))
	if want := crm.URL + "/crm/#Contact/view/7"; got.URL != want {
		t.Errorf("url = %q, want %q", got.URL, want)
	}
}

func TestMembersOfOddTypesAreText(t *testing.T) {
	for value, want := range map[string]string{
		`null`:                  "",
		`true`:                  "true",
		`7`:                     "7",
		`12345678901234567890`:  "12345678901234567890", // more than a float holds
		`-1.50`:                 "-1.5",
		`"  x  "`:               "x",
		`""`:                    "",
		`[]`:                    "",
		`["a","b"]`:             "", // no text, and no part of an address
		`{"a": 1}`:              "",
		`"\ud800"`:              "\ufffd",
		`"caf\u00e9"`:           "café",
		`"{number} {env.HOME}"`: "{number} {env.HOME}", // data is not a template
	} {
		got := mapped(t, `,"id":`+value+`,"name":`+value+`,"email":`+value, func(l *Lookup) {
			l.Email = []string{"{record.email}"}
			l.Fields = []Field{{"odd", []string{"{record.email}"}}}
		})
		if got.ID != want || got.Name != want || got.Email != want || got.Field("odd") != want {
			t.Errorf("%s: record = %+v, want %q", value, got, want)
		}
	}
}

func TestADeepRecordIsRead(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 200) + `"x"` + strings.Repeat("}", 200)
	got := mapped(t, `,"deep":`+deep, func(l *Lookup) {
		l.RecordName = []string{"{record.deep" + strings.Repeat(".a", 200) + "}"}
	})
	if got.Name != "x" {
		t.Errorf("name = %.100q", got.Name)
	}
}

// Odoo writes false for a field that has no value.
func TestFalseIsBlank(t *testing.T) {
	crm := serve(t, answering(200, `[{"id":7,"name":false,"company":"Moreau","phone":false,"phones":[false,"0427466347"],"vip":true}]`))
	record := found(t, searched(t, contacts(crm.URL, func(l *Lookup) {
		l.RecordName = []string{"{record.name}", "{record.company}"}
		l.Phones = []string{"{record.phone}", "{record.phones}"}
		l.Fields = []Field{{Name: "vip", Value: []string{"{record.vip}"}}}
	})))
	if record.Name != "Moreau" || !slices.Equal(record.Phones, []string{"0427466347"}) || record.Fields["vip"] != "true" {
		t.Errorf("record = %+v", record)
	}
}

func TestAPageLacksNoPart(t *testing.T) {
	for id, want := range map[string]string{
		`"7"`: "https://crm.example.com/contacts/7", `""`: "", `null`: "", `{"a":1}`: "", `"  "`: "",
	} {
		got := mapped(t, `,"id":`+id, func(l *Lookup) {
			l.URL = []string{"https://crm.example.com/#x?id={record.id}&tab={record.tab}", "https://crm.example.com/contacts/{record.id}"}
		})
		if got.URL != want {
			t.Errorf("id %s: url = %q, want %q", id, got.URL, want)
		}
	}
}
