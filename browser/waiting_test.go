package browser

import (
	"strings"
	"testing"
)

// The answer comes in time; the page behind it waits for the CRM.
func TestWaitingPageTurnsIntoWhatTheCRMAnswers(t *testing.T) {
	for scenario, arrived := range map[string]func(s *simulator){
		"known":       func(s *simulator) { s.record().waitForText("#name", "Camille Moreau") },
		"switchboard": func(s *simulator) { s.pane().waitForText("h1", "Who is calling?") },
		"unknown":     func(s *simulator) { s.pane().waitForText("h1", "Unknown caller") },
		"supplier":    func(s *simulator) { s.pane().waitForText("h1", "Papeterie du Rhin") },
		"refused":     func(s *simulator) { s.pane().waitForText("h1", "Solène Kerbrat") },
	} {
		t.Run(scenario, func(t *testing.T) {
			s := openSimulator(t)
			t.Cleanup(func() { setMood(t, "normal") })
			setMood(t, "slow")
			s.ring(scenario)
			s.pane().waitForText("h1", "Looking up the caller")
			arrived(s)
			s.pane().click("[data-done]")
			s.waitUntil("the pane is closed", `document.querySelector('#pane').hidden`)
		})
	}
}

// A page of a CRM that refuses framing is one click away from its card.
func TestCardOpensAPageThatRefusesFramingInATab(t *testing.T) {
	s := openSimulator(t)
	t.Cleanup(func() { setMood(t, "normal") })
	setMood(t, "slow")
	s.ring("refused")
	s.pane().waitForText("h1", "Solène Kerbrat")
	s.pane().click(".actions .button")
	s.waitForPopup("/confidential/" + idOf(t, "Solène Kerbrat"))
	s.pane().waitForText("h1", "Solène Kerbrat")
}

// Whatever the CRM does, an agent is never told that nobody is known because
// the CRM could not be asked.
func TestFaultyCRMIsCalledThat(t *testing.T) {
	for _, mood := range []string{"down", "wrong-key", "html"} {
		t.Run(mood, func(t *testing.T) {
			s := openSimulator(t)
			t.Cleanup(func() { setMood(t, "normal") })
			s.set("#mood", mood)
			s.waitForText("#log", "The demo CRM’s mood is now “"+mood+"”.")
			s.ring("known")
			if got := s.text("#http-status"); got != "200 OK" {
				t.Errorf("the gateway answered with status %q, want 200 OK", got)
			}
			s.pane().waitForText("h1", "The caller could not be looked up")
			s.pane().waitForText("main", "Could not be asked: demo")
			if got := s.pane().text("main"); got == "" || strings.Contains(got, "Unknown caller") {
				t.Errorf("the page says %q", got)
			}
		})
	}
}

func TestAnswerComesWhileTheCRMHangs(t *testing.T) {
	s := openSimulator(t)
	t.Cleanup(func() { setMood(t, "normal") })
	setMood(t, "hang")
	s.ring("known")
	s.pane().waitForText("h1", "Looking up the caller")
	s.pane().click("[data-done]")
	s.waitForText("#agent-state", "Ready")
}

func TestRetryOpensTheRecordWhenTheCRMIsBack(t *testing.T) {
	s := openSimulator(t)
	t.Cleanup(func() { setMood(t, "normal") })
	s.show("Could not ask")
	s.pane().waitForText("h1", "The caller could not be looked up")
	setMood(t, "normal")
	s.eventually("trying again opens the record", func() bool {
		if s.pane().text("h1") == "The caller could not be looked up" {
			s.pane().click(".actions .button")
		}
		return s.record().text("#name") == "Camille Moreau"
	})
}
