package browser

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// These tests put a service of their own in the gateway's place, to check that
// the simulator has the races of the real application, and so can show what a
// careless service would do to an agent.

// A service answers each call with the next thing that the test sends it. No
// text is status 503.
type service struct {
	*httptest.Server

	answers chan string
}

func newService(t *testing.T, s *simulator) *service {
	t.Helper()
	answering := &service{answers: make(chan string)}
	answering.Server = httptest.NewServer(http.HandlerFunc(answering.serve))
	t.Cleanup(func() {
		// A test that failed leaves its call waiting, and Close would wait with it.
		answering.CloseClientConnections()
		answering.Close()
	})
	s.set("#third-party-url", answering.URL)
	s.set("#scenario", "known")
	return answering
}

func (v *service) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Access-Control-Allow-Headers", "Content-Type, Accept")
	if r.Method == http.MethodOptions {
		return
	}
	// Only a request that was read to its end is told that its client has left.
	_, _ = io.Copy(io.Discard, r.Body)
	select {
	case answer := <-v.answers:
		w.Header().Set("Content-Type", "application/json")
		if answer == "" {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_, _ = fmt.Fprint(w, answer)
	case <-r.Context().Done():
	}
}

// answer lets the service answer the call that waits, and waits until the page
// has read it.
func (v *service) answer(s *simulator, text string) {
	s.t.Helper()
	v.answers <- text
	s.waitForAnswer()
}

// openRecord is an answer that opens a contact in the pane.
func openRecord(event string) string {
	return fmt.Sprintf(`{"action":"open","event":%q,"url":"http://%s/contacts/c-0001","title":"One"}`, event, running.CRM)
}

func TestEventRingingFiresHoweverLateTheAnswerIs(t *testing.T) {
	s := openSimulator(t)
	v := newService(t, s)
	s.click("#ring")
	s.waitForText("#status", "Ringing — waiting for the gateway’s answer…")
	s.click("#answer")
	s.waitForText("#status", "picked up — still waiting")
	v.answer(s, openRecord("EventRinging"))
	s.waitForText("#status", "Pane open")
}

func TestEventEstablishedIsLostWhenTheAnswerIsLate(t *testing.T) {
	s := openSimulator(t)
	v := newService(t, s)
	s.click("#ring")
	s.click("#answer")
	v.answer(s, openRecord("EventEstablished"))
	s.waitForText("#status", "the action is lost for this call")
	s.expectNothingOpened()
}

func TestActionOfAMissedCallFiresOnTheNextOne(t *testing.T) {
	s := openSimulator(t)
	v := newService(t, s)
	s.click("#ring")
	v.answer(s, openRecord("EventEstablished"))
	s.click("#hangup")
	s.click("#ring")
	s.click("#answer")
	s.waitUntil("the pane of the missed call is open", `!document.querySelector('#pane').hidden`)
	v.answer(s, `{"action":"none"}`)
}

func TestNoneWithAutopausePausesTheAgentWithNoPaneToEndIt(t *testing.T) {
	s := openSimulator(t)
	v := newService(t, s)
	s.click("#ring")
	v.answer(s, `{"action":"none","event":"EventRinging","autopause":true}`)
	s.waitForText("#agent-state", "On pause")
	s.waitForText("#status", "no pane will end it")
	s.click("#unpause")
	s.waitForText("#agent-state", "Ready")
}

func TestClosingAnOldPaneDropsTheNewCallsAction(t *testing.T) {
	s := openSimulator(t)
	v := newService(t, s)
	s.click("#ring")
	v.answer(s, openRecord("EventRinging"))
	s.click("#hangup")
	s.click("#ring")
	v.answer(s, openRecord("EventEstablished"))
	s.click("#pane-close")
	s.click("#answer")
	s.waitForText("#slot-action", "empty")
	s.expectNothingOpened()
}

func TestActionWithoutEventNeverFires(t *testing.T) {
	s := openSimulator(t)
	v := newService(t, s)
	s.click("#ring")
	v.answer(s, `{"action":"open","url":"http://127.0.0.1:1/"}`)
	s.waitForText("#status", "names no event")
	s.click("#answer")
	s.click("#hangup")
	s.expectNothingOpened()
}

func TestOnlyWebAddressesAreOpened(t *testing.T) {
	for _, action := range []string{"open", "popup"} {
		t.Run(action, func(t *testing.T) {
			s := openSimulator(t)
			v := newService(t, s)
			s.click("#ring")
			v.answer(s, `{"action":"`+action+`","event":"EventRinging","url":"javascript:alert(document.domain)"}`)
			s.waitForText("#log", "Not a web address, so nothing opens")
			s.expectNothingOpened()
		})
	}
}

func TestBlockedPopupIsShownWithALink(t *testing.T) {
	s := openSimulator(t)
	v := newService(t, s)
	evaluate[bool](s, `(window.open = () => null) && true`)
	s.click("#ring")
	v.answer(s, `{"action":"popup","event":"EventRinging","url":"http://`+running.CRM+`/"}`)
	s.waitForText("#popup-notice", "The browser blocked the popup.")
	if got, want := s.read("#popup-link", "href"), "http://"+running.CRM+"/"; got != want {
		t.Errorf("the link leads to %q, want %q", got, want)
	}
}

func TestFailuresShowTheAgentNothing(t *testing.T) {
	t.Run("an error status", func(t *testing.T) {
		s := openSimulator(t)
		v := newService(t, s)
		s.expectProblem("503")
		s.click("#ring")
		v.answer(s, "")
		s.waitForText("#status", "XucMgt shows the agent nothing.")
		s.expectNothingOpened()
	})
	t.Run("text that says it is JSON", func(t *testing.T) {
		s := openSimulator(t)
		v := newService(t, s)
		s.click("#ring")
		v.answer(s, `{"action":`)
		s.waitForText("#status", "XucMgt shows the agent nothing.")
		s.expectNothingOpened()
	})
}
