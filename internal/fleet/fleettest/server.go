// Package fleettest runs a real Redis or Valkey for tests.
package fleettest

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// Server is a Redis or Valkey on an address of its own. It keeps nothing on disk.
type Server struct {
	t       testing.TB
	address string
	options []string
	process *os.Process
}

// Run starts a server with further options, for as long as the test takes.
func Run(t testing.TB, options ...string) *Server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // of this machine
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{t: t, address: listener.Addr().String(), options: options}
	_ = listener.Close()
	s.Start()
	t.Cleanup(s.Kill)
	return s
}

// Address is its host and port.
func (s *Server) Address() string { return s.address }

// Start starts it, and waits until it can be connected to.
func (s *Server) Start() {
	s.t.Helper()
	program, err := exec.LookPath("valkey-server")
	if err != nil {
		program, err = exec.LookPath("redis-server")
	}
	if err != nil {
		s.t.Fatal("there is no valkey-server or redis-server: on Debian, apt-get install redis-server")
	}
	_, port, err := net.SplitHostPort(s.address)
	if err != nil {
		s.t.Fatal(err)
	}
	command := exec.Command(program, append([]string{"--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"}, s.options...)...) //nolint:gosec,noctx // it is killed
	if err := command.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.process = command.Process
	for range 1000 {
		connection, err := net.Dial("tcp", s.address) //nolint:noctx // of this machine
		if err == nil {
			_ = connection.Close()
			return
		}
		time.Sleep(10 * time.Millisecond) // polls
	}
	s.t.Fatal("the server does not answer")
}

// Kill ends it as a power cut does.
func (s *Server) Kill() {
	if s.process != nil {
		_ = s.process.Kill()
		_, _ = s.process.Wait()
		s.process = nil
	}
}

// SetBack lets what it holds stay for longer, as does setting its machine's clock
// back. It returns how many answers that are.
func (s *Server) SetBack(by time.Duration) (answers int) {
	s.t.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{s.address}, DisableCache: true})
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	keys, err := client.Do(s.t.Context(), client.B().Keys().Pattern("*").Build()).AsStrSlice()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, key := range keys {
		if strings.HasSuffix(key, ":claim") {
			continue // ends with its answer
		}
		left, err := client.Do(s.t.Context(), client.B().Pttl().Key(key).Build()).AsInt64()
		if err == nil && left > 0 && client.Do(s.t.Context(), client.B().Pexpire().Key(key).Milliseconds(left+by.Milliseconds()).Build()).Error() == nil {
			answers++
		}
	}
	return answers
}

// Freeze lets it hang: connections stay, and nothing is answered.
func (s *Server) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw lets it go on.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(signal os.Signal) {
	s.t.Helper()
	if err := s.process.Signal(signal); err != nil {
		s.t.Fatal(err)
	}
}
