package browser

import (
	"net/url"
	"strings"
	"testing"
)

func TestUnknownCallerIsShownAsOne(t *testing.T) {
	for scenario, number := range map[string]string{"unknown": "05 36 49 09 99", "strangers": "02 61 91 55 01"} {
		t.Run(scenario, func(t *testing.T) {
			s := openSimulator(t)
			s.ring(scenario)
			s.pane().waitForText("h1", "Unknown caller")
			s.pane().waitForText(".number", number)
		})
	}
}

func TestUnknownCallerCanBeSearchedFor(t *testing.T) {
	s := openSimulator(t)
	s.show("Unknown caller")
	s.pane().click(`a[href*="/search"]`)
	s.waitForPopup("/search?q=0536490999")
}

func TestCreatingOpensTheFormWithTheNumberInIt(t *testing.T) {
	s := openSimulator(t)
	s.show("Unknown caller")
	s.pane().click(`a[href*="/create/"]`)
	s.waitForPopup("/contacts/new?phone=%2B33536490999")
	s.pane().waitForText("h1", "Unknown caller")
}

// What the CRM says by then counts, not what it said when the telephone rang.
func TestCreatingLooksAgainFirst(t *testing.T) {
	s := openSimulator(t)
	setMood(t, "empty")
	s.ring("known")
	s.pane().waitForText("h1", "Unknown caller")
	setMood(t, "normal")
	s.pane().click(`a[href*="/create/"]`)
	window := s.waitForWindow(func(at *url.URL) bool { return strings.Contains(at.Path, "/pane/chooser/") })
	window.top().waitForText("main", "Somebody has this number by now")
	window.top().click(".record")
	window.pane().waitForText("#name", "Camille Moreau")
}

func TestCreatingIsTheAgentsDecisionWhenTheCRMCannotBeAsked(t *testing.T) {
	s := openSimulator(t)
	t.Cleanup(func() { setMood(t, "normal") })
	s.show("Unknown caller")
	s.pane().waitForText("h1", "Unknown caller")
	setMood(t, "down")
	s.pane().click(`a[href*="/create/"]`)
	window := s.waitForWindow(func(at *url.URL) bool { return strings.Contains(at.Path, "/pane/create/") })
	window.top().waitForText("main", "The contact may exist already.")
	window.top().waitForText("main", "Could not be asked: demo")
	window.top().click(`a[href*="/contacts/new"]`)
	window.top().waitForText("h1", "New contact")
}
