package caddymodule

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// soapRequest is what the service of docs/crms/soap.md reads.
type soapRequest struct {
	XMLName xml.Name `xml:"http://schemas.xmlsoap.org/soap/envelope/ Envelope"`
	Header  struct {
		Security struct {
			MustUnderstand string `xml:"http://schemas.xmlsoap.org/soap/envelope/ mustUnderstand,attr"`
			User           string `xml:"UsernameToken>Username"`
			Password       string `xml:"UsernameToken>Password"`
		} `xml:"http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd Security"`
	} `xml:"http://schemas.xmlsoap.org/soap/envelope/ Header"`
	Body struct {
		Find struct {
			Phones []string `xml:"urn:erp:customers Phone"`
			Most   int      `xml:"urn:erp:customers MaxResults"`
		} `xml:"urn:erp:customers FindCustomers"`
	} `xml:"http://schemas.xmlsoap.org/soap/envelope/ Body"`
}

// soapStandIn answers with the status for a fault that it is given.
func soapStandIn(fault int) func(*office) http.Handler {
	return func(o *office) http.Handler {
		mux := http.NewServeMux()
		mux.HandleFunc("POST /services/CustomerService", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/xml; charset=utf-8")
			request, err := readSOAP(r)
			switch {
			case err != nil:
				soapFault(w, fault, "s:Client", err.Error())
			case request.Header.Security.User != "gateway" || request.Header.Security.Password != soapPassword:
				soapFault(w, fault, "wsse:FailedAuthentication", "The security token could not be authenticated")
			case o.is(failing):
				soapFault(w, fault, "s:Server", "Database is away.")
			default:
				soapAnswer(w, o.search("customer", func(c card) bool {
					return slices.ContainsFunc(c.Phones, func(number string) bool { return slices.Contains(request.Body.Find.Phones, number) })
				}))
			}
		})
		return mux
	}
}

func readSOAP(r *http.Request) (request soapRequest, err error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return request, err
	}
	if err := xml.Unmarshal(body, &request); err != nil {
		return request, err
	}
	switch {
	case r.Header.Get("Content-Type") != "text/xml; charset=utf-8", r.Header.Get("SOAPAction") != `"urn:erp:customers#FindCustomers"`:
		err = fmt.Errorf("unknown action %s of %s", r.Header.Get("SOAPAction"), r.Header.Get("Content-Type"))
	case request.Header.Security.MustUnderstand != "1", len(request.Body.Find.Phones) == 0, request.Body.Find.Most != 20:
		err = fmt.Errorf("incomplete: %+v", request)
	}
	return request, err
}

func soapFault(w http.ResponseWriter, status int, code, reason string) {
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault>`+
		`<faultcode>%s</faultcode><faultstring>%s</faultstring></s:Fault></s:Body></s:Envelope>`, code, xmlText(reason))
}

func soapAnswer(w io.Writer, cards []card) {
	var customers strings.Builder
	for _, c := range cards {
		fmt.Fprintf(&customers, `<Customer id="%s"><Name>%s</Name><Company><Name>%s</Name><Phone/></Company><Email>%s</Email>`, c.ID, xmlText(c.First+" "+c.Last), xmlText(c.Company), c.Email)
		for _, number := range c.Phones {
			fmt.Fprintf(&customers, "<Phone>%s</Phone>", number)
		}
		customers.WriteString("</Customer>")
	}
	fmt.Fprintf(w, `<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>`+
		`<FindCustomersResponse xmlns="urn:erp:customers"><Customers>%s</Customers></FindCustomersResponse></s:Body></s:Envelope>`, customers.String())
}

func xmlText(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a builder takes everything
	return b.String()
}

func openSOAP(t *testing.T, fault int, password string) *desk {
	t.Helper()
	t.Setenv("ERP_USER", "gateway")
	t.Setenv("ERP_PASSWORD", password)
	return openPage(t, "docs/crms/soap.md", 0, soapStandIn(fault), "https://erp.example.com", "$CRM")
}

const soapPassword = `a<b&"c"`

func TestTheSOAPServiceOfTheDocumentsIsAsked(t *testing.T) {
	d := openSOAP(t, http.StatusInternalServerError, soapPassword)
	rosa := card{ID: "4711", First: "Rosa", Last: "Marin & Co", Company: "Quai <Nord>", Email: "rosa@example.org"}
	page := d.address + "/customers/4711"
	for _, phones := range [][]string{{"01 23 45 67 89"}, {"+33123456789", "+33612345678"}, {"+33612345678", "0123456789"}} {
		rosa.Phones = phones
		d.office.file("customer", card{ID: "4712", Last: "Olsen", Phones: []string{"+33987654321"}}, rosa)
		d.expect(t, page)
	}
	if title := d.ring(knownCaller).field("title"); title != "Rosa Marin & Co, Quai <Nord>" {
		t.Errorf("the title is %q", title)
	}
	d.office.file("customer")
	d.expect(t, nonePage)
	rosa.Phones = []string{"+33987654321"}
	d.office.file("customer", rosa)
	d.expect(t, nonePage)
	d.office.become(careless)
	d.expect(t, nonePage)
}

func TestASOAPFaultIsAFailure(t *testing.T) {
	for _, status := range []int{http.StatusOK, http.StatusInternalServerError} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			d := openSOAP(t, status, soapPassword)
			d.office.file("customer", card{ID: "4711", Last: "Marin", Phones: []string{"+33123456789"}})
			d.expect(t, d.address+"/customers/4711")
			d.office.become(failing)
			d.expect(t, unreachablePage)
			if why := d.why(); !strings.Contains(why, "Database is away.") {
				t.Errorf("the log says %s", why)
			}
		})
		t.Run(fmt.Sprint(status, " for wrong credentials"), func(t *testing.T) {
			d := openSOAP(t, status, "an&other")
			d.office.file("customer", card{ID: "4711", Last: "Marin", Phones: []string{"+33123456789"}})
			d.expect(t, unreachablePage)
			if why := d.why(); !strings.Contains(why, "could not be authenticated") {
				t.Errorf("the log says %s", why)
			}
			if log := d.log(); strings.Contains(log, "an&other") || strings.Contains(log, "an&amp;other") {
				t.Error("the log repeats the password")
			}
		})
	}
}
