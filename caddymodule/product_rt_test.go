package caddymodule

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Request Tracker as measured on 5.0.3, with its telephone numbers made public.
var requestTracker = product{
	preset:   "rt",
	path:     "/rt",
	options:  "token the-token",
	wrong:    [2]string{"the-token", "another-token"},
	rejected: "401 Unauthorized",
	kinds:    []kind{{name: "person", phones: len(rtPhones), page: "$CRM/rt/User/Summary.html?id=$ID", title: "$NAME|$COMPANY|$EMAIL"}},
	found:    slices.Concat(measured, []string{"+33 (0)1 23 45 67 89", "+33 1 23 45 67 89 ext. 12", "01/23/45/67/89", "Tel. 01-23 45 67 89"}),
	standIn:  func(o *office) http.Handler { return rtWith(o, slices.Concat(rtPublic, rtPhones), rtPhones) },
}

var (
	rtPhones = []string{"WorkPhone", "MobilePhone", "HomePhone", "PagerPhone"}
	rtPublic = []string{"Name", "RealName", "EmailAddress"}
)

// rtWith is an RT that lets the gateway search these fields and read these
// numbers.
func rtWith(o *office, searchable, readable []string) http.Handler {
	mux := http.NewServeMux()
	guarded := func(path string, serve http.HandlerFunc) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Header.Get("Authorization") != "token the-token":
				replyRT(w, http.StatusUnauthorized, map[string]any{"message": "Unauthorized"})
			case o.is(failing):
				replyRT(w, http.StatusInternalServerError, map[string]any{"message": "The database is away."})
			default:
				serve(w, r)
			}
		})
	}
	guarded("POST /rt/REST/2.0/users", func(w http.ResponseWriter, r *http.Request) {
		var conditions []rtCondition
		if err := json.NewDecoder(r.Body).Decode(&conditions); err != nil {
			replyRT(w, http.StatusBadRequest, map[string]any{"message": "JSON object must be a ARRAY"})
			return
		}
		conditions = slices.DeleteFunc(conditions, func(c rtCondition) bool { return !slices.Contains(searchable, c.Field) })
		var users []map[string]any
		for _, user := range rtUsers(o) {
			if rtMatches(user, conditions) {
				users = append(users, user)
			}
		}
		replyRTPage(w, r, users, func(user map[string]any, field string) any {
			if slices.Contains(rtPhones, field) && !slices.Contains(readable, field) {
				return ""
			}
			return cmp.Or(user[field], any(""))
		})
	})
	guarded("GET /rt/REST/2.0/tickets", func(w http.ResponseWriter, r *http.Request) { rtTickets(o, w, r) })
	return mux
}

func replyRT(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// rtCondition is one of a search; those of one field are alternatives.
type rtCondition struct{ Field, Operator, Value string }

func rtMatches(user map[string]any, conditions []rtCondition) bool {
	met := map[string]bool{}
	for _, c := range conditions {
		value := fmt.Sprint(cmp.Or(user[c.Field], any("")))
		switch c.Operator {
		case "LIKE":
			met[c.Field] = met[c.Field] || rtLike(c.Value).MatchString(value)
		case "!=":
			met[c.Field] = met[c.Field] || value != c.Value
		default:
			met[c.Field] = met[c.Field] || strings.EqualFold(value, c.Value)
		}
	}
	for _, one := range met {
		if !one {
			return false
		}
	}
	return true
}

// rtLike is how RT searches: anything may stand around the pattern.
func rtLike(pattern string) *regexp.Regexp {
	return regexp.MustCompile(`(?is)^.*` + strings.ReplaceAll(regexp.QuoteMeta(pattern), "%", ".*") + `.*$`)
}

// rtUsers are RT's own users and the cards.
func rtUsers(o *office) []map[string]any {
	var users []map[string]any
	if !o.is(careless) {
		users = []map[string]any{{"id": 1, "Name": "RT_System"}, {"id": 6, "Name": "Nobody"}, {"id": 14, "Name": "root"}}
	}
	for _, c := range o.all("person") {
		id, _ := strconv.Atoi(c.ID)
		user := map[string]any{"id": id, "Name": c.Email, "RealName": strings.TrimSpace(c.First + " " + c.Last), "EmailAddress": c.Email, "Organization": c.Company}
		for i, field := range rtPhones {
			user[field] = c.phone(i)
		}
		users = append(users, user)
	}
	return users
}

// replyRTPage lists objects as RT does: what is asked for, beside what is
// always there.
func replyRTPage(w http.ResponseWriter, r *http.Request, list []map[string]any, read func(map[string]any, string) any) {
	query := r.URL.Query()
	perPage, err := strconv.Atoi(query.Get("per_page"))
	if err != nil {
		perPage = 20
	}
	if query.Get("orderby") != "id" {
		slices.Reverse(list) // no order is any order
	}
	items := []any{}
	for _, object := range list[:min(perPage, 100, len(list))] {
		item := map[string]any{"type": "user", "id": object["Name"], "_url": "http://rt/REST/2.0/user"}
		for field := range strings.SplitSeq(query.Get("fields"), ",") {
			item[field] = read(object, field)
		}
		items = append(items, item)
	}
	replyRT(w, http.StatusOK, map[string]any{"count": len(items), "total": len(list), "page": 1, "per_page": perPage, "pages": 1, "items": items})
}

var rtOpenTickets = regexp.MustCompile(`^Requestor\.id = (\d+) AND Status = '__Active__'$`)

// rtTickets knows one ticket of each person, whose id is ten times theirs.
func rtTickets(o *office, w http.ResponseWriter, r *http.Request) {
	asked := rtOpenTickets.FindStringSubmatch(r.URL.Query().Get("query"))
	if asked == nil {
		replyRT(w, http.StatusBadRequest, map[string]any{"message": "Wrong query"})
		return
	}
	items := []any{}
	for _, c := range o.all("person") {
		if c.ID == asked[1] {
			items = append(items, map[string]any{"type": "ticket", "id": c.ID + "0", "Subject": "Printer of " + c.First})
		}
	}
	replyRT(w, http.StatusOK, map[string]any{"count": len(items), "total": len(items), "items": items})
}

func TestRequestTracker(t *testing.T) { requestTracker.test(t) }

func TestRTIsNotBelievedWhenItMayNotSearchOrShowNumbers(t *testing.T) {
	for name, rights := range map[string]struct{ searchable, readable []string }{
		"as it comes, with AdminUsers": {rtPublic, rtPhones},
		"as it comes, without":         {rtPublic, nil},
		"searchable but not readable":  {slices.Concat(rtPublic, rtPhones), nil},
	} {
		t.Run(name, func(t *testing.T) {
			p := requestTracker
			p.standIn = func(o *office) http.Handler { return rtWith(o, rights.searchable, rights.readable) }
			d := p.open(t, p.options)
			d.known()
			d.expect(t, unreachablePage)
			if why := d.why(); !strings.Contains(why, "crm rt: lookup person: the answer says that it failed") {
				t.Errorf("the log says %s", why)
			}
		})
	}
}

func TestRTTellsOfOpenTickets(t *testing.T) {
	d := requestTracker.open(t, requestTracker.options)
	d.known()
	if err := d.load(indent(`screen_pop {
	origins ` + agentOrigin + `
	region FR
	deadline 20s
	cache off
	crm rt ` + d.address + `/rt {
		token the-token
	}
	on one popup {contact.ticket_url} {
		title "{contact.tickets} {contact.ticket_subject}"
	}
}`)); err != nil {
		t.Fatal(err)
	}
	d.settle()
	got := d.ring(knownCaller)
	if page, want := got.field("url"), d.address+"/rt/Ticket/Display.html?id=47110"; page != want {
		t.Errorf("opened %v, want %s", page, want)
	}
	if title := got.field("title"); title != "1 Printer of Rosa" {
		t.Errorf("the title is %v", title)
	}
}
