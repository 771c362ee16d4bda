package browser

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long any wait goes on before it is a failure. It says nothing
// about how long something should take: the machine may be a busy one.
const patience = 60 * time.Second

// A process is one running bin/demo.
type process struct {
	Gateway, CRM, Simulator string // host:port

	// config is a Caddyfile to run instead of the demo's own, and environment what
	// it needs beside the usual.
	config      string
	environment []string

	command *exec.Cmd
	output  *lockedBuffer
	ended   chan error
}

// demoBinary is the program under test. Its absence is a failure, because a
// test that skips itself is a test that nobody notices is gone.
func demoBinary() (string, error) {
	path := os.Getenv("SCREENPOP_DEMO")
	if path == "" {
		return "", fmt.Errorf("SCREENPOP_DEMO is not set: build ./cmd/demo and give its path")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("finding SCREENPOP_DEMO: %w", err)
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("SCREENPOP_DEMO: %w", err)
	}
	return path, nil
}

// startDemo runs bin/demo on three free ports and returns when all three answer.
func startDemo(home string) (*process, error) {
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	p := &process{Gateway: ports[0], CRM: ports[1], Simulator: ports[2]}
	return p, p.start(home)
}

// start runs it and returns when it is up.
func (p *process) start(home string) error {
	if err := p.run(home); err != nil {
		return err
	}
	if err := p.waitUntilUp(); err != nil {
		_ = p.command.Process.Kill()
		return err
	}
	return nil
}

func (p *process) run(home string) error {
	path, err := demoBinary()
	if err != nil {
		return err
	}
	p.output = &lockedBuffer{}
	p.command = exec.Command(path, "--gateway", p.Gateway, "--crm", p.CRM, "--simulator", p.Simulator)
	if p.config != "" {
		p.command.Args = append(p.command.Args, "--config", p.config)
	}
	p.command.Env = append(os.Environ(), "HOME="+home, "XDG_DATA_HOME="+home, "XDG_CONFIG_HOME="+home)
	p.command.Env = append(p.command.Env, p.environment...)
	p.command.Stdout, p.command.Stderr = p.output, p.output
	if err := p.command.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", path, err)
	}
	p.ended = make(chan error, 1)
	go func() { p.ended <- p.command.Wait() }()
	return nil
}

func (p *process) waitUntilUp() error {
	deadline := time.After(patience)
	for !p.up() {
		select {
		case err := <-p.ended:
			return fmt.Errorf("the demo ended before it was up (%w):\n%s", err, p.output)
		case <-deadline:
			return fmt.Errorf("the demo is not up after %s:\n%s", patience, p.output)
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// up tells whether the demo has said so, and its three addresses answer.
func (p *process) up() bool {
	if !strings.Contains(p.output.String(), "The demo is up") {
		return false
	}
	for _, address := range []string{p.Gateway, p.CRM, p.Simulator} {
		response, err := http.Get("http://" + address + "/")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
	}
	return true
}

// interrupt is Ctrl-C. It returns how the process ended.
func (p *process) interrupt() error {
	if err := p.command.Process.Signal(syscall.SIGINT); err != nil {
		return fmt.Errorf("interrupting the demo: %w", err)
	}
	select {
	case err := <-p.ended:
		return err
	case <-time.After(patience):
		_ = p.command.Process.Kill()
		return fmt.Errorf("the demo did not end within %s of Ctrl-C", patience)
	}
}

// freePorts returns loopback addresses that were free a moment ago.
func freePorts(count int) ([]string, error) {
	var addresses []string
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("finding a free port: %w", err)
		}
		defer func() { _ = listener.Close() }()
		addresses = append(addresses, listener.Addr().String())
	}
	return addresses, nil
}

// A lockedBuffer is written by a process while a test reads it.
type lockedBuffer struct {
	mutex  sync.Mutex
	buffer bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.buffer.String()
}

func TestCtrlCEndsTheDemoCleanly(t *testing.T) {
	p, err := startDemo(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.interrupt(); err != nil {
		t.Errorf("ended with %v, want exit status 0; output:\n%s", err, p.output)
	}
}

func TestTakenPortIsReportedWithItsFlag(t *testing.T) {
	for _, flag := range []string{"--gateway", "--crm", "--simulator"} {
		t.Run(flag, func(t *testing.T) {
			taken, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = taken.Close() }()
			output, err := exec.Command(mustBinary(t), withAddress(t, flag, taken.Addr().String())...).CombinedOutput()
			if err == nil {
				t.Fatal("the demo ended without an error")
			}
			if got := string(output); !strings.Contains(got, flag) || !strings.Contains(got, taken.Addr().String()) {
				t.Errorf("output %q names neither %s nor %s", got, flag, taken.Addr())
			}
		})
	}
}

func mustBinary(t *testing.T) string {
	t.Helper()
	path, err := demoBinary()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// withAddress gives every flag a free address, but one flag the given address.
func withAddress(t *testing.T, flag, address string) []string {
	t.Helper()
	ports, err := freePorts(3)
	if err != nil {
		t.Fatal(err)
	}
	var arguments []string
	for i, name := range []string{"--gateway", "--crm", "--simulator"} {
		if name == flag {
			ports[i] = address
		}
		arguments = append(arguments, name, ports[i])
	}
	return arguments
}
