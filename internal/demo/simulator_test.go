package demo

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
)

func TestSimulatorKnowsItsAddresses(t *testing.T) {
	body := getFrom(testPage(), "/").Body.String()
	for _, want := range []string{
		`value="` + testGateway + `/"`, `data-crm="http://127.0.0.1:8081"`, `<option value="wrong-key">`,
		`data-link="` + testGateway + `/pane/card/expired"`, `data-link="` + testGateway + `/pane/card/changed"`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}

func TestSimulatorEscapesItsAddresses(t *testing.T) {
	hostile := Simulator{Gateway: `"><script>alert(1)</script>`, CRM: `"><script>alert(2)</script>`}
	if body := getFrom(hostile, "/").Body.String(); strings.Contains(body, "<script>alert") {
		t.Error("an address has become markup")
	}
}

func TestSimulatorPolicyIsStrict(t *testing.T) {
	for _, path := range []string{"/", "/simulator/app.js", "/nowhere"} {
		policy := getFrom(testPage(), path).Header().Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self';", "style-src 'self';", "frame-ancestors 'none'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: the policy %q lacks %q", path, policy, want)
			}
		}
		if strings.Contains(policy, "unsafe") {
			t.Errorf("%s: the policy %q allows something unsafe", path, policy)
		}
	}
}

func TestSimulatorPageNeedsNothingThatThePolicyForbids(t *testing.T) {
	body := getFrom(testPage(), "/").Body.String()
	for _, forbidden := range []string{"style=", "onclick=", "<style", "javascript:"} {
		if strings.Contains(body, forbidden) {
			t.Errorf("the page holds %s", forbidden)
		}
	}
}

func TestSimulatorServesEveryFileThatThePageNames(t *testing.T) {
	body := getFrom(testPage(), "/").Body.String()
	named := regexp.MustCompile(`(?:src|href)="(/[^"]+)"`).FindAllStringSubmatch(body, -1)
	if len(named) < 3 {
		t.Fatalf("the page names %v, want at least an icon, a style sheet and a script", named)
	}
	for _, file := range named {
		if got := getFrom(testPage(), file[1]).Code; got != http.StatusOK {
			t.Errorf("%s: status %d, want 200", file[1], got)
		}
	}
}

func testPage() Simulator {
	return Simulator{
		Gateway: testGateway + "/", CRM: "http://127.0.0.1:8081",
		ExpiredLink: testGateway + "/pane/card/expired", ChangedLink: testGateway + "/pane/card/changed",
	}
}

func getFrom(s Simulator, path string) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	s.Handler().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
	return recorder
}
