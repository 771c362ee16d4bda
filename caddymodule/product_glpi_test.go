package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// GLPI as its API's source and apirest.md have it: numeric search options,
// a session, no "data" where nothing was found, 206 for a part of the matches,
// errors as a list of a code and words.
var glpi = product{
	preset:   "glpi",
	options:  "app_token the-app\nuser_token the-user",
	wrong:    [2]string{"the-user", "another-user"},
	rejected: "parameter user_token seems invalid",
	sessions: true,
	kinds: []kind{
		{name: "user", phones: 3, page: "$CRM/front/user.form.php?id=$ID", title: "$NAME|$COMPANY|$EMAIL"},
		{name: "contact", phones: 4, page: "$CRM/front/contact.form.php?id=$ID", title: "$NAME|$COMPANY|$EMAIL"},
		{name: "supplier", phones: 2, page: "$CRM/front/supplier.form.php?id=$ID", title: "$COMPANY|$COMPANY|$EMAIL"},
	},
	standIn: func(o *office) http.Handler {
		mux := http.NewServeMux()
		mux.HandleFunc("GET /apirest.php/initSession", func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Header.Get("App-Token") != "the-app":
				glpiError(w, http.StatusBadRequest, "ERROR_WRONG_APP_TOKEN_PARAMETER", "parameter app_token seems wrong")
			case r.Header.Get("Authorization") != "user_token the-user":
				glpiError(w, http.StatusUnauthorized, "ERROR_GLPI_LOGIN_USER_TOKEN", "parameter user_token seems invalid")
			default:
				reply(w, map[string]any{"session_token": o.login()})
			}
		})
		mux.HandleFunc("GET /apirest.php/search/{type}", func(w http.ResponseWriter, r *http.Request) {
			kind, known := glpiKinds[r.PathValue("type")]
			switch {
			case r.Header.Get("App-Token") != "the-app":
				glpiError(w, http.StatusBadRequest, "ERROR_WRONG_APP_TOKEN_PARAMETER", "parameter app_token seems wrong")
			case !o.admits(r.Header.Get("Session-Token")):
				glpiError(w, http.StatusUnauthorized, "ERROR_SESSION_TOKEN_INVALID", "session_token seems invalid")
			case r.Header.Get("Content-Type") != "application/json":
				glpiError(w, http.StatusBadRequest, "ERROR", "the content type should always be given")
			case o.is(failing):
				glpiError(w, http.StatusInternalServerError, "ERROR_SQL", "An internal error occurred while trying to fetch the data.")
			case r.PathValue("type") == "Ticket":
				glpiAnswer(w, r, []map[string]any{
					{"1": "Printer &#38; fax on fire", "2": 815, "4": "4711", "12": "notold"},
					{"1": "No coffee", "2": 814, "4": "4711", "12": "notold"},
					{"1": "Long ago", "2": 3, "4": "4711", "12": "old"},
					{"1": "Another's", "2": 816, "4": "4712", "12": "notold"},
				})
			case !known:
				glpiError(w, http.StatusBadRequest, "ERROR_RESOURCE_NOT_FOUND_NOR_COMMONDBTM", "resource not found or not an instance of CommonDBTM")
			default:
				var rows []map[string]any
				for _, c := range o.all(kind) {
					rows = append(rows, glpiRow(kind, c))
				}
				if o.is(careless) {
					r.URL.RawQuery = glpiWithoutCriteria(r.URL.Query())
				}
				glpiAnswer(w, r, rows)
			}
		})
		return mux
	},
}

var glpiKinds = map[string]string{"User": "user", "Contact": "contact", "Supplier": "supplier"}

// glpiRow is a card by the search options of its type. What can have several
// values is a list where it has.
func glpiRow(kind string, c card) map[string]any {
	row := map[string]any{"2": json.Number(c.ID)}
	var phones []string
	switch kind {
	case "user":
		row["1"], row["9"], row["34"], row["5"], row["80"] = "login", c.First, c.Last, []string{c.Email, "second@example.org"}, "Root entity &#62; "+c.Company
		phones = []string{"6", "10", "11"}
	case "contact":
		row["1"], row["11"], row["6"], row["8"], row["80"] = c.Last, c.First, c.Email, c.Company, "Root entity"
		if several := strings.Split(c.Company, "$$"); len(several) > 1 {
			row["8"] = several
		}
		phones = []string{"3", "4", "10", "5"}
	case "supplier":
		row["1"], row["6"], row["80"] = c.Company, c.Email, "Root entity"
		phones = []string{"5", "10"}
	}
	for i, option := range phones {
		row[option] = nil
		if c.phone(i) != "" {
			row[option] = c.phone(i)
		}
	}
	return row
}

// glpiCriterion is one of a search's conditions.
type glpiCriterion struct{ link, field, searchtype, value string }

var glpiParameter = regexp.MustCompile(`^criteria\[(\d+)\]\[(link|field|searchtype|value)\]$`)

// glpiCriteria reads the conditions of a request, in order.
func glpiCriteria(query url.Values) []glpiCriterion {
	criteria := make([]glpiCriterion, 20)
	used := 0
	for name, values := range query {
		match := glpiParameter.FindStringSubmatch(name)
		if match == nil {
			continue
		}
		at, _ := strconv.Atoi(match[1])
		used = max(used, at+1)
		*map[string]*string{
			"link": &criteria[at].link, "field": &criteria[at].field, "searchtype": &criteria[at].searchtype, "value": &criteria[at].value,
		}[match[2]] = values[0]
	}
	return criteria[:used]
}

func glpiWithoutCriteria(query url.Values) string {
	for name := range query {
		if glpiParameter.MatchString(name) {
			query.Del(name)
		}
	}
	return query.Encode()
}

// glpiAnswer selects rows, and the columns that the request wants.
func glpiAnswer(w http.ResponseWriter, r *http.Request, rows []map[string]any) {
	query := r.URL.Query()
	criteria := glpiCriteria(query)
	for i, c := range criteria {
		switch {
		case c.field == "" || c.searchtype == "" || c.value == "":
			glpiError(w, http.StatusBadRequest, "ERROR", "Malformed search criteria")
			return
		case c.searchtype != "contains" && c.searchtype != "equals", i > 0 && c.link != "OR" && c.link != "AND":
			glpiError(w, http.StatusBadRequest, "ERROR", "Bad search type or link")
			return
		case len(rows) > 0 && !slices.ContainsFunc(rows, func(row map[string]any) bool { _, has := row[c.field]; return has }):
			glpiError(w, http.StatusBadRequest, "ERROR", "Bad field ID in search criteria")
			return
		}
	}
	var first, last int
	if _, err := fmt.Sscanf(query.Get("range"), "%d-%d", &first, &last); err != nil {
		glpiError(w, http.StatusBadRequest, "ERROR", "range must be in format : [start-end] with integers")
		return
	}
	shown := []string{"1", "80"}
	for name, values := range query {
		if strings.HasPrefix(name, "forcedisplay[") {
			shown = append(shown, values[0])
		}
	}
	var data []map[string]any
	for _, row := range rows {
		if !glpiSelects(criteria, row) {
			continue
		}
		cells := map[string]any{}
		for _, option := range shown {
			if value, has := row[option]; has {
				cells[option] = value
			}
		}
		data = append(data, cells)
	}
	total := len(data)
	answer := map[string]any{"totalcount": total, "count": total, "sort": []int{1}, "order": []string{"ASC"}, "content-range": fmt.Sprintf("%d-%d/%d", first, min(last, total-1), total)}
	if total > last-first+1 {
		data = data[first : last+1]
		answer["count"] = len(data)
		w.WriteHeader(http.StatusPartialContent)
	}
	if total > 0 {
		answer["data"] = data
	}
	reply(w, answer)
}

// glpiSelects evaluates conditions as the SQL that GLPI makes of them.
func glpiSelects(criteria []glpiCriterion, row map[string]any) bool {
	selected := len(criteria) == 0
	for i, c := range criteria {
		text := ""
		if value := row[c.field]; value != nil {
			text = fmt.Sprint(value)
		}
		holds := text == c.value
		if c.searchtype == "contains" {
			pattern := "%" + c.value
			if anchored, ok := strings.CutPrefix(c.value, "^"); ok {
				pattern = anchored
			}
			if anchored, ok := strings.CutSuffix(pattern, "$"); ok {
				pattern = anchored
			} else {
				pattern += "%"
			}
			holds = text != "" && percentPattern(pattern).MatchString(text)
		}
		switch {
		case i == 0:
			selected = holds
		case c.link == "OR":
			selected = selected || holds
		default:
			selected = selected && holds
		}
	}
	return selected
}

// percentPattern is the pattern of SQL's LIKE, in which % is any text.
func percentPattern(like string) *regexp.Regexp {
	return regexp.MustCompile("(?is)^" + strings.ReplaceAll(regexp.QuoteMeta(like), "%", ".*") + "$")
}

func glpiError(w http.ResponseWriter, status int, code, words string) {
	w.WriteHeader(status)
	reply(w, []string{code, words})
}

func TestGLPI(t *testing.T) { glpi.test(t) }

// showing is the product with a title that has more of a record than the test
// of every product looks at.
func (p product) showing(t *testing.T, title string) *desk {
	t.Helper()
	d := p.open(t, p.options)
	d.gateway = serve(t, indent(`screen_pop {
	origins `+agentOrigin+`
	region FR
	deadline 20s
	cache off
	crm `+p.preset+` `+d.address+p.path+` {
		`+strings.ReplaceAll(strings.ReplaceAll(p.options, "$CRM", d.address), "\n", "\n\t\t")+`
	}
	on one popup {contact.url} {
		title "`+title+`"
	}
	on many popup `+manyPage+`
	on none popup {crm.search_url} {
		title {crm.create_url}
	}
	on unreachable popup `+unreachablePage+`
}`))
	return d
}

// wantTitle lets the caller call and checks what is shown.
func (d *desk) wantTitle(t *testing.T, want string) {
	t.Helper()
	got := d.ring(knownCaller)
	if title := got.field("title"); title != want {
		t.Errorf("the title is %q, want %q\nanswered %s\n%s\nthe CRM was asked: %s", title, want, got.body, d.why(), strings.Join(d.office.takeRequests(), "\n"))
	}
}

func TestGLPIShowsTheOpenTicketsOfAUser(t *testing.T) {
	d := glpi.showing(t, "{contact.name}: {contact.tickets} open, {contact.ticket} {contact.ticket_title} {contact.ticket_url}")
	d.office.file("user", card{ID: "4711", First: "Rosa", Last: "Marin", Phones: []string{"01 23 45 67 89"}})
	d.wantTitle(t, "Rosa Marin: 2 open, 815 Printer & fax on fire "+d.address+"/front/ticket.form.php?id=815")
	d.office.file("user", card{ID: "4713", First: "Ole", Last: "Olsen", Phones: []string{"01 23 45 67 89"}})
	d.wantTitle(t, "Ole Olsen: 0 open,")
}

func TestGLPIReadsWhatHasSeveralValues(t *testing.T) {
	d := glpi.showing(t, "{contact.name} of {contact.company}")
	d.office.file("contact", card{ID: "4711", First: "Rosa", Last: "Marin", Company: "Quai &#38; Nord$$Rade Sud", Phones: []string{"01 23 45 67 89"}})
	d.wantTitle(t, "Rosa Marin of Quai & Nord")
}

func TestGLPISearchesUsersByAddressAsTheLookupDoes(t *testing.T) {
	d := glpi.showing(t, "")
	d.office.file("user")
	opened, err := url.Parse(d.rings())
	if err != nil || opened.Path != "/front/user.php" {
		t.Fatalf("opened %s, %v", opened, err)
	}
	criteria := glpiCriteria(opened.Query())
	for _, field := range []string{"6", "10", "11"} {
		if !glpiSelects(criteria, map[string]any{field: "(01) 23-45-67-89"}) {
			t.Errorf("%s does not search the field %s", opened, field)
		}
	}
	if glpiSelects(criteria, map[string]any{"6": "0123456780"}) {
		t.Errorf("%s finds another number", opened)
	}
}

func TestGLPIAWrongApplicationTokenIsSaid(t *testing.T) {
	p := glpi
	p.found = measured
	p.wrong, p.rejected = [2]string{"the-app", "another-app"}, "parameter app_token seems wrong"
	p.testWrongCredential(t)
}
