// Package process runs programs beside this one, and tells what they use.
package process

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Process is a program that runs.
type Process struct{ command *exec.Cmd }

// Start runs a program until the context ends. What it logs goes to log.
func Start(ctx context.Context, log io.Writer, environment []string, name string, args ...string) (*Process, error) {
	p := &Process{exec.CommandContext(ctx, name, args...)} //nolint:gosec // ours
	p.command.Env = append(os.Environ(), environment...)
	p.command.Stderr = log
	return p, p.command.Start()
}

// Await waits until something listens at an address.
func Await(address string) error {
	for range 200 {
		connection, err := (&net.Dialer{Timeout: time.Second}).DialContext(context.Background(), "tcp", address)
		if err == nil {
			return connection.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("nothing listens at %s", address)
}

// Signal sends it a signal.
func (p *Process) Signal(signal os.Signal) error { return p.command.Process.Signal(signal) }

// End ends it as a power cut does.
func (p *Process) End() {
	_ = p.command.Process.Kill() // it may have ended
	_ = p.command.Wait()
}

// Memory is what of a program is in memory, in bytes.
type Memory struct {
	// Resident is all of it, and Peak the most that it was so far.
	Resident, Peak int64
	// Own is what is not in a file too, as the program itself is.
	Own int64
}

// Memory tells what the program takes.
func (p *Process) Memory() (m Memory) {
	for line := range strings.Lines(p.proc("status")) {
		name, value, _ := strings.Cut(line, ":")
		kibibytes, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		switch name {
		case "VmRSS":
			m.Resident = kibibytes << 10
		case "VmHWM":
			m.Peak = kibibytes << 10
		case "RssAnon":
			m.Own = kibibytes << 10
		}
	}
	return m
}

// clockTick is how many units of CPU time there are in a second (Linux).
const clockTick = 100

// CPU is the CPU time that the program has used.
func (p *Process) CPU() time.Duration {
	fields := p.proc("stat")
	at := strings.LastIndex(fields, ")")
	parts := strings.Fields(fields[at+1:])
	if len(parts) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(parts[11], 10, 64)
	system, _ := strconv.ParseInt(parts[12], 10, 64)
	return time.Duration(user+system) * time.Second / clockTick
}

func (p *Process) proc(file string) string {
	content, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.command.Process.Pid), file)) //nolint:gosec // of our own process
	if err != nil {
		return ""
	}
	return string(content)
}

// FreePort returns an address that nothing listens at.
func FreePort() (string, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}
