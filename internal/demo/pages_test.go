package demo

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestPagesShowWhatTheyAreAskedFor(t *testing.T) {
	for path, wants := range map[string][]string{
		"/":                                {"320 found", "Camille Moreau", "Transports Bellier"},
		"/search?q=0353010100":             {"8 found", "Agathe Bellier", `value="0353010100"`},
		"/search?q=nobody":                 {"0 found", "/contacts/new?phone=nobody"},
		"/contacts/c-0001":                 {"Camille Moreau", "Moreau &amp; Fils", "04 27 46 63 47", `id="vip"`},
		"/contacts/new?phone=%2B331990012": {`value="&#43;331990012"`, "It does not"},
	} {
		answer := get(t, newTestCRM(), path, nil)
		if answer.Code != http.StatusOK {
			t.Errorf("%s: status %d, want 200", path, answer.Code)
		}
		for _, want := range wants {
			if !strings.Contains(answer.Body.String(), want) {
				t.Errorf("%s does not show %q", path, want)
			}
		}
	}
}

func TestMissingPagesAre404(t *testing.T) {
	for _, path := range []string{"/contacts/c-9999", "/contacts/", "/nowhere"} {
		if answer := get(t, newTestCRM(), path, nil); answer.Code != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", path, answer.Code)
		}
	}
}

func TestFormSaysThatItDidNotSave(t *testing.T) {
	form := url.Values{"phone": {"0199000042"}, "last_name": {"Testard"}}
	request := httptest.NewRequest(http.MethodPost, "/contacts/new", strings.NewReader(form.Encode()))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	crm := newTestCRM()
	if body := serveTo(crm, request).Body.String(); !strings.Contains(body, "Nothing was saved") {
		t.Error("the page does not say that nothing was saved")
	}
	if found := crm.contacts.byText("Testard"); len(found) != 0 {
		t.Errorf("%v was saved", found)
	}
}

func TestPagesEscapeHostileText(t *testing.T) {
	const attack = `"><script>alert(1)</script>`
	hostileID := directory(Contacts()).byDigits(hostileNumber)[0].ID
	for _, path := range []string{
		"/search?q=" + url.QueryEscape(attack),
		"/contacts/new?phone=" + url.QueryEscape(attack),
		"/contacts/" + url.PathEscape(attack),
		"/contacts/" + hostileID,
		"/search?q=hostile",
	} {
		body := get(t, newTestCRM(), path, nil).Body.String()
		for _, markup := range []string{"<script>alert", "<img src=x"} {
			if strings.Contains(body, markup) {
				t.Errorf("%s holds %s as markup", path, markup)
			}
		}
	}
}

func TestPagesMayBeFramedByTheDemoOnly(t *testing.T) {
	policy := get(t, newTestCRM(), "/contacts/c-0001", nil).Header().Get("Content-Security-Policy")
	for _, want := range []string{
		"default-src 'none'",
		"frame-ancestors 'self' " + testSimulator + " " + testGateway,
	} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy %q lacks %q", policy, want)
		}
	}
}

// Where a page says frame-ancestors too, browsers ignore X-Frame-Options.
func TestConfidentialPagesRefuseToBeFramed(t *testing.T) {
	id := directory(Contacts()).byDigits(refusedNumber)[0].ID
	answer := get(t, newTestCRM(), "/confidential/"+id, nil)
	if answer.Code != http.StatusOK || answer.Header().Get("X-Frame-Options") != "DENY" {
		t.Errorf("status %d, X-Frame-Options %q; want 200 and DENY", answer.Code, answer.Header().Get("X-Frame-Options"))
	}
	if policy := answer.Header().Get("Content-Security-Policy"); strings.Contains(policy, "frame-ancestors") {
		t.Errorf("the policy %q overrides X-Frame-Options", policy)
	}
}

func TestContactsAreShownInTheirOwnAreaOnly(t *testing.T) {
	id := directory(Contacts()).byDigits(refusedNumber)[0].ID
	for _, path := range []string{"/contacts/" + id, "/confidential/c-0001"} {
		if answer := get(t, newTestCRM(), path, nil); answer.Code != http.StatusNotFound {
			t.Errorf("%s: status %d, want 404", path, answer.Code)
		}
	}
}

func TestHistoryStaysTheSame(t *testing.T) {
	first, second := history(Contact{ID: "c-0001"}), history(Contact{ID: "c-0001"})
	if len(first) == 0 || len(first) != len(second) || first[0] != second[0] {
		t.Errorf("two histories of one contact: %v and %v", first, second)
	}
}
