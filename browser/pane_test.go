package browser

import (
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
	if got := s.frameText("#name"); got != "Camille Moreau" {
		t.Errorf("the pane shows %q", got)
	}

	s.clickInFrame("#done")
	s.waitUntil("the pane is closed", `document.querySelector('#pane').hidden`)
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

func TestDoneIsForThePaneOnly(t *testing.T) {
	s := openSimulator(t)
	s.do(chromedp.Navigate("http://" + running.CRM + "/contacts/c-0001"))
	if s.visible("#done") {
		t.Error("the CRM's page offers Done although it is in no frame")
	}
}

func TestEventEstablishedFiresWhenTheCallIsAnswered(t *testing.T) {
	s := openSimulator(t)
	s.ring("known-established")
	s.waitForText("#status", "The answer wants EventEstablished: answer the call to fire it.")
	s.expectNothingOpened()
	s.click("#answer")
	s.waitForText("#status", "Pane open")
	if got := s.frameText("#name"); got != "Camille Moreau" {
		t.Errorf("the pane shows %q", got)
	}
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
}

func TestEventReleasedIsSilentAfterACallThatNobodyAnswered(t *testing.T) {
	s := openSimulator(t)
	s.ring("known-released")
	s.waitForText("#status", "The answer wants EventReleased")
	s.click("#hangup")
	s.waitForText("#status", "not established in time: nothing opens")
	s.expectNothingOpened()
}
