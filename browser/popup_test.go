package browser

import (
	"strings"
	"testing"
)

func TestKnownCallerOpensTheirRecordInAPopup(t *testing.T) {
	s := openSimulator(t)
	s.ring("known")
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
			s.waitForPopup("/contacts/c-0001")
		})
	}
}

func TestForeignCallerOpensTheirRecord(t *testing.T) {
	s := openSimulator(t)
	s.ring("foreign")
	if text := s.waitForPopup("/contacts/" + idOf(t, "Jürgen Weiß")); !strings.Contains(text, "Weiß Maschinenbau") {
		t.Errorf("the popup shows %q, want Jürgen Weiß", text)
	}
}

func TestUnknownCallerOpensAPrefilledForm(t *testing.T) {
	for _, scenario := range []string{"unknown", "strangers"} {
		t.Run(scenario, func(t *testing.T) {
			s := openSimulator(t)
			s.ring(scenario)
			caller := strings.TrimPrefix(s.value("#caller"), "0")
			s.waitForPopup("/contacts/new?phone=%2B33" + caller)
		})
	}
}

func TestSeveralPeopleBehindOneNumberAreNotGuessedAt(t *testing.T) {
	for scenario, people := range map[string]string{"switchboard": "8 found", "duplicate": "2 found"} {
		t.Run(scenario, func(t *testing.T) {
			s := openSimulator(t)
			s.ring(scenario)
			if text := s.waitForPopup("/search?q=" + s.value("#caller")); !strings.Contains(text, people) {
				t.Errorf("the popup shows %.200q, want %s", text, people)
			}
		})
	}
}

func TestSecondCallUsesThePopupAgain(t *testing.T) {
	s := openSimulator(t)
	s.ring("known")
	s.waitForPopup("/contacts/c-0001")
	s.click("#hangup")
	s.ring("unknown")
	s.waitForPopup("/contacts/new?phone=%2B33536490999")
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
