package main

import (
	"context"
	"io"
	"net"
	"os/exec"
	"syscall"
	"time"

	"github.com/screenpop/caddy-screenpop/bench/internal/process"
)

// store is a Redis or Valkey that is there, or hangs, or is not.
type store struct {
	program, address string
	running          *process.Process
}

// findStore returns one that is not started yet; nil if none is installed.
func findStore() (*store, error) {
	for _, name := range []string{"valkey-server", "redis-server"} {
		program, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		address, err := process.FreePort()
		return &store{program: program, address: address}, err
	}
	return nil, nil
}

// start starts it. It keeps nothing on disk.
func (s *store) start(ctx context.Context) error {
	_, port, err := net.SplitHostPort(s.address)
	if err != nil {
		return err
	}
	s.running, err = process.Start(ctx, io.Discard, nil, s.program, "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
	if err != nil {
		return err
	}
	return process.Await(s.address)
}

// away takes it away for a time, by a power cut or by letting it hang.
func (s *store) away(ctx context.Context, hangs bool, lasting time.Duration) error {
	if !hangs {
		s.running.End()
		time.Sleep(lasting)
		return s.start(ctx)
	}
	if err := s.running.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	time.Sleep(lasting)
	return s.running.Signal(syscall.SIGCONT)
}
