package caddymodule

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
)

// Vtiger Cloud, as its manual tells. Its query language is taken to be that of
// the open-source edition.
var vtigerCloud = product{
	preset: "vtiger-cloud",
	options: `user api@example.com
access_key the-access-key`,
	wrong:    [2]string{"the-access-key", "another-key"},
	rejected: "401 Unauthorized",
	kinds: []kind{
		{name: "contact", phones: 4, page: "$CRM/view/detail?module=Contacts&id=$ID", title: "$NAME|$COMPANY|$EMAIL"},
		{name: "account", phones: 2, page: "$CRM/view/detail?module=Accounts&id=$ID", title: "$COMPANY|$COMPANY|$EMAIL"},
		{name: "lead", phones: 2, page: "$CRM/view/detail?module=Leads&id=$ID", title: "$NAME|$COMPANY|$EMAIL"},
	},
	found: vtigerFound,
	standIn: func(o *office) http.Handler {
		modules := vtigerModules{vtigerOpenSource[0], vtigerOpenSource[1], vtigerOpenSource[2]}
		modules[0].phones = []string{"phone", "mobile", "homephone", "otherphone"}
		modules[1].phones = []string{"phone", "otherphone"}
		modules[2].phones = []string{"phone", "mobile"}
		serve := func(ask func(r *http.Request) (any, error)) http.HandlerFunc {
			return func(w http.ResponseWriter, r *http.Request) {
				user, key, _ := r.BasicAuth()
				switch {
				case user != "api@example.com" || key != "the-access-key":
					w.WriteHeader(http.StatusUnauthorized)
				case o.is(failing):
					vtigerError(w, "INTERNAL_SERVER_ERROR", "Unknown Error while processing request")
				default:
					vtigerCloudAnswer(w, r, ask)
				}
			}
		}
		mux := http.NewServeMux()
		mux.HandleFunc("GET /restapi/v1/vtiger/default/query", serve(func(r *http.Request) (any, error) {
			return modules.query(o, r.URL.Query().Get("query"))
		}))
		mux.HandleFunc("GET /restapi/v1/vtiger/default/retrieve", serve(func(r *http.Request) (any, error) {
			return modules.retrieve(o, r.URL.Query().Get("id"))
		}))
		return mux
	},
}

// vtigerCloudAnswer says what is wrong with a status of 400.
func vtigerCloudAnswer(w http.ResponseWriter, r *http.Request, ask func(r *http.Request) (any, error)) {
	result, err := ask(r)
	if refused, ok := errors.AsType[*vtigerRefusal](err); ok {
		body, _ := json.Marshal(map[string]any{"success": false, "error": map[string]any{"code": refused.code, "message": refused.message}})
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write(body)
		return
	}
	vtigerResult(w, result)
}

func TestVtigerCloud(t *testing.T) {
	vtigerCloud.test(t)
	t.Run("one among many", vtigerCloud.testAmongMany)
	t.Run("a sample", vtigerCloud.testSample)
	t.Run("its pages", func(t *testing.T) {
		vtigerCloud.open(t, vtigerCloud.options).showsPages(t, "/view/list?module=Contacts", "/view/list?module=Contacts")
	})
}

// The edition's limit is no stranger who calls.
func TestVtigerCloudsLimitIsNotNobody(t *testing.T) {
	limited := vtigerCloud
	limited.standIn = func(*office) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) })
	}
	d := limited.open(t, limited.options)
	d.expect(t, unreachablePage)
	if why := d.why(); !strings.Contains(why, "429 Too Many Requests; the CRM limits how often it may be asked") {
		t.Errorf("the log says %s", why)
	}
}

func TestVtigerCloudNamesAFieldThatIsHidden(t *testing.T) {
	d := vtigerCloud.open(t, vtigerCloud.options+`
lookup contact {
	query query "SELECT id,phone,cf_phone FROM Contacts WHERE phone LIKE '{number.like}%' LIMIT 0,20;"
}`)
	d.known()
	d.expect(t, unreachablePage)
	if why := d.why(); !strings.Contains(why, "Permission to access '.cf_phone.' attribute denied.") {
		t.Errorf("the log says %s", why)
	}
}
