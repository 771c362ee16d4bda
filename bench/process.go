package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// process is one of the programs that are compared.
type process struct {
	command *exec.Cmd
	log     *bytes.Buffer
}

// start runs a program until the benchmark ends.
func start(ctx context.Context, directory string, environment []string, name string, args ...string) (*process, error) {
	p := &process{command: exec.CommandContext(ctx, name, args...), log: &bytes.Buffer{}} //nolint:gosec // ours
	p.command.Dir = directory
	p.command.Env = append(os.Environ(), environment...)
	p.command.Stderr = p.log
	return p, p.command.Start()
}

// await waits until something listens at an address.
func (p *process) await(address string) error {
	for range 200 {
		connection, err := (&net.Dialer{Timeout: time.Second}).DialContext(context.Background(), "tcp", address)
		if err == nil {
			return connection.Close()
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("nothing listens at %s:\n%s", address, p.log)
}

// clockTick is how many units of CPU time there are in a second (Linux).
const clockTick = 100

// cpu is the CPU time that the program has used.
func (p *process) cpu() time.Duration {
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

func (p *process) proc(file string) string {
	content, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.command.Process.Pid), file)) //nolint:gosec // of our own process
	if err != nil {
		return ""
	}
	return string(content)
}

// freePort returns an address that nothing listens at.
func freePort() (string, error) {
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}
