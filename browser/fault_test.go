package browser

import (
	"encoding/json"
	"testing"
)

// Whatever the CRM does, the agent's application gets an answer, and an agent is
// never shown the form for a new contact because the CRM could not be asked.
func TestFaultyCRMOpensNothing(t *testing.T) {
	for _, mood := range []string{"slow", "hang", "down", "wrong-key", "html"} {
		t.Run(mood, func(t *testing.T) {
			s := openSimulator(t)
			t.Cleanup(func() { setMood(t, "normal") })
			s.set("#mood", mood)
			s.waitForText("#log", "The demo CRM’s mood is now “"+mood+"”.")
			s.ring("known")
			if got := s.text("#http-status"); got != "200 OK" {
				t.Errorf("the gateway answered with status %q, want 200 OK", got)
			}
			s.waitForText("#status", "nothing opens")
			s.expectNothingOpened()
		})
	}
}

func TestRecoveredCRMIsAskedAgain(t *testing.T) {
	s := openSimulator(t)
	s.set("#mood", "down")
	s.waitForText("#log", "The demo CRM’s mood is now “down”.")
	s.ring("known")
	s.waitForText("#status", "nothing opens")
	s.click("#hangup")
	s.set("#mood", "normal")
	s.waitForText("#log", "The demo CRM’s mood is now “normal”.")
	s.eventually("the record opens again", func() bool {
		s.ring("known")
		s.click("#hangup")
		return len(s.popups()) > 0
	})
}

func TestAnswerIsReadableUnderTheHood(t *testing.T) {
	s := openSimulator(t)
	s.ring("colleague")
	var answer map[string]any
	body := evaluate[string](s, `document.querySelector('#response').textContent.split('\n\n').at(-1)`)
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("the answer shown is no JSON: %v\n%s", err, body)
	}
	if len(answer) != 1 || answer["action"] != "none" {
		t.Errorf("the answer is %v, want exactly action none", answer)
	}
}
