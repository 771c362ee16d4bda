package caddymodule

import (
	"bytes"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// aFault is a CRM that fails in one way: a block named faulty.
type aFault struct {
	name  string
	block func(t *testing.T, options string) string
	want  string
}

// networkFaults are those before a request arrives: nothing answers, its name is
// not found, or no TLS comes about.
var networkFaults = []aFault{
	{"is not running", func(t *testing.T, options string) string {
		return (&socketCRM{address: freeAddress(t)}).block("faulty", options)
	}, "(connection refused); is the url right and the CRM running?"},
	{"has no such host", named(answersName(3)), "the host of http://crm.screenpop.test can't be resolved (no such host); check the url and the DNS"},
	{"its name server fails", named(answersName(2)), "can't be resolved (server misbehaving)"},
	{"its name server refuses", named(answersName(5)), "can't be resolved"},
	{"its name server knows no address", named(answersName(0)), "can't be resolved (no such host)"},
	{"its name server hangs", named(func([]byte) []byte { return nil }), "no answer within"},
	{"its name server talks garbage", named(func([]byte) []byte { return []byte("\x00\xff garbage") }), "no answer within"},
	{"its certificate is not trusted", func(t *testing.T, options string) string {
		crm := httptest.NewUnstartedServer(http.NotFoundHandler())
		crm.Config.ErrorLog = log.New(io.Discard, "", 0) // tells of each handshake
		crm.StartTLS()
		t.Cleanup(crm.Close)
		return (&register{Server: crm}).block("faulty", options)
	}, "is not trusted"},
	{"speaks no TLS", func(t *testing.T, options string) string {
		crm := httptest.NewServer(http.NotFoundHandler())
		t.Cleanup(crm.Close)
		return secured((&register{Server: crm}).block("faulty", options))
	}, "does not speak TLS"},
	{"hangs in the handshake", func(t *testing.T, options string) string {
		return secured((&socketCRM{address: strings.TrimPrefix(silent(t), "http://")}).block("faulty", options))
	}, "no answer within"},
	{"closes in the handshake", begun(func(net.Conn) {}), "broke off"},
	{"resets in the handshake", begun(func(c net.Conn) { _ = c.(*net.TCPConn).SetLinger(0) }), "broke off"},
	{"refuses the handshake", begun(func(c net.Conn) { _, _ = c.Write([]byte("\x15\x03\x03\x00\x02\x02\x28")) }), "handshake failure"},
	{"breaks the handshake off", begun(func(c net.Conn) { _, _ = c.Write([]byte("\x16\x03\x03\x40\x00\x02\x00")) }), "broke off"},
}

// secured is a block with https in its address.
func secured(block string) string {
	return strings.Replace(block, "crm rest http://", "crm rest https://", 1)
}

// block describes the CRM.
func (s *socketCRM) block(name, options string) string {
	return (&register{Server: &httptest.Server{URL: "http://" + s.address}}).block(name, options)
}

// begun does something with connections of which it has read the beginning of
// a handshake, and closes them.
func begun(then func(net.Conn)) func(*testing.T, string) string {
	return func(t *testing.T, options string) string {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var open sync.WaitGroup
		open.Go(func() {
			for {
				connection, err := listener.Accept()
				if err != nil {
					return
				}
				open.Go(func() {
					_, _ = connection.Read(make([]byte, 1<<10))
					then(connection)
					connection.Close()
				})
			}
		})
		t.Cleanup(func() { listener.Close(); open.Wait() })
		return secured((&socketCRM{address: listener.Addr().String()}).block("faulty", options))
	}
}

// named is a CRM whose name a name server is asked for.
func named(answer func(question []byte) []byte) func(*testing.T, string) string {
	return func(t *testing.T, options string) string {
		crm := &socketCRM{address: "crm.screenpop.test"}
		return crm.block("faulty", options+"\n\t\ttransport http {\n\t\t\tresolvers "+nameServer(t, answer)+"\n\t\t}")
	}
}

// nameServer answers questions for names; nil is no answer.
func nameServer(t *testing.T, answer func(question []byte) []byte) string {
	t.Helper()
	socket, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		buffer := make([]byte, 1<<10)
		for {
			n, from, err := socket.ReadFrom(buffer)
			if err != nil {
				return
			}
			if said := answer(bytes.Clone(buffer[:n])); said != nil {
				_, _ = socket.WriteTo(said, from)
			}
		}
	})
	t.Cleanup(func() { socket.Close(); serving.Wait() })
	return socket.LocalAddr().String()
}

// answersName answers every question with a code and no address.
func answersName(code byte) func([]byte) []byte {
	return func(question []byte) []byte {
		question[2], question[3] = 0x81, 0x80|code
		return question
	}
}

// resolvesName answers with this machine's address.
func resolvesName(question []byte) []byte {
	end := 12 + bytes.IndexByte(question[12:], 0) + 5
	asksForIPv4 := question[end-3] == 1
	answer := append(bytes.Clone(question[:end]), "\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x00\x00\x04\x7f\x00\x00\x01"...)
	answer[2], answer[3] = 0x81, 0x80
	copy(answer[6:12], []byte{0, 1, 0, 0, 0, 0})
	if !asksForIPv4 {
		answer[7], answer = 0, answer[:end]
	}
	return answer
}

func TestEveryFaultOfTheNetworkIsUnreachable(t *testing.T) {
	for _, fault := range networkFaults {
		t.Run(fault.name, func(t *testing.T) {
			deadline := "20s"
			if fault.want == "no answer within" {
				deadline = "300ms"
			}
			g := serve(t, site("deadline "+deadline, fault.block(t, "")))
			g.unasked(t, "crm faulty: ", fault.want)
		})
	}
}

// A name server that failed is asked again for the next call.
func TestACRMWhoseNameIsFoundAgainIsAsked(t *testing.T) {
	crm := newSocketCRM(t, directory)
	_, port, _ := net.SplitHostPort(crm.address)
	var mu sync.Mutex
	answer := answersName(2)
	server := nameServer(t, func(question []byte) []byte {
		mu.Lock()
		defer mu.Unlock()
		return answer(question)
	})
	block := (&socketCRM{address: "crm.screenpop.test:" + port}).block("crm", "protect {\n\t\t\tbreaker off\n\t\t}\n\t\ttransport http {\n\t\t\tresolvers "+server+"\n\t\t}")
	g := serve(t, site("deadline 20s", block))
	g.unasked(t, "can't be resolved")
	mu.Lock()
	answer = resolvesName
	mu.Unlock()
	g.ring("0199000002").want(t, http.StatusOK, opened("https://crm.example.com/33199000002"))
}
