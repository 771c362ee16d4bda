package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Odoo 14 to 18 over JSON-RPC, as its documentation and source tell. It has no
// sessions: here the user is replaced by another of the same name.
var odooJSONRPC = product{
	preset: "odoo-jsonrpc",
	options: `database crm
user screenpop@example.com
api_key the-key`,
	wrong:    [2]string{"the-key", "another-key"},
	rejected: "it does not accept the credentials",
	sessions: true,
	kinds: []kind{
		{name: "contact", phones: 3, page: "$CRM/web#id=$ID&model=res.partner&view_type=form", title: "$NAME|$COMPANY|$EMAIL"},
		{name: "account", phones: 3, page: "$CRM/web#id=$ID&model=res.partner&view_type=form", title: "$COMPANY|$COMPANY|$EMAIL"},
		{name: "lead", phones: 3, page: "$CRM/web#id=$ID&model=crm.lead&view_type=form", title: "$NAME|$COMPANY|$EMAIL"},
	},
	found: slices.Concat(odooFound, odooMissed),
	standIn: func(o *office) http.Handler {
		mux := http.NewServeMux()
		mux.HandleFunc("POST /jsonrpc", func(w http.ResponseWriter, r *http.Request) {
			var call odooCall
			if err := json.NewDecoder(r.Body).Decode(&call); err != nil || r.Header.Get("Content-Type") != "application/json" {
				http.Error(w, "Invalid JSON data", http.StatusBadRequest)
				return
			}
			result, failure := call.answer(o)
			answer := map[string]any{"jsonrpc": "2.0", "id": call.ID, "result": result}
			if failure != nil {
				answer = map[string]any{"jsonrpc": "2.0", "id": call.ID, "error": failure}
			}
			reply(w, answer)
		})
		return mux
	},
}

type odooCall struct {
	Version string `json:"jsonrpc"`
	Method  string `json:"method"`
	ID      any    `json:"id"`
	Params  struct {
		Service, Method string
		Args            []any
	} `json:"params"`
}

func odooRPCError(name, message string) map[string]any {
	return map[string]any{
		"code": 200, "message": "Odoo Server Error",
		"data": map[string]any{"name": name, "debug": "Traceback ...", "message": message, "arguments": []any{message}, "context": map[string]any{}},
	}
}

func (c odooCall) answer(o *office) (result any, failure map[string]any) {
	args := c.Params.Args
	switch {
	case c.Version != "2.0" || c.Method != "call":
		return nil, odooRPCError("builtins.AssertionError", "no JSON-RPC 2.0 call")
	case o.is(failing):
		return nil, odooRPCError("psycopg2.OperationalError", "the database is away")
	case len(args) < 3 || args[0] != "crm":
		return nil, odooRPCError("psycopg2.OperationalError", `FATAL: database "..." does not exist`)
	case c.Params.Service == "common" && c.Params.Method == "authenticate" && len(args) == 4:
		if args[1] != "screenpop@example.com" || args[2] != "the-key" {
			return false, nil
		}
		return json.Number(strings.TrimPrefix(o.login(), "session-")), nil
	case c.Params.Service != "object" || c.Params.Method != "execute_kw" || len(args) != 7:
		return nil, odooRPCError("builtins.KeyError", "there is no such method")
	}
	user, isNumber := args[1].(float64)
	if !isNumber || args[2] != "the-key" || !o.admits(fmt.Sprintf("session-%.0f", user)) {
		return nil, odooRPCError("odoo.exceptions.AccessDenied", "Access Denied")
	}
	positional, _ := args[5].([]any)
	named, _ := args[6].(map[string]any)
	if args[4] != "search_read" || len(positional) != 1 || named == nil {
		return nil, odooRPCError("builtins.TypeError", "search_read() wants other arguments")
	}
	named["domain"] = positional[0]
	found, err := odooDatabase{o, []string{"phone", "mobile"}}.searchRead(fmt.Sprint(args[3]), named)
	if err != nil {
		return nil, odooRPCError("builtins.ValueError", err.Error())
	}
	return found, nil
}

func TestOdooJSONRPC(t *testing.T) {
	odooJSONRPC.test(t)
	t.Run("one among many", odooJSONRPC.testAmongMany)
	t.Run("a sample", odooJSONRPC.testSample)
	t.Run("its pages", func(t *testing.T) {
		odooJSONRPC.open(t, odooJSONRPC.options).showsPages(t, "/web#model=res.partner&view_type=form", "/web#action=contacts.action_contacts")
	})
}

// phone_sanitized is only of the first number.
func TestOdooJSONRPCFindsTheSecondNumber(t *testing.T) {
	d := odooJSONRPC.open(t, odooJSONRPC.options)
	for _, mobile := range measured {
		d.office.file("contact", card{ID: "7", Last: "Marin", Phones: []string{"+33 9 87 65 43 21", mobile, "+33987654321"}})
		d.expect(t, d.address+"/web#id=7&model=res.partner&view_type=form")
	}
}

func TestOdooJSONRPCNamesADatabaseThatIsNotThere(t *testing.T) {
	d := odooJSONRPC.open(t, strings.Replace(odooJSONRPC.options, "database crm", "database prod", 1))
	d.expect(t, unreachablePage)
	if why := d.why(); !strings.Contains(why, "database") || !strings.Contains(why, "does not exist") {
		t.Errorf("the log says %s", why)
	}
}

// The user's number is fetched once, and stands in every body as a number.
func TestOdooJSONRPCAsksForItsUserOnce(t *testing.T) {
	d := odooJSONRPC.open(t, odooJSONRPC.options)
	page := d.known()
	d.expect(t, page)
	d.expect(t, page)
	requests := d.office.takeRequests()
	searches := slices.DeleteFunc(slices.Clone(requests), func(r string) bool { return strings.Contains(r, `"authenticate"`) })
	if d.office.countLogins() != 1 || len(searches) != len(requests)-1 {
		t.Errorf("%d logins in %d requests", d.office.countLogins(), len(requests))
	}
	for _, request := range searches {
		if !strings.Contains(request, `"args":["crm",1,"the-key",`) {
			t.Errorf("asked %s", request)
		}
	}
}
