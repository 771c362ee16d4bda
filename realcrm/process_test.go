package realcrm

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long any wait goes on before it is a failure. It says nothing
// about how long something should take: the machine may be a busy one.
const patience = 2 * time.Minute

// A process is a running server, with all that it started.
type process struct {
	output *lockedBuffer
	ended  chan error
	stop   func()
}

// underWatch runs a program in a shell that ends the whole process group when the
// program ends, and when its own input does: that is also when the test was killed.
const underWatch = `{ "$@" </dev/null; echo "ended with status $?" >&2; kill -KILL 0; } & cat >/dev/null; kill -KILL 0`

// start runs a server until the end of the test.
func start(t *testing.T, environment []string, program string, arguments ...string) *process {
	t.Helper()
	home := t.TempDir()
	command := exec.Command("/bin/sh", append([]string{"-c", underWatch, "sh", program}, arguments...)...)
	command.Dir = home
	command.Env = append(append(os.Environ(), "HOME="+home, "XDG_DATA_HOME="+home, "XDG_CONFIG_HOME="+home), environment...)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p := &process{output: &lockedBuffer{}, ended: make(chan error, 1)}
	command.Stdout, command.Stderr = p.output, p.output
	life, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	// Wait returns when nobody in the group can write output any more.
	go func() { p.ended <- command.Wait() }()
	p.stop = sync.OnceFunc(func() {
		_ = life.Close()
		select {
		case <-p.ended:
		case <-time.After(patience):
			t.Errorf("%s does not end", program)
		}
		if left := living(t, command.Process.Pid); len(left) > 0 {
			t.Errorf("%s left processes behind: %v", program, left)
		}
	})
	t.Cleanup(func() {
		p.stop()
		if t.Failed() {
			t.Logf("%s said:\n%s", program, p.output.tail(4000))
		}
	})
	return p
}

// living are the processes of a group, without those that are dead and whose new
// parent has not noticed yet.
func living(t *testing.T, group int) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d processes, %v", len(files), err)
	}
	var found []string
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			continue // it has just ended
		}
		// "<id> (<name>) <state> <parent> <group> ...", and the name may hold anything.
		text := string(content)
		fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
		if fields[2] == strconv.Itoa(group) && fields[0] != "Z" && fields[0] != "X" {
			found = append(found, text)
		}
	}
	return found
}

// waitUntil returns once the process serves.
func (p *process) waitUntil(t *testing.T, serves func() bool) {
	t.Helper()
	deadline := time.After(patience)
	for !serves() {
		select {
		case err := <-p.ended:
			p.ended <- err
			t.Fatalf("the server ended before it served (%v)", err)
		case <-deadline:
			t.Fatalf("the server does not serve after %s", patience)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// run runs a program to its end and returns what it printed.
func run(t *testing.T, environment []string, program string, arguments ...string) string {
	t.Helper()
	output, err := runs(t, environment, program, arguments...)
	if err != nil {
		t.Fatalf("%s: %v\n%s", program, err, output)
	}
	return output
}

func runs(t *testing.T, environment []string, program string, arguments ...string) (string, error) {
	t.Helper()
	home := t.TempDir()
	command := exec.CommandContext(t.Context(), program, arguments...)
	command.Dir = home
	command.Env = append(append(os.Environ(), "HOME="+home, "XDG_DATA_HOME="+home, "XDG_CONFIG_HOME="+home), environment...)
	var out, problems bytes.Buffer
	command.Stdout, command.Stderr = &out, &problems
	err := command.Run()
	if err != nil {
		out.Write(problems.Bytes())
	}
	return out.String(), err
}

// fromEnvironment is a path that the Makefile gives. Without it the test fails,
// because a test that skips itself is a test that nobody notices is gone.
func fromEnvironment(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(os.Getenv(name))
	if err == nil {
		_, err = os.Stat(path)
	}
	if os.Getenv(name) == "" || err != nil {
		t.Fatalf("%s=%q: use the Makefile's targets (%v)", name, os.Getenv(name), err)
	}
	return path
}

// freePort returns a loopback port that was free a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// write makes a file in a folder of the test's own and returns its path.
func write(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
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

func (b *lockedBuffer) tail(size int) string {
	text := strings.TrimSpace(b.String())
	return text[max(0, len(text)-size):]
}

func TestProcessLeavesNothingBehind(t *testing.T) {
	p := start(t, nil, "/bin/sh", "-c", "sleep 1000 & sleep 1000 & echo up; wait")
	p.waitUntil(t, func() bool { return strings.Contains(p.output.String(), "up") })
	p.stop()
}

func TestProcessThatEndsIsNoticed(t *testing.T) {
	p := start(t, nil, "/bin/sh", "-c", "sleep 1000 & exit 3")
	<-p.ended
	p.ended <- nil
	if output := p.output.String(); !strings.Contains(output, "ended with status 3") {
		t.Errorf("it said %q", output)
	}
}
