package caddymodule

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Dolibarr as measured on 16.0.3.
var dolibarr = product{
	preset:   "dolibarr",
	options:  "api_key the-key",
	wrong:    [2]string{"the-key", "another-key"},
	rejected: "401 Unauthorized",
	kinds: []kind{
		{name: "contact", phones: 4, page: "$CRM/contact/card.php?id=$ID", title: "$NAME|$COMPANY|$EMAIL"},
		{name: "account", phones: 2, page: "$CRM/societe/card.php?socid=$ID", title: "$COMPANY|$COMPANY|$EMAIL"},
	},
	found: append(slices.Clone(measured), "+33 (0)1 23 45 67 89", "01 23 45 67 89 ext. 12", "01/23/45/67/89"),
	standIn: func(o *office) http.Handler {
		mux := http.NewServeMux()
		for _, table := range dolibarrTables {
			mux.HandleFunc("GET "+table.path, func(w http.ResponseWriter, r *http.Request) { table.list(o, w, r) })
		}
		mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { dolibarrError(w, http.StatusNotFound, "Not Found") })
		return mux
	},
}

// dolibarrTable is what can be listed. Its columns are named as in the
// database, and answered by the names of PHP's objects.
type dolibarrTable struct {
	path, kind, noun string
	columns, members []string
	record           func(card) map[string]any
}

var dolibarrTables = []dolibarrTable{
	{
		path: "/api/index.php/contacts", kind: "contact", noun: "Contacts",
		columns: []string{"t.phone", "t.phone_mobile", "t.phone_perso", "t.fax"},
		members: []string{"phone_pro", "phone_mobile", "phone_perso", "fax"},
		record: func(c card) map[string]any {
			return map[string]any{"name": nil, "lastname": c.Last, "firstname": c.First, "socid": "5", "socname": c.Company, "email": c.Email}
		},
	},
	{
		path: "/api/index.php/thirdparties", kind: "account", noun: "Thirdparties",
		columns: []string{"t.phone", "t.fax"},
		members: []string{"phone", "fax"},
		record: func(c card) map[string]any {
			return map[string]any{"name": c.Company, "lastname": nil, "firstname": nil, "name_alias": "", "email": c.Email}
		},
	},
}

func dolibarrError(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	reply(w, map[string]any{"error": map[string]any{"code": status, "message": message}})
}

func (d dolibarrTable) list(o *office, w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	for name := range query {
		if !slices.Contains([]string{"sqlfilters", "limit", "page", "sortfield", "sortorder"}, name) {
			o.t.Errorf("Dolibarr knows no parameter %s", name)
		}
	}
	match, understood := d.filter(query.Get("sqlfilters"))
	switch {
	case r.Header.Get("DOLAPIKEY") != "the-key":
		dolibarrError(w, http.StatusUnauthorized, "Unauthorized")
		return
	case o.is(failing):
		dolibarrError(w, http.StatusServiceUnavailable, "Service Unavailable: Error when retrieve "+d.kind+" : SELECT t.rowid FROM ...")
		return
	case !understood:
		dolibarrError(w, http.StatusServiceUnavailable, "Service Unavailable: Error when validating parameter sqlfilters -> "+query.Get("sqlfilters"))
		return
	}
	list := []any{}
	for _, c := range o.search(d.kind, match) {
		record := d.record(c)
		record["id"], record["entity"], record["array_options"] = c.ID, "1", []any{}
		for i, member := range d.members {
			record[member] = c.phone(i)
		}
		list = append(list, record)
	}
	if limit, err := strconv.Atoi(query.Get("limit")); err == nil && limit > 0 {
		list = list[:min(limit, len(list))]
	}
	if len(list) == 0 {
		dolibarrError(w, http.StatusNotFound, "Not Found: "+d.noun+" not found")
		return
	}
	reply(w, list)
}

// dolibarrCriterion is one condition, as Dolibarr recognises it.
var dolibarrCriterion = regexp.MustCompile(`^\(([^:'()]+):([^:'()]+):'([^:()']*)'\)$`)

// filter reads criteria that are joined by or; without any, everybody is listed.
func (d dolibarrTable) filter(text string) (match func(card) bool, understood bool) {
	if text == "" {
		return func(card) bool { return true }, true
	}
	matches := []func(card) bool{}
	for criterion := range strings.SplitSeq(text, " or ") {
		parts := dolibarrCriterion.FindStringSubmatch(criterion)
		if parts == nil {
			return nil, false
		}
		column := slices.Index(d.columns, parts[1])
		if column < 0 {
			return nil, false
		}
		switch parts[2] {
		case "like":
			matches = append(matches, func(c card) bool { return likeAsMySQL(parts[3], c.phone(column)) })
		case "=":
			matches = append(matches, func(c card) bool { return c.phone(column) == parts[3] })
		default:
			return nil, false
		}
	}
	return func(c card) bool {
		return slices.ContainsFunc(matches, func(match func(card) bool) bool { return match(c) })
	}, true
}

// likeAsMySQL compares a text with a pattern as LIKE does.
func likeAsMySQL(pattern, text string) bool {
	expression := strings.NewReplacer("%", ".*", "_", ".").Replace(regexp.QuoteMeta(pattern))
	return regexp.MustCompile("(?is)^" + expression + "$").MatchString(text)
}

// testAmongMany makes sure that the filter is the product's work: the record is
// behind more strangers than a page has.
func (p product) testAmongMany(t *testing.T) {
	d := p.open(t, p.options)
	for _, k := range p.kinds {
		var cards []card
		for i := range 150 {
			cards = append(cards, card{ID: strconv.Itoa(1000 + i), Last: "Olsen", Company: "Olsen SARL", Phones: []string{fmt.Sprintf("+33987654%03d", i)}})
		}
		for _, spelling := range p.found {
			rosa := card{ID: "4711", First: "Rosa", Last: "Marin", Company: "Quai Nord", Phones: []string{spelling}}
			d.office.file(k.name, append(cards, rosa)...)
			d.expect(t, fill(k.page, d.address, rosa))
		}
	}
}

func TestDolibarr(t *testing.T) {
	dolibarr.test(t)
	t.Run("one among many", dolibarr.testAmongMany)
	t.Run("a sample", dolibarr.testSample)
	t.Run("its pages", func(t *testing.T) {
		dolibarr.open(t, dolibarr.options).showsPages(t, "/contact/card.php?action=create&phone_pro=%2B33123456789", "/contact/list.php?search_phone=123456789")
	})
}

// Dolibarr 19 and later say nobody with an empty list.
func TestDolibarrFindsNobodyInAnEmptyList(t *testing.T) {
	modern := dolibarr
	modern.standIn = func(*office) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { reply(w, []any{}) })
	}
	modern.open(t, modern.options).expect(t, nonePage)
}

func TestDolibarrElsewhereIsNotNobody(t *testing.T) {
	elsewhere := dolibarr
	elsewhere.path = "/elsewhere"
	d := elsewhere.open(t, elsewhere.options)
	d.known()
	d.expect(t, unreachablePage)
	if why := d.why(); !strings.Contains(why, "404 Not Found") {
		t.Errorf("the log says %s", why)
	}
}

// What the page says of the field that newer versions added: the numbers that
// the preset looks for stay found beside it.
func TestDolibarrsMobileNumberOfAThirdPartyCanBeAdded(t *testing.T) {
	newer := dolibarrTables[1]
	newer.columns, newer.members = []string{"t.phone", "t.phone_mobile", "t.fax"}, []string{"phone", "phone_mobile", "fax"}
	modern := dolibarr
	modern.standIn = func(o *office) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { newer.list(o, w, r) })
	}
	t.Setenv("DOLIBARR_API_KEY", "the-key")
	d := openPage(t, "docs/crms/dolibarr.md", 1, modern.standIn, "https://erp.example.com", "$CRM", "lookup account {", "lookup contact off\nlookup account {")
	for field := range newer.columns {
		phones := []string{"", "", ""}
		phones[field] = "01 23 45 67 89"
		d.office.file("account", card{ID: "5", Company: "Quai Nord", Phones: phones})
		d.expect(t, d.address+"/societe/card.php?socid=5")
	}
}
