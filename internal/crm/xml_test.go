package crm

import (
	"encoding/xml"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// soap asks a SOAP service.
func soap(l *Lookup) {
	l.Method, l.Query = http.MethodPost, nil
	l.Headers = []Param{{"SOAPAction", `"urn:find"`}}
	l.XML = `<?xml version="1.0"?>
<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><find><phone>{number.e164}</phone><note of="{call.userData.USR_X}">{call.userData.USR_X}</note></find></s:Body></s:Envelope>`
	l.Records, l.ID, l.RecordName = "Envelope.Body.findResponse.person", []string{"{record.-id}"}, []string{"{record.name}"}
	l.Phones = []string{"{record.phone}", "{record.phone.#text}"}
}

func envelope(body string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>` + body + `</soap:Body></soap:Envelope>`
}

func TestASOAPServiceIsAsked(t *testing.T) {
	crm := serve(t, answering(200, envelope(`<n:findResponse xmlns:n="urn:crm">
		<n:person id="7"><name>Camille &amp; Moreau</name><phone>0199000001</phone><phone>0427466347</phone></n:person>
		<n:person id="8"><name>Olsen</name><phone kind="work">04 27 46 63 47</phone></n:person>
		<n:person id="9"><name>Nobody</name><phone/></n:person>
	</n:findResponse>`), "Content-Type", "text/xml; charset=utf-8"))
	result := searchWith(t, contacts(crm.URL, soap), `a<b>"c'&d`)
	if !slices.Equal(ids(result), []string{"7", "8"}) || result.Records[0].Name != "Camille & Moreau" || result.Err != nil {
		t.Errorf("found %+v, %v", result.Records, result.Err)
	}
	got := crm.only(t)
	if got.header.Get("Content-Type") != "text/xml; charset=utf-8" || got.header.Get("SOAPAction") != `"urn:find"` || !strings.Contains(got.header.Get("Accept"), "text/xml") {
		t.Errorf("asked with %v", got.header)
	}
	var arrived struct {
		Find struct {
			Phone string `xml:"phone"`
			Note  struct {
				Of   string `xml:"of,attr"`
				Text string `xml:",chardata"`
			} `xml:"note"`
		} `xml:"Body>find"`
	}
	if err := xml.Unmarshal([]byte(got.body), &arrived); err != nil {
		t.Fatalf("%s: %v", got.body, err)
	}
	if arrived.Find.Phone != callersNumber || arrived.Find.Note.Of != `a<b>"c'&d` || arrived.Find.Note.Text != `a<b>"c'&d` {
		t.Errorf("%+v arrived", arrived)
	}
}

func TestAnXMLAnswerToAnyRequest(t *testing.T) {
	for name, headers := range map[string][]string{
		"labelled":     {"Content-Type", "application/xml"},
		"mislabelled":  {"Content-Type", "application/json"},
		"not labelled": {"Content-Type", ""},
	} {
		t.Run(name, func(t *testing.T) {
			crm := serve(t, answering(200, `<?xml version="1.0" encoding="ISO-8859-1"?><list><c><id>7</id><name>`+"Zo\xeb"+`</name><phone>0427466347</phone></c></list>`, headers...))
			if record := found(t, searched(t, contacts(crm.URL, func(l *Lookup) { l.Records = "list.c" }))); record.Name != "Zoë" || record.ID != "7" {
				t.Errorf("found %+v", record)
			}
		})
	}
}

// An empty element says neither that there is nobody nor that there is
// somebody: what it means is for the administrator to say.
func TestAnXMLAnswerWithNobodyInIt(t *testing.T) {
	for name, test := range map[string]struct {
		miss *Condition
		want string
	}{
		"is a failure":      {nil, `nothing at "list.c" (records); if that means "not found", write it as miss; if it is an error, as fail (of a session, as expired)`},
		"unless it is said": {&Condition{Expression: `body.list == ""`}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			crm := serve(t, answering(200, `<list/>`, "Content-Type", "text/xml"))
			result := searched(t, contacts(crm.URL, func(l *Lookup) { l.Records, l.Miss = "list.c", test.miss }))
			if test.want != "" {
				hears(t, failure(t, result), test.want)
			} else if result.Err != nil || len(result.Records) != 0 {
				t.Errorf("result = %+v", result)
			}
		})
	}
}

func TestASOAPFaultIsAFailureInItsOwnWords(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		fault  string
		want   string
	}{
		"version 1.1": {500, `<soap:Fault><faultcode>soap:Server</faultcode><faultstring>No such field</faultstring></soap:Fault>`, "500 Internal Server Error: No such field"},
		"version 1.2": {400, `<soap:Fault><soap:Code/><soap:Reason><soap:Text xml:lang="en">No such field</soap:Text></soap:Reason></soap:Fault>`, "400 Bad Request: No such field"},
		"in a 200":    {200, `<soap:Fault><faultstring>No such field</faultstring></soap:Fault>`, `the answer says that it failed (has(body.Envelope.Body.Fault)): No such field`},
	} {
		t.Run(name, func(t *testing.T) {
			crm := serve(t, answering(test.status, envelope(test.fault), "Content-Type", "text/xml"))
			result := searched(t, contacts(crm.URL, soap, func(l *Lookup) { l.Fail = &Condition{Expression: "has(body.Envelope.Body.Fault)"} }))
			hears(t, failure(t, result), "crm legacy: lookup contact: "+test.want)
		})
	}
}

func TestXMLThatCanNotBeReadIsAFailure(t *testing.T) {
	for name, body := range map[string]string{
		"cut off":     `<?xml version="1.0"?><list><c>`,
		"an entity":   `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><list>&e;</list>`,
		"two of them": `<?xml version="1.0"?><a/><b/>`,
		"deep":        `<?xml version="1.0"?>` + strings.Repeat("<a>", 600) + strings.Repeat("</a>", 600),
	} {
		t.Run(name, func(t *testing.T) {
			crm := serve(t, answering(200, body, "Content-Type", "text/xml"))
			hears(t, failure(t, searched(t, contacts(crm.URL))), "the answer is XML that can't be read (")
		})
	}
	t.Run("but a page is a page", func(t *testing.T) {
		crm := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, `<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"/>`)
		})
		hears(t, failure(t, searched(t, contacts(crm.URL))), "text/html, not JSON")
	})
}
