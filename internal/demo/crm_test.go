package demo

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

const (
	testKey       = "s3cret"
	testSimulator = "http://127.0.0.1:8082"
	testGateway   = "http://127.0.0.1:8080"
)

func newTestCRM() *CRM { return NewCRM(testKey, testSimulator, testGateway) }

func TestAPIAnswersInItsEnvelope(t *testing.T) {
	answer := get(t, newTestCRM(), "/api/contacts?phone=639980001&limit=5", authorization())
	if answer.Code != http.StatusOK {
		t.Fatalf("status %d, want 200: %s", answer.Code, answer.Body)
	}
	want := `{"success":true,"data":{"total":1,"items":[{"id":"c-0001","first_name":"Camille","last_name":"Moreau",` +
		`"company":"Moreau \u0026 Fils","email":"camille.moreau@moreau-et-fils.example","phone":"04 27 46 63 47",` +
		`"mobile":"06.39.98.00.01","city":"Lyon","area":"contacts","custom":{"vip":true}}]}}`
	if got := strings.TrimSpace(answer.Body.String()); got != want {
		t.Errorf("answered\n%s\nwant\n%s", got, want)
	}
}

func TestAPIWantsItsKey(t *testing.T) {
	for _, header := range []string{"", "Token", "Token wrong", "Bearer " + testKey, testKey} {
		answer := get(t, newTestCRM(), "/api/contacts?phone=1", http.Header{"Authorization": {header}})
		if answer.Code != http.StatusUnauthorized {
			t.Errorf("Authorization %q: status %d, want 401", header, answer.Code)
		}
		if got := strings.TrimSpace(answer.Body.String()); got != `{"error":"invalid token"}` {
			t.Errorf("Authorization %q: body %s", header, got)
		}
	}
}

func TestAPIFindsNobodyAsAnEmptyList(t *testing.T) {
	for _, query := range []string{"", "phone=", "phone=000000000000", "phone=abc"} {
		answer := get(t, newTestCRM(), "/api/contacts?"+query, authorization())
		want := `{"success":true,"data":{"total":0,"items":[]}}`
		if got := strings.TrimSpace(answer.Body.String()); got != want {
			t.Errorf("?%s answered %s, want %s", query, got, want)
		}
	}
}

func TestAPIAnswersSuppliersInTheSameEnvelope(t *testing.T) {
	for query, want := range map[string]string{
		"phone=353010150": `{"success":true,"data":{"total":1,"items":[{"id":"s-001","name":"Papeterie du Rhin","account":"401-0117",` +
			`"email":"contact@papeterie-du-rhin.example","phone":"03 53 01 01 50","orders":"03.53.01.01.51","city":"Strasbourg"}]}}`,
		"phone=427466347": `{"success":true,"data":{"total":0,"items":[]}}`,
		"":                `{"success":true,"data":{"total":0,"items":[]}}`,
	} {
		answer := get(t, newTestCRM(), "/api/suppliers?"+query, authorization())
		if got := strings.TrimSpace(answer.Body.String()); got != want {
			t.Errorf("?%s answered\n%s\nwant\n%s", query, got, want)
		}
	}
}

func TestAPILimitsItemsButCountsAll(t *testing.T) {
	var answer contactsAnswer
	decode(t, get(t, newTestCRM(), "/api/contacts?phone=353010100&limit=3", authorization()), &answer)
	if answer.Data.Total != 8 || len(answer.Data.Items) != 3 {
		t.Errorf("total %d and %d items, want 8 and 3", answer.Data.Total, len(answer.Data.Items))
	}
}

func TestAPIRefusesABadLimitWithStatus200(t *testing.T) {
	for _, limit := range []string{"0", "-1", "201", "many"} {
		answer := get(t, newTestCRM(), "/api/contacts?phone=1&limit="+limit, authorization())
		var got refusal
		decode(t, answer, &got)
		if answer.Code != http.StatusOK || got.Success || got.Error == "" {
			t.Errorf("limit %s: status %d, %+v; want a refusal with status 200", limit, answer.Code, got)
		}
	}
}

func TestScenariosAreServedToTheSimulator(t *testing.T) {
	answer := get(t, newTestCRM(), "/demo/callers", http.Header{"Origin": {testSimulator}})
	var callers []Caller
	decode(t, answer, &callers)
	if len(callers) != len(Callers()) {
		t.Errorf("%d scenarios, want %d", len(callers), len(Callers()))
	}
	if got := answer.Header().Get("Access-Control-Allow-Origin"); got != testSimulator {
		t.Errorf("Access-Control-Allow-Origin %q, want %q", got, testSimulator)
	}
}

func TestOtherWebPagesMayNotTouchTheDemo(t *testing.T) {
	crm := newTestCRM()
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodOptions} {
		request := httptest.NewRequest(method, "/demo/mood", strings.NewReader(`{"mood":"down"}`))
		request.Header.Set("Origin", "https://elsewhere.example")
		answer := serveTo(crm, request)
		if answer.Code != http.StatusForbidden || answer.Header().Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: status %d, headers %v; want 403 without CORS", method, answer.Code, answer.Header())
		}
	}
	if crm.temper.mood() != MoodNormal {
		t.Error("the mood was changed")
	}
}

func TestPreflightOfTheSimulatorIsAllowed(t *testing.T) {
	request := httptest.NewRequest(http.MethodOptions, "/demo/mood", nil)
	request.Header.Set("Origin", testSimulator)
	answer := serveTo(newTestCRM(), request)
	if answer.Code != http.StatusNoContent || answer.Header().Get("Access-Control-Allow-Headers") != "Content-Type" {
		t.Errorf("status %d, headers %v", answer.Code, answer.Header())
	}
}

func authorization() http.Header {
	return http.Header{"Authorization": {"Token " + testKey}}
}

func get(t *testing.T, crm *CRM, target string, header http.Header) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	maps.Copy(request.Header, header)
	return serveTo(crm, request)
}

func serveTo(crm *CRM, request *http.Request) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	crm.Handler().ServeHTTP(recorder, request)
	return recorder
}

func decode(t *testing.T, answer *httptest.ResponseRecorder, into any) {
	t.Helper()
	if err := json.Unmarshal(answer.Body.Bytes(), into); err != nil {
		t.Fatalf("status %d, body %q: %v", answer.Code, answer.Body, err)
	}
}
