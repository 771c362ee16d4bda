package browser

import (
	"net/http"
	"strings"
	"testing"
)

func TestKnownCallerOpensTheirRecordInThePane(t *testing.T) {
	s := openSimulator(t)
	s.ring("known")
	s.record().waitForText("#name", "Camille Moreau")
	s.waitForText("#status", "Pane open beside the phone.")
	if !s.sent(http.MethodOptions) {
		t.Error("no preflight went to the gateway")
	}
	if popups := s.popups(); len(popups) > 0 {
		t.Errorf("windows opened: %v", popups)
	}
}

func TestRuleCanOpenThePopup(t *testing.T) {
	s := openSimulator(t)
	s.ring("known-popup")
	if text := s.waitForPopup("/contacts/c-0001"); !strings.Contains(text, "Camille Moreau") {
		t.Errorf("the popup shows %q, want Camille Moreau", text)
	}
	s.waitForText("#status", "The popup was opened.")
}

func TestEverySpellingOfTheTrunkFindsTheSameRecord(t *testing.T) {
	for _, scenario := range []string{
		"known-e164", "known-idd", "known-digits", "known-trunk-zero", "known-sip", "known-tel", "known-mobile",
	} {
		t.Run(scenario, func(t *testing.T) {
			s := openSimulator(t)
			s.ring(scenario)
			s.record().waitForText("#name", "Camille Moreau")
		})
	}
}

func TestForeignCallerOpensTheirRecord(t *testing.T) {
	s := openSimulator(t)
	s.ring("foreign")
	s.record().waitForText("#company", "Weiß Maschinenbau")
	s.pane().waitForText(".from", "Berlin")
}

// A page that refuses to be framed would leave the pane blank.
func TestPageThatRefusesFramingOpensInAPopup(t *testing.T) {
	s := openSimulator(t)
	s.show("Framing refused")
	if text := s.waitForPopup("/confidential/" + idOf(t, "Solène Kerbrat")); !strings.Contains(text, "Solène Kerbrat") {
		t.Errorf("the popup shows %q, want Solène Kerbrat", text)
	}
	if s.visible("#pane") {
		t.Error("the pane is open")
	}
	if got := s.text("#agent-state"); got != "Ready" {
		t.Errorf("the agent is %q, want Ready: no pane would end a pause", got)
	}
}

// Nobody would post closeThirdParty for the popup.
func TestPopupInsteadOfAPanePausesNobody(t *testing.T) {
	s := openSimulator(t)
	s.set("#scenario", "refused")
	s.set("#queue", "support")
	s.ringAsIs()
	s.waitForText("#status", "The popup was opened.")
	if got := s.text("#agent-state"); got != "Ready" {
		t.Errorf("the agent is %q, want Ready", got)
	}
}

func TestSecondCallUsesThePopupAgain(t *testing.T) {
	s := openSimulator(t)
	s.ring("refused")
	s.waitForPopup("/confidential/" + idOf(t, "Solène Kerbrat"))
	s.click("#hangup")
	s.ring("refused-too")
	s.waitForPopup("/confidential/" + idOf(t, "Yann Kerbrat"))
	if popups := s.popups(); len(popups) != 1 {
		t.Errorf("windows %v, want one", popups)
	}
}

func TestMultitabOpensAnotherTabForEveryCall(t *testing.T) {
	s := openSimulator(t)
	for range 2 {
		s.ring("known-multitab")
		s.waitForPopup("/contacts/c-0001")
		s.click("#hangup")
	}
	s.eventually("two tabs are open", func() bool { return len(s.popups()) == 2 })
}

func TestWithheldAndInternalCallsOpenNothingAndSaySo(t *testing.T) {
	for _, scenario := range []string{"withheld", "withheld-absent", "anonymous", "colleague"} {
		t.Run(scenario, func(t *testing.T) {
			s := openSimulator(t)
			s.ring(scenario)
			s.waitForText("#status", "nothing opens")
			s.expectNothingOpened()
			if got := s.text("#agent-state"); got != "Ready" {
				t.Errorf("the agent is %q, want Ready", got)
			}
		})
	}
}

func TestRunShowsEveryArgumentInItsOwnBox(t *testing.T) {
	s := openSimulator(t)
	s.ring("known-run")
	s.waitForText("#run-box", "The desktop application would run:")
	if got := s.text("#run-program"); got != `C:\Program Files\Erp\erp.exe` {
		t.Errorf("the program is %q", got)
	}
	got := evaluate[[]string](s, `[...document.querySelectorAll('#run-args li')].map((item) => item.textContent)`)
	want := []string{"--phone", "+33427466347", "--contact", "c-0001", "--name=Camille Moreau"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the arguments are %q, want %q", got, want)
	}
}
