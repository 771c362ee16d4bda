package browser

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

// idOf finds the id of a contact in the CRM's own list.
func idOf(t *testing.T, name string) string {
	t.Helper()
	response, err := http.Get("http://" + running.CRM + "/search?q=" + url.QueryEscape(name))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	id := contactLink.FindSubmatch(body)
	if id == nil {
		t.Fatalf("the demo CRM knows no %s", name)
	}
	return string(id[1])
}

var contactLink = regexp.MustCompile(`/(?:contacts|confidential)/(c-\d+)`)

// setMood changes the demo CRM's mood behind the page's back.
func setMood(t *testing.T, mood string) {
	t.Helper()
	body := strings.NewReader(`{"mood":` + quote(mood) + `}`)
	response, err := http.Post("http://"+running.CRM+"/demo/mood", "application/json", body)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("setting the mood %s: status %d", mood, response.StatusCode)
	}
}
