package caddymodule

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
)

const (
	isUnreachable = "https://unreachable.example.com/"
	// somebody's number is even, and nobody's is odd.
	somebodysCall = "0199000002"
	nobodysCall   = "0199000001"
)

func isEven(number string) bool { return (number[len(number)-1]-'0')%2 == 0 }

// directory is a CRM that knows whoever has an even number, by that number.
func directory(c net.Conn, request *http.Request, _ <-chan struct{}) {
	phone := request.URL.Query().Get("phone")
	body := `{"items":[]}`
	if isEven(phone) {
		body = fmt.Sprintf(`{"items":[{"id":%q,"phone":%q}]}`, phone[1:], phone)
	}
	fmt.Fprintf(c, "%sConnection: close\r\nContent-Length: %d\r\n\r\n%s", heading, len(body), body)
}

// inDirectory is what a caller opens whom a CRM of that name knows or does not.
func inDirectory(name, caller string) string {
	if isEven(caller) {
		return opened("https://" + name + ".example.com/33" + caller[1:])
	}
	return opened(isNobody)
}

// everyFault is every way in which a CRM fails that these tests know.
func everyFault() []aFault {
	all := networkFaults
	for _, fault := range socketFaults {
		all = append(all, aFault{fault.name, func(t *testing.T, options string) string {
			return newSocketCRM(t, fault.behaviour).block("faulty", options)
		}, fault.want})
	}
	return all
}

// Who is found in another CRM counts, and nobody is called unknown whom one of
// them could not be asked for: also not when the other's answer is remembered.
func TestWhileOneOfSeveralCRMsFailsTheOthersAnswerCounts(t *testing.T) {
	for _, fault := range everyFault() {
		t.Run(fault.name, func(t *testing.T) {
			faulty := fault.block(t, "timeout 300ms\n\t\twindow 50ms")
			works := newSocketCRM(t, directory).block("works", "")
			for _, crms := range [][]string{{faulty, works}, {works, faulty}} {
				g := serve(t, site("deadline 20s", crms...))
				g.ring(somebodysCall).want(t, http.StatusOK, inDirectory("works", somebodysCall))
				for range 2 {
					g.ring(nobodysCall).want(t, http.StatusOK, opened(isUnreachable))
				}
				line := g.lastCall()
				if said := fmt.Sprint(line["error"]); line["outcome"] != "unreachable" || !strings.Contains(said, "crm faulty: ") || strings.Contains(said, "crm works: ") {
					t.Errorf("logged %v", line)
				}
			}
		})
	}
}
