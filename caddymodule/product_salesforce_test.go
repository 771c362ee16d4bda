package caddymodule

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// Salesforce as its documentation has it; that the search knows whole numbers
// as digits, however they were written, is what its users say.
var salesforce = product{
	preset:   "salesforce",
	options:  "client_id the-app\nclient_secret the-secret",
	wrong:    [2]string{"the-secret", "another-secret"},
	rejected: "invalid_client",
	sessions: true,
	kinds: []kind{
		{name: "contact", phones: 6, page: "$CRM/lightning/r/Contact/$ID/view", title: "$NAME|$COMPANY|$EMAIL"},
		{name: "account", phones: 2, page: "$CRM/lightning/r/Account/$ID/view", title: "$NAME|$NAME|"},
		{name: "lead", phones: 3, page: "$CRM/lightning/r/Lead/$ID/view", title: "$NAME|$COMPANY|$EMAIL"},
	},
	found: append([]string{"+33 (0)1 23 45 67 89", "+33 1 23 45 67 89 ext. 12"}, measured...),
	standIn: func(o *office) http.Handler {
		return salesforceStandIn(o, func(r *http.Request) bool {
			return r.PostFormValue("grant_type") == "client_credentials" && r.PostFormValue("client_id") == "the-app" && r.PostFormValue("client_secret") == "the-secret"
		})
	},
}

// salesforceObjects are the objects with their fields, those for numbers apart.
var salesforceObjects = map[string]struct {
	kind   string
	names  map[string]string
	phones []string
}{
	"Contact": {
		"contact",
		map[string]string{"Id": "id", "Name": "name", "Email": "email", "Account.Name": "company"},
		[]string{"Phone", "MobilePhone", "HomePhone", "OtherPhone", "AssistantPhone", "Fax"},
	},
	"Account": {"account", map[string]string{"Id": "id", "Name": "name"}, []string{"Phone", "Fax"}},
	"Lead": {
		"lead",
		map[string]string{"Id": "id", "Name": "name", "Email": "email", "Company": "company", "IsConverted": "converted"},
		[]string{"Phone", "MobilePhone", "Fax"},
	},
}

var (
	soslQuery = regexp.MustCompile(`^FIND \{([^{}]+)\} IN PHONE FIELDS RETURNING (\w+)\(([\w., ]+?)(?: WHERE (.+?))?(?: LIMIT (\d+))?\)$`)
	soqlQuery = regexp.MustCompile(`^SELECT ([\w., ]+?) FROM (\w+)(?: WHERE (.+?))?(?: ORDER BY \w+(?: DESC)?)?(?: LIMIT (\d+))?$`)
)

// salesforceStandIn lets in whom the token request says; its API is elsewhere,
// as the token answer tells.
func salesforceStandIn(o *office, admits func(*http.Request) bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /services/oauth2/token", func(w http.ResponseWriter, r *http.Request) {
		if !admits(r) {
			w.WriteHeader(http.StatusBadRequest)
			reply(w, map[string]any{"error": "invalid_client", "error_description": "invalid client credentials"})
			return
		}
		reply(w, map[string]any{
			"access_token": o.login(), "instance_url": "http://" + r.Host + "/instance", "token_type": "Bearer", "signature": "c2ln", "issued_at": "1784000000000",
		})
	})
	guarded := func(answer func(query string) (any, error)) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
			if !o.admits(token) {
				salesforceError(w, http.StatusUnauthorized, "INVALID_SESSION_ID", "Session expired or invalid")
				return
			}
			if o.is(failing) {
				salesforceError(w, http.StatusForbidden, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
				return
			}
			for name := range r.URL.Query() {
				if name != "q" {
					salesforceError(w, http.StatusBadRequest, "INVALID_REQUEST_PARAMETER", "unknown parameter "+name)
					return
				}
			}
			found, err := answer(r.URL.Query().Get("q"))
			if err != nil {
				salesforceError(w, http.StatusBadRequest, "MALFORMED_QUERY", err.Error())
				return
			}
			reply(w, found)
		}
	}
	mux.HandleFunc("GET /instance/services/data/v62.0/search", guarded(func(query string) (any, error) {
		read := soslQuery.FindStringSubmatch(query)
		if read == nil {
			return nil, fmt.Errorf("not SOSL: %s", query)
		}
		terms := strings.Split(read[1], " OR ")
		for _, term := range terms {
			if digits(term) != term || len(term) < 2 {
				return nil, fmt.Errorf("the term %q has characters that must be escaped", term)
			}
		}
		records, err := salesforceRecords(o, read[2], read[3], read[4], read[5], func(c card) bool {
			return slices.ContainsFunc(c.Phones, func(number string) bool { return slices.Contains(terms, digits(number)) })
		})
		return map[string]any{"searchRecords": records}, err
	}))
	mux.HandleFunc("GET /instance/services/data/v62.0/query", guarded(func(query string) (any, error) {
		read := soqlQuery.FindStringSubmatch(query)
		switch {
		case read == nil:
			return nil, fmt.Errorf("not SOQL: %s", query)
		case read[2] == "Case":
			return salesforceCases(read[1], read[3])
		}
		records, err := salesforceRecords(o, read[2], read[1], read[3], read[4], func(card) bool { return true })
		return map[string]any{"totalSize": len(records), "done": true, "records": records}, err
	}))
	return mux
}

func salesforceError(w http.ResponseWriter, status int, code, message string) {
	w.WriteHeader(status)
	reply(w, []any{map[string]any{"message": message, "errorCode": code}})
}

// salesforceRecords are those of an object that match a query's parts.
func salesforceRecords(o *office, object, selected, where, limit string, match func(card) bool) ([]any, error) {
	known, there := salesforceObjects[object]
	if !there {
		return nil, fmt.Errorf("sObject type '%s' is not supported", object)
	}
	test := func(map[string]string) bool { return true }
	if where != "" {
		fields := known.phones
		for name := range known.names {
			fields = append(fields, name)
		}
		var err error
		if test, err = soqlConditions.parse(where, fields); err != nil {
			return nil, err
		}
	}
	read := func(c card) map[string]string {
		fields := saasFields(c, known.names, known.phones)
		if _, ok := fields["IsConverted"]; ok {
			fields["IsConverted"] = strconv.FormatBool(c.Last == "Converted")
		}
		return fields
	}
	records := []any{}
	for _, c := range o.search(known.kind, func(c card) bool { return match(c) && test(read(c)) }) {
		record, err := saasSelect(read(c), strings.Split(selected, ","))
		if err != nil {
			return nil, err
		}
		record["attributes"] = map[string]any{"type": object, "url": "/services/data/v62.0/sobjects/" + object + "/" + c.ID}
		if company, ok := record["Account.Name"]; ok {
			delete(record, "Account.Name")
			record["Account"] = nil
			if company != nil {
				record["Account"] = map[string]any{"attributes": map[string]any{"type": "Account"}, "Name": company}
			}
		}
		records = append(records, record)
	}
	if most, err := strconv.Atoi(limit); err != nil || most < 1 {
		return nil, fmt.Errorf("the limit %q would return thousands", limit)
	}
	return records, nil
}

// salesforceCases has one open case of Rosa Marin's.
func salesforceCases(selected, where string) (any, error) {
	fields := map[string]string{"Id": "500A", "CaseNumber": "00001026", "Subject": "Broken", "ContactId": "4711", "IsClosed": "false"}
	test, err := soqlConditions.parse(where, []string{"ContactId", "IsClosed"})
	if err != nil {
		return nil, err
	}
	record, err := saasSelect(fields, strings.Split(selected, ","))
	records := []any{}
	if test(fields) {
		records = append(records, record)
	}
	return map[string]any{"totalSize": len(records), "done": true, "records": records}, err
}

func TestSalesforce(t *testing.T) { salesforce.test(t) }

func TestSalesforceFindsByItsFirstSearch(t *testing.T) {
	salesforce.testFirst(t, measured, []string{"+33 (0)1 23 45 67 89"})
}

func TestSalesforceListsSomeRecords(t *testing.T) { salesforce.testSample(t) }

func TestSalesforceLeavesConvertedLeadsOut(t *testing.T) {
	d := salesforce.open(t, salesforce.options)
	d.office.file("lead", card{ID: "4711", Last: "Converted", Phones: []string{"+33123456789"}})
	d.expect(t, nonePage)
	d.office.file("lead", card{ID: "4711", Last: "Open", Phones: []string{"+33123456789"}})
	d.expect(t, d.address+"/lightning/r/Lead/4711/view")
}

func TestSalesforceIsAskedWithAnAssertion(t *testing.T) {
	file := privateKeyFile(t)
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(content)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("SALESFORCE_CLIENT_ID", "the-app")
	d := openPage(t, "docs/crms/salesforce.md", 1, func(o *office) http.Handler {
		return salesforceStandIn(o, func(r *http.Request) bool {
			return r.PostFormValue("grant_type") == "urn:ietf:params:oauth:grant-type:jwt-bearer" && !r.PostForm.Has("client_secret") &&
				isSalesforceAssertion(t, r.PostFormValue("assertion"), key)
		})
	}, "https://mycompany.my.salesforce.com", "$CRM", "/run/secrets/salesforce_key", file)
	d.office.file("contact", card{ID: "4711", Last: "Marin", Phones: []string{"+33123456789"}})
	d.expect(t, d.address+"/lightning/r/Contact/4711/view")
}

// isSalesforceAssertion checks what Salesforce checks: who asks for whom, and
// where.
func isSalesforceAssertion(t *testing.T, assertion string, key any) bool {
	t.Helper()
	signer, ok := key.(crypto.Signer)
	if !ok {
		t.Fatalf("the key is a %T", key)
	}
	_, err := jwt.ParseWithClaims(assertion, &jwt.RegisteredClaims{}, func(*jwt.Token) (any, error) { return signer.Public(), nil },
		jwt.WithValidMethods([]string{"RS256"}), jwt.WithIssuer("the-app"), jwt.WithSubject("screenpop@example.com"),
		jwt.WithAudience("https://login.salesforce.com"), jwt.WithExpirationRequired())
	if err != nil {
		t.Errorf("the assertion: %v", err)
	}
	return err == nil
}

func TestSalesforceTellsAnOpenCase(t *testing.T) {
	t.Setenv("SALESFORCE_CLIENT_ID", "the-app")
	t.Setenv("SALESFORCE_CLIENT_SECRET", "the-secret")
	d := openPage(t, "docs/crms/salesforce.md", 2, salesforce.standIn, "https://mycompany.my.salesforce.com", "$CRM")
	d.office.file("contact", card{ID: "4711", First: "Rosa", Last: "Marin", Phones: []string{"+33123456789"}})
	if title := d.ring(knownCaller).field("title"); title != "Rosa Marin, case 00001026" {
		t.Errorf("the title is %q: %s", title, d.why())
	}
	d.office.file("contact", card{ID: "4712", First: "Ole", Last: "Olsen", Phones: []string{"+33123456789"}})
	if title := d.ring(knownCaller).field("title"); title != "Ole Olsen, case" {
		t.Errorf("the title is %q: %s", title, d.why())
	}
}
