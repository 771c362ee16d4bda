package caddymodule

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// vtiger 8, as its source tells.
var vtiger = product{
	preset: "vtiger",
	options: `user screenpop
access_key the-access-key`,
	wrong:    [2]string{"the-access-key", "another-key"},
	rejected: "Invalid username or password; it does not accept the credentials",
	sessions: true,
	kinds: []kind{
		{name: "contact", phones: 6, page: "$CRM/index.php?module=Contacts&view=Detail&record=$ID", title: "$NAME|$COMPANY|$EMAIL"},
		{name: "account", phones: 3, page: "$CRM/index.php?module=Accounts&view=Detail&record=$ID", title: "$COMPANY|$COMPANY|$EMAIL"},
		{name: "lead", phones: 3, page: "$CRM/index.php?module=Leads&view=Detail&record=$ID", title: "$NAME|$COMPANY|$EMAIL"},
	},
	found: vtigerFound,
	standIn: func(o *office) http.Handler {
		// The user's challenge; asking for another one makes it worthless.
		challenges := 0
		mux := http.NewServeMux()
		mux.HandleFunc("/webservice.php", func(w http.ResponseWriter, r *http.Request) {
			if err := r.ParseForm(); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			switch operation := r.Form.Get("operation"); {
			case r.Method == http.MethodGet && operation == "getchallenge":
				challenges++
				vtigerResult(w, map[string]any{"token": fmt.Sprint("challenge-", challenges), "serverTime": 1, "expireTime": 301})
			case r.Method == http.MethodPost && operation == "login":
				key := md5.Sum(fmt.Appendf(nil, "challenge-%dthe-access-key", challenges))
				if challenges == 0 || r.PostForm.Get("username") != "screenpop" || r.PostForm.Get("accessKey") != hex.EncodeToString(key[:]) {
					vtigerError(w, "INVALID_USER_CREDENTIALS", "Invalid username or password")
					return
				}
				vtigerResult(w, map[string]any{"sessionName": o.login(), "userId": "19x5", "version": "0.22", "vtigerVersion": "8.0.0"})
			case o.is(failing):
				vtigerError(w, "INTERNAL_SERVER_ERROR", "Unknown Error while processing request")
			case !o.admits(r.Form.Get("sessionName")):
				vtigerError(w, "INVALID_SESSIONID", "Session Identifier provided is Invalid")
			case r.Method == http.MethodGet && operation == "query":
				found, err := vtigerModules(vtigerOpenSource).query(o, r.Form.Get("query"))
				vtigerAnswer(w, found, err)
			case r.Method == http.MethodGet && operation == "retrieve":
				found, err := vtigerModules(vtigerOpenSource).retrieve(o, r.Form.Get("id"))
				vtigerAnswer(w, found, err)
			default:
				vtigerError(w, "UNKNOWN_OPERATION", "Unknown operation requested")
			}
		})
		return mux
	},
}

var vtigerFound = append(slices.Clone(measured), "+33 (0)1 23 45 67 89", "01/23/45/67/89", "01_23_45_67_89", "01 23 45 67 89 ext. 12")

func vtigerResult(w http.ResponseWriter, result any) {
	reply(w, map[string]any{"success": true, "result": result})
}

func vtigerError(w http.ResponseWriter, code, message string) {
	reply(w, map[string]any{"success": false, "error": map[string]any{"code": code, "message": message}})
}

func vtigerAnswer(w http.ResponseWriter, result any, err error) {
	if refused, ok := errors.AsType[*vtigerRefusal](err); ok {
		vtigerError(w, refused.code, refused.message)
		return
	}
	vtigerResult(w, result)
}

// vtigerRefusal is an error of vtiger's.
type vtigerRefusal struct{ code, message string }

func (r *vtigerRefusal) Error() string { return r.code + ": " + r.message }

func vtigerSyntax(format string, args ...any) error {
	return &vtigerRefusal{"QUERY_SYNTAX_ERROR", fmt.Sprintf(format, args...)}
}

// vtigerModule is a kind of records: its number stands before the x of an id.
type vtigerModule struct {
	name, kind, number string
	phones             []string
	record             func(card) map[string]any
}

// vtigerModules are those of an edition.
type vtigerModules []vtigerModule

var vtigerOpenSource = []vtigerModule{
	{
		name: "Contacts", kind: "contact", number: "12",
		phones: []string{"phone", "mobile", "homephone", "otherphone", "assistantphone", "fax"},
		// Each contact has an organization of its own, which has the contact's id.
		record: func(c card) map[string]any {
			return map[string]any{"firstname": c.First, "lastname": c.Last, "email": c.Email, "account_id": "11x" + c.ID}
		},
	},
	{
		name: "Accounts", kind: "account", number: "11",
		phones: []string{"phone", "otherphone", "fax"},
		record: func(c card) map[string]any { return map[string]any{"accountname": c.Company, "email1": c.Email} },
	},
	{
		name: "Leads", kind: "lead", number: "10",
		phones: []string{"phone", "mobile", "fax"},
		record: func(c card) map[string]any {
			return map[string]any{"firstname": c.First, "lastname": c.Last, "company": c.Company, "email": c.Email}
		},
	},
}

// fields are a record's, all of them texts.
func (m vtigerModule) fields(c card) map[string]any {
	fields := m.record(c)
	fields["id"] = m.number + "x" + c.ID
	for i, field := range m.phones {
		fields[field] = c.phone(i)
	}
	return fields
}

// retrieve returns one record: an organization, in what the presets ask.
func (list vtigerModules) retrieve(o *office, id string) (map[string]any, error) {
	for _, m := range list {
		number, found := strings.CutPrefix(id, m.number+"x")
		if !found {
			continue
		}
		for _, c := range append(o.all(m.kind), o.all("contact")...) {
			if c.ID == number {
				return m.fields(c), nil
			}
		}
	}
	return nil, &vtigerRefusal{"ACCESS_DENIED", "Permission to perform the operation is denied"}
}

// vtigerToken is what vtiger's lexer knows.
var vtigerToken = regexp.MustCompile(`^(?:\w+|'(?:[^']|'')+'|\(|\)|,|\*|<=|>=|!=|=|<|>|;)`)

// vtigerQuery reads a query token by token.
type vtigerQuery struct{ tokens []string }

func (q *vtigerQuery) next() string {
	if len(q.tokens) == 0 {
		return ""
	}
	token := q.tokens[0]
	q.tokens = q.tokens[1:]
	return token
}

func (q *vtigerQuery) expect(word string) error {
	if token := q.next(); !strings.EqualFold(token, word) {
		return vtigerSyntax("Unexpected %q, expected %s", token, word)
	}
	return nil
}

// is reports whether a word comes next, and takes it.
func (q *vtigerQuery) is(word string) bool {
	if len(q.tokens) == 0 || !strings.EqualFold(q.tokens[0], word) {
		return false
	}
	q.next()
	return true
}

// query evaluates what vtiger's grammar allows of SQL: one module, conditions
// without parentheses, LIMIT, and a semicolon.
func (list vtigerModules) query(o *office, text string) ([]any, error) {
	q := &vtigerQuery{}
	for rest := text; strings.TrimSpace(rest) != ""; {
		rest = strings.TrimLeft(rest, " \t\r\n")
		token := vtigerToken.FindString(rest)
		if token == "" {
			return nil, vtigerSyntax("Unexpected input: %q", rest)
		}
		q.tokens = append(q.tokens, token)
		rest = rest[len(token):]
	}
	if err := q.expect("SELECT"); err != nil {
		return nil, err
	}
	columns := []string{q.next()}
	for q.is(",") {
		columns = append(columns, q.next())
	}
	if err := q.expect("FROM"); err != nil {
		return nil, err
	}
	name := q.next()
	at := slices.IndexFunc(list, func(m vtigerModule) bool { return m.name == name })
	if at < 0 {
		return nil, &vtigerRefusal{"ACCESS_DENIED", "Permission to perform the operation is denied for name : " + name}
	}
	module := list[at]
	known := module.fields(card{})
	for _, column := range columns {
		if _, there := known[column]; !there {
			return nil, &vtigerRefusal{"ACCESS_DENIED", "Permission to access '." + column + ".' attribute denied."}
		}
	}
	match := func(card) bool { return true }
	if q.is("WHERE") {
		var err error
		if match, err = q.conditions(module, known); err != nil {
			return nil, err
		}
	}
	limit, err := q.limit()
	if err != nil {
		return nil, err
	}
	found := []any{}
	for _, c := range o.search(module.kind, match) {
		if len(found) == limit {
			break
		}
		fields, selected := module.fields(c), map[string]any{"id": module.number + "x" + c.ID}
		for _, column := range columns {
			selected[column] = fields[column]
		}
		found = append(found, selected)
	}
	return found, nil
}

// conditions are joined by AND, which binds more strongly, and OR.
func (q *vtigerQuery) conditions(m vtigerModule, known map[string]any) (func(card) bool, error) {
	either := func(card) bool { return false }
	for {
		all := func(card) bool { return true }
		for {
			one, err := q.condition(m, known)
			if err != nil {
				return nil, err
			}
			before := all
			all = func(c card) bool { return before(c) && one(c) }
			if !q.is("AND") {
				break
			}
		}
		before := either
		either = func(c card) bool { return before(c) || all(c) }
		if !q.is("OR") {
			return either, nil
		}
	}
}

func (q *vtigerQuery) condition(m vtigerModule, known map[string]any) (func(card) bool, error) {
	column, operator, value := q.next(), q.next(), q.next()
	if _, there := known[column]; !there {
		return nil, &vtigerRefusal{"ACCESS_DENIED", "Permission to access " + column + " attribute denied."}
	}
	if !strings.HasPrefix(value, "'") {
		return nil, vtigerSyntax("Unexpected %q, expected a value", value)
	}
	value = strings.ReplaceAll(strings.Trim(value, "'"), "''", "'")
	switch strings.ToUpper(operator) {
	case "LIKE":
		return func(c card) bool { return likeAsMySQL(value, fmt.Sprint(m.fields(c)[column])) }, nil
	case "=":
		return func(c card) bool { return m.fields(c)[column] == value }, nil
	}
	return nil, vtigerSyntax("Unexpected %q, expected an operator", operator)
}

// limit reads how many are wanted, at most 100, and the end of the query.
func (q *vtigerQuery) limit() (int, error) {
	limit := 100
	if q.is("LIMIT") {
		count := q.next()
		if q.is(",") {
			count = q.next()
		}
		wanted, err := strconv.Atoi(count)
		if err != nil {
			return 0, vtigerSyntax("Unexpected %q, expected a number", count)
		}
		limit = min(limit, wanted)
	}
	if err := q.expect(";"); err != nil {
		return 0, err
	}
	if len(q.tokens) > 0 {
		return 0, vtigerSyntax("Unexpected %q behind the end", q.tokens)
	}
	return limit, nil
}

func TestVtiger(t *testing.T) {
	vtiger.test(t)
	t.Run("one among many", vtiger.testAmongMany)
	t.Run("a sample", vtiger.testSample)
	t.Run("its pages", func(t *testing.T) {
		vtiger.open(t, vtiger.options).showsPages(t, "/index.php?module=Contacts&view=Edit&phone=%2B33123456789", "/index.php?module=Contacts&view=List&search_key=phone&search_value=123456789&operator=c")
	})
}

func TestVtigerEndedSessionsAreOpenedAgain(t *testing.T) {
	for _, code := range []string{"INVALID_SESSIONID", "SESSION_EXPIRED", "SESSION_LEFT_IDLE", "AUTHENTICATION_REQUIRED"} {
		t.Run(code, func(t *testing.T) {
			ended := vtiger
			ended.standIn = func(o *office) http.Handler {
				usual := vtiger.standIn(o)
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if session := r.URL.Query().Get("sessionName"); session != "" && !o.admits(session) {
						vtigerError(w, code, "login again")
						return
					}
					usual.ServeHTTP(w, r)
				})
			}
			d := ended.open(t, ended.options)
			page := d.known()
			d.expect(t, page)
			d.office.expire()
			d.expect(t, page)
			if logins := d.office.countLogins(); logins != 2 {
				t.Errorf("%d logins", logins)
			}
		})
	}
}

func TestVtigerNamesAFieldThatIsHidden(t *testing.T) {
	hidden := vtiger
	hidden.standIn = func(o *office) http.Handler {
		usual := vtiger.standIn(o)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Query().Get("query"), "assistantphone") {
				vtigerError(w, "ACCESS_DENIED", "Permission to access '.assistantphone.' attribute denied.")
				return
			}
			usual.ServeHTTP(w, r)
		})
	}
	d := hidden.open(t, hidden.options)
	d.known()
	d.expect(t, unreachablePage)
	if why := d.why(); !strings.Contains(why, "Permission to access '.assistantphone.' attribute denied.") {
		t.Errorf("the log says %s", why)
	}

	t.Run("and can be left out", func(t *testing.T) {
		d := hidden.open(t, hidden.options+`
lookup contact {
	query query "SELECT id,firstname,lastname,account_id,email,phone,mobile FROM Contacts WHERE phone LIKE '{number.like}%' OR mobile LIKE '{number.like}%' LIMIT 0,20;"
}`)
		d.expect(t, d.known())
	})
}

// A contact without an organization is asked for nothing more.
func TestVtigerContactsWithoutAnOrganization(t *testing.T) {
	alone := vtiger
	alone.standIn = func(o *office) http.Handler {
		usual := vtiger.standIn(o)
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			query := r.URL.Query()
			switch {
			case query.Get("operation") == "retrieve":
				t.Error("an organization was asked for")
			case strings.Contains(query.Get("query"), "FROM Contacts"):
				vtigerResult(w, []any{map[string]any{"id": "12x7", "firstname": "", "lastname": "Marin", "account_id": nil, "email": "", "phone": "0123456789"}})
				return
			}
			usual.ServeHTTP(w, r)
		})
	}
	d := alone.open(t, alone.options)
	if title := d.ring(knownCaller).field("title"); title != "Marin||" {
		t.Errorf("the title is %v\n%s", title, d.why())
	}
}
