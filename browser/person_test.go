package browser

import (
	"strings"
	"testing"
)

func TestKeyboardAloneIsEnough(t *testing.T) {
	s := openSimulator(t)
	s.set("#scenario", "known-established")
	s.press("r")
	s.waitForText("#status", "answer the call to fire it")
	s.press("a")
	s.waitForText("#status", "Pane open")
	s.waitForText("#call-state", "Talking")
	s.press("h")
	s.waitForText("#call-state", "No call")
}

func TestShortcutsAreLettersInsideAField(t *testing.T) {
	s := openSimulator(t)
	s.click("#caller")
	s.press("r")
	if got := s.value("#caller"); !strings.Contains(got, "r") {
		t.Errorf("the field holds %q, want the letter that was typed", got)
	}
	if got := s.text("#call-state"); got != "No call" {
		t.Errorf("the call is %q, want none: typing rang", got)
	}
}

func TestFocusStaysOnAButtonThatWorks(t *testing.T) {
	s := openSimulator(t)
	s.ring("colleague")
	if got := evaluate[string](s, `document.activeElement.id`); got != "answer" {
		t.Errorf("the focus is on %q after ringing, want the answer button", got)
	}
}

func TestHostileTextsStayText(t *testing.T) {
	const attack = `"><img src=x onerror=alert(1)><script>alert(2)</script>`
	s := openSimulator(t)
	s.set("#caller", attack)
	s.set("#user-data", "USR_X="+attack+"\n__proto__="+attack)
	s.set("#first-name", attack)
	s.set("#last-name", "'; DROP TABLE agents; --")
	s.set("#callee", attack)
	s.ringAsIs()
	if got := s.text("#agent-name"); !strings.Contains(got, attack) {
		t.Errorf("the agent's name is %q, want the text as typed", got)
	}
	if got := s.text("#request"); !strings.Contains(got, "onerror=alert(1)") {
		t.Errorf("the request shows %q, want the text as typed", got)
	}
	s.expectNoMarkup()
}

func TestHostileRecordStaysTextInThePane(t *testing.T) {
	s := openSimulator(t)
	s.ring("hostile")
	s.waitForText("#pane-title", "<img src=x onerror=alert(1)>")
	s.record().waitForText("#name", "<img src=x onerror=alert(1)>")
	s.expectNoMarkup()
}

func TestHostileRecordStaysOneArgument(t *testing.T) {
	s := openSimulator(t)
	s.set("#scenario", "hostile")
	s.set("#queue", "")
	s.set("#user-data", "USR_APP=erp")
	s.ringAsIs()
	s.waitForText("#run-box", "The desktop application would run:")
	got := evaluate[[]string](s, `[...document.querySelectorAll('#run-args li')].map((item) => item.textContent)`)
	// Which of its characters the gateway lets through is the gateway's affair.
	if len(got) != 5 || !strings.HasPrefix(got[4], "--name=") {
		t.Errorf("the arguments are %q, want five with the name in the last", got)
	}
	s.expectNoMarkup()
}

// expectNoMarkup checks that no text has become an element. What runs would be
// reported by the page's policy, or by a dialog.
func (s *simulator) expectNoMarkup() {
	s.t.Helper()
	if made := evaluate[int](s, `document.querySelectorAll('img[src="x"], script:not([src])').length`); made != 0 {
		s.t.Errorf("%d elements were made out of text", made)
	}
}
