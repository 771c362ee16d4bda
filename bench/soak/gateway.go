package main

import (
	"bufio"
	"bytes"
	"context"
	_ "embed" // the configuration
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/screenpop/caddy-screenpop/bench/internal/process"
	"github.com/screenpop/caddy-screenpop/bench/internal/stub"
)

// deadline is the gateway's own default.
const deadline = 800 * time.Millisecond

//go:embed gateway.caddyfile
var written string

var configuration = template.Must(template.New("gateway.caddyfile").Parse(written))

// site is what differs between the gateways of the parts.
type site struct {
	// Level is the log's, and Cache the option of that name.
	Level, Cache string
	// Long maps five fields more, with about 220 characters.
	Long bool

	Admin, Address, CRM string
	Deadline            time.Duration
}

func (s site) caddyfile() (string, error) {
	var b strings.Builder
	err := configuration.Execute(&b, s)
	return b.String(), err
}

// gateway is the program that is soaked.
type gateway struct {
	*process.Process

	site    site
	journal *journal
	folder  string
}

// startGateway starts one before a CRM, with further variables of the environment.
func startGateway(ctx context.Context, program string, crm *stub.CRM, s site, environment ...string) (*gateway, error) {
	var err error
	if s.Admin, err = process.FreePort(); err != nil {
		return nil, err
	}
	if s.Address, err = process.FreePort(); err != nil {
		return nil, err
	}
	s.CRM, s.Deadline = crm.Address, deadline
	text, err := s.caddyfile()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp("", "soak")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(folder, "Caddyfile")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	g := &gateway{site: s, journal: &journal{}, folder: folder}
	environment = append(environment, "XDG_DATA_HOME="+folder, "XDG_CONFIG_HOME="+folder)
	g.Process, err = process.Start(ctx, g.journal, environment, program, "run", "--config", file, "--adapter", "caddyfile")
	if err != nil {
		return nil, err
	}
	if err := process.Await(s.Address); err != nil {
		return nil, fmt.Errorf("%w:\n%s", err, g.journal.end())
	}
	return g, nil
}

// stop ends it, with all that it wrote.
func (g *gateway) stop() {
	g.End()
	_ = os.RemoveAll(g.folder) // of ours, in the folder for such
}

// admin has no connections that a reload could break.
var admin = &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}

// reload makes it load another configuration, even if that is the same.
func (g *gateway) reload(s site) error {
	text, err := s.caddyfile()
	if err != nil {
		return err
	}
	header := http.Header{"Content-Type": {"text/caddyfile"}, "Cache-Control": {"must-revalidate"}}
	_, err = g.ask(http.MethodPost, "/load", header, text)
	return err
}

func (g *gateway) ask(method, path string, header http.Header, body string) (string, error) {
	request, err := http.NewRequestWithContext(context.Background(), method, "http://"+g.site.Admin+path, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	maps.Copy(request.Header, header)
	response, err := admin.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s answered %d: %s", path, response.StatusCode, text)
	}
	return string(text), err
}

// footprint is what the gateway takes, after its garbage was collected.
type footprint struct {
	process.Memory

	heap       int64
	goroutines int64
}

func (g *gateway) footprint() (f footprint, err error) {
	if _, err = g.ask(http.MethodGet, "/debug/pprof/heap?gc=1", nil, ""); err != nil {
		return f, err
	}
	text, err := g.ask(http.MethodGet, "/metrics", nil, "")
	if err != nil {
		return f, err
	}
	f.Memory = g.Memory()
	f.heap, f.goroutines = metric(text, "go_memstats_heap_inuse_bytes"), metric(text, "go_goroutines")
	if f.heap == 0 || f.goroutines == 0 {
		return f, fmt.Errorf("the gateway's metrics tell nothing of its heap and goroutines:\n%s", text)
	}
	return f, nil
}

// saveProfile writes into a file what takes the heap; "": into none.
func (g *gateway) saveProfile(file string) error {
	if file == "" {
		return nil
	}
	profile, err := g.ask(http.MethodGet, "/debug/pprof/heap?gc=1", nil, "")
	if err != nil {
		return err
	}
	return os.WriteFile(file, []byte(profile), 0o600)
}

// goroutines tells what the goroutines do.
func (g *gateway) goroutines() string {
	text, err := g.ask(http.MethodGet, "/debug/pprof/goroutine?debug=1", nil, "")
	if err != nil {
		return err.Error()
	}
	return text
}

// metric reads a figure from what Prometheus would read.
func metric(text, name string) int64 {
	for lines := bufio.NewScanner(bytes.NewBufferString(text)); lines.Scan(); {
		if value, found := strings.CutPrefix(lines.Text(), name+" "); found {
			read, _ := strconv.ParseFloat(value, 64)
			return int64(read)
		}
	}
	return 0
}
