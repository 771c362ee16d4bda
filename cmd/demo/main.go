// Command demo is a place to try the gateway: in one process it runs a real
// Caddy with the screen_pop directive, a small CRM for it to ask, and a page
// that behaves as the agent's application does. Nothing leaves this machine.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/screenpop/caddy-screenpop"
	"github.com/screenpop/caddy-screenpop/internal/demo"
)

// crmKey is no secret: the CRM that it opens is made of invented people.
const crmKey = "demo-key"

// origins are the three addresses of the demo, each host:port.
type origins struct{ gateway, crm, simulator string }

func main() {
	var at origins
	flag.StringVar(&at.gateway, "gateway", "127.0.0.1:8080", "`address` of the gateway")
	flag.StringVar(&at.crm, "crm", "127.0.0.1:8081", "`address` of the demo CRM")
	flag.StringVar(&at.simulator, "simulator", "127.0.0.1:8082", "`address` of the agent simulator")
	config := flag.String("config", "", "Caddyfile `file` to run instead of the demo's own")
	flag.Parse()

	if err := start(at, *config); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
	// Caddy ends the process itself: with Ctrl-C, or when its configuration is
	// wrong. The other two servers end with it.
	caddycmd.Main()
}

// start brings up the CRM and the simulator, and prepares what Caddy will find
// when it is started.
func start(at origins, config string) error {
	host, _, err := net.SplitHostPort(at.gateway)
	if err != nil {
		return fmt.Errorf("--gateway %s: %w", at.gateway, err)
	}
	if err := free("gateway", at.gateway); err != nil {
		return err
	}
	crm := demo.NewCRM(crmKey, "http://"+at.simulator, "http://"+at.gateway)
	if err := serve("crm", at.crm, crm.Handler()); err != nil {
		return err
	}
	paneKey := rand.Text() + rand.Text()
	simulator, err := newSimulator(at, paneKey)
	if err != nil {
		return err
	}
	if err := serve("simulator", at.simulator, simulator.Handler()); err != nil {
		return err
	}
	if err := configureCaddy(at, host, config, paneKey); err != nil {
		return err
	}
	go greet(at)
	return nil
}

// newSimulator knows where everything is, and links that no longer open.
func newSimulator(at origins, paneKey string) (demo.Simulator, error) {
	gateway := "http://" + at.gateway + "/"
	expired, err := demo.ExpiredLink(gateway, paneKey)
	if err != nil {
		return demo.Simulator{}, err
	}
	return demo.Simulator{
		Gateway: gateway, CRM: "http://" + at.crm, ExpiredLink: expired, ChangedLink: expired + "A",
	}, nil
}

// free tells whether Caddy will be able to listen at address. Caddy would find
// out by itself, but it does not know which flag to name.
func free(flagName, address string) error {
	listener, err := listen(flagName, address)
	if err != nil {
		return err
	}
	return listener.Close()
}

// serve starts one web server and returns when it accepts connections.
func serve(flagName, address string, handler http.Handler) error {
	listener, err := listen(flagName, address)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			fmt.Fprintf(os.Stderr, "demo: serving --%s %s: %v\n", flagName, address, err)
			os.Exit(1)
		}
	}()
	return nil
}

func listen(flagName, address string) (net.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen at %s: %w; choose another address with --%s", address, err, flagName)
	}
	return listener, nil
}

// configureCaddy sets the environment that the demo's Caddyfile reads, and the
// command line with which Caddy starts. The embedded Caddyfile goes in through
// standard input, so that no file is left behind however the process ends.
func configureCaddy(at origins, host, config, paneKey string) error {
	for name, value := range map[string]string{
		"DEMO_GATEWAY":      at.gateway,
		"DEMO_GATEWAY_HOST": host,
		"DEMO_CRM":          at.crm,
		"DEMO_SIMULATOR":    at.simulator,
		"DEMO_CRM_KEY":      crmKey,
		"DEMO_PANE_KEY":     paneKey,
	} {
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("setting %s: %w", name, err)
		}
	}
	if config == "" {
		config = "-"
		if err := feedStdin(demo.Caddyfile); err != nil {
			return err
		}
	}
	os.Args = []string{os.Args[0], "run", "--config", config, "--adapter", "caddyfile"}
	return nil
}

// feedStdin makes text what this process reads from its standard input.
func feedStdin(text string) error {
	reader, writer, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("opening a pipe for the Caddyfile: %w", err)
	}
	os.Stdin = reader
	go func() {
		// Caddy says so itself when its configuration breaks off.
		_, _ = io.WriteString(writer, text)
		_ = writer.Close()
	}()
	return nil
}

// greet tells where to go, as soon as the gateway is up too.
func greet(at origins) {
	var dialer net.Dialer
	for {
		conn, err := dialer.DialContext(context.Background(), "tcp", at.gateway)
		if err == nil {
			_ = conn.Close()
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	fmt.Printf(`
  The demo is up.

    Agent simulator   http://%s/     <- open this one, press Ring
    Demo CRM          http://%s/
    Gateway           http://%s/     what THIRD_PARTY_URL would be

  Ctrl-C ends it.

`, at.simulator, at.crm, at.gateway)
}
