package browser

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

func TestPaneShowsTheRecordAndPausesTheAgentUntilDone(t *testing.T) {
	s := openSimulator(t)
	s.ring("known-support")
	s.waitForText("#agent-state", "On pause (wrapup)")
	s.waitForText("#status", "until the pane posts closeThirdParty")
	if got := s.text("#pane-title"); got != "Camille Moreau" {
		t.Errorf("the pane's tab says %q", got)
	}
	s.pane().waitForText("header", "04 27 46 63 47")
	s.pane().waitForText(".queue", "Support")
	s.record().waitForText("#name", "Camille Moreau")

	s.pane().click("[data-done]")
	s.waitUntil("the pane is closed", `document.querySelector('#pane').hidden`)
	s.waitForText("#agent-state", "Ready")
	s.waitForText("#log", "closeThirdParty received from http://"+running.Gateway)
}

func TestAgentIsReleasedWhateverTheCRMsPageDoes(t *testing.T) {
	s := openSimulator(t)
	s.ring("known-support")
	s.record().waitForText("#name", "Camille Moreau")
	s.record().click(".new")
	s.record().waitForText("h1", "New contact")
	s.pane().click("[data-done]")
	s.waitForText("#agent-state", "Ready")
}

func TestCrossClosesThePaneToo(t *testing.T) {
	s := openSimulator(t)
	s.ring("known-support")
	s.waitForText("#agent-state", "On pause (wrapup)")
	s.click("#pane-close")
	s.waitUntil("the pane is closed", `document.querySelector('#pane').hidden`)
	s.waitForText("#agent-state", "Ready")
}

// Every page that the gateway serves into the pane lets the agent finish.
func TestDoneClosesEveryPage(t *testing.T) {
	// The waiting page itself is finished with while the CRM hangs: here it has
	// turned into the record.
	for name, heading := range map[string]string{
		"Record": "Camille Moreau", "Chooser": "Who is calling?", "Card": "Papeterie du Rhin", "Unknown caller": "Unknown caller",
		"Waiting": "Camille Moreau", "Could not ask": "The caller could not be looked up",
		"Expired link": "This page is out of date", "Changed link": "This link is not valid",
	} {
		t.Run(name, func(t *testing.T) {
			s := openSimulator(t)
			t.Cleanup(func() { setMood(t, "normal") })
			s.expectRefusals(name)
			s.show(name)
			s.pane().waitForText("h1", heading)
			s.pane().click("[data-done]")
			s.waitUntil("the pane is closed", `document.querySelector('#pane').hidden`)
			s.waitForText("#agent-state", "Ready")
		})
	}
}

// expectRefusals allows the error statuses that a page is served with.
func (s *simulator) expectRefusals(name string) {
	switch name {
	case "Expired link":
		s.expectProblem("410 (Gone)")
	case "Changed link":
		s.expectProblem("404 (Not Found)")
	}
}

func TestEventEstablishedFiresWhenTheCallIsAnswered(t *testing.T) {
	s := openSimulator(t)
	s.ring("known-established")
	s.waitForText("#status", "The answer wants EventEstablished: answer the call to fire it.")
	s.expectNothingOpened()
	s.click("#answer")
	s.waitForText("#status", "Pane open")
	s.record().waitForText("#name", "Camille Moreau")
	if got := s.text("#agent-state"); got != "On call" {
		t.Errorf("the agent is %q, want On call", got)
	}
}

func TestEventReleasedFiresAfterAnEstablishedCall(t *testing.T) {
	s := openSimulator(t)
	s.ring("known-released")
	s.waitForText("#status", "The answer wants EventReleased")
	s.click("#answer")
	s.waitForText("#status", "hang up to fire it")
	s.expectNothingOpened()
	s.click("#hangup")
	s.waitForText("#status", "Pane open")
	s.waitForText("#agent-state", "On pause (wrapup)")
	s.pane().click("[data-done]")
	s.waitForText("#agent-state", "Ready")
}

func TestEventReleasedIsSilentAfterACallThatNobodyAnswered(t *testing.T) {
	s := openSimulator(t)
	s.ring("known-released")
	s.waitForText("#status", "The answer wants EventReleased")
	s.click("#hangup")
	s.waitForText("#status", "not established in time: nothing opens")
	s.expectNothingOpened()
}

func TestSecondCallShowsItsOwnPageInThePane(t *testing.T) {
	s := openSimulator(t)
	s.show("Chooser")
	s.pane().waitForText("h1", "Who is calling?")
	s.show("Unknown caller")
	s.pane().waitForText("h1", "Unknown caller")
}

func TestFrameRefusesOtherAncestors(t *testing.T) {
	s := openSimulator(t)
	s.show("Unknown caller")
	s.pane().waitForText("h1", "Unknown caller")
	stranger := newPage(t, `<iframe src="`+s.pane().url()+`"></iframe>`)

	other := openTab(t)
	other.expectProblem("frame-ancestors")
	other.do(chromedp.Navigate(stranger))
	other.eventually("the browser has refused the frame", func() bool { return other.reported("frame-ancestors") })
	if got := other.pane().text("h1"); strings.Contains(got, "Unknown caller") {
		t.Errorf("a stranger's page shows %q of ours", got)
	}
}
