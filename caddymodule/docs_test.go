package caddymodule

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/screenpop/caddy-screenpop/internal/crm/presets"
	"github.com/screenpop/caddy-screenpop/internal/pane"
	"github.com/screenpop/caddy-screenpop/internal/pop"
	"github.com/screenpop/caddy-screenpop/internal/xucmgt"
)

// pages are the documents that users read.
func pages(t *testing.T) map[string]string {
	t.Helper()
	var files []string
	for _, pattern := range []string{"../docs/*.md", "../docs/crms/*.md"} {
		matched, err := filepath.Glob(pattern)
		if err != nil || len(matched) == 0 {
			t.Fatalf("%d documents, %v", len(matched), err)
		}
		files = append(files, matched...)
	}
	read := map[string]string{}
	for _, file := range append(files, "../README.md") {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		read[strings.TrimPrefix(file, "../")] = string(content)
	}
	return read
}

var fenced = regexp.MustCompile("(?s)```(\\w*)\n(.*?)```")

// snippets returns a document's blocks of a language.
func snippets(page, language string) []string {
	var found []string
	for _, match := range fenced.FindAllStringSubmatch(page, -1) {
		if match[1] == language {
			found = append(found, match[2])
		}
	}
	return found
}

// validate does what `caddy validate` does.
func validate(t *testing.T, text string) error {
	t.Helper()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range regexp.MustCompile(`/run/secrets/\w+_key\b`).FindAllString(text, -1) {
		text = strings.ReplaceAll(text, name, privateKeyFile(t))
	}
	text = regexp.MustCompile(`/run/secrets/\w+`).ReplaceAllString(text, secret)
	text = strings.ReplaceAll(text, "/etc/caddy/logo.svg", logoFile(t))
	for _, match := range regexp.MustCompile(`\{env\.(\w+)\}`).FindAllStringSubmatch(text, -1) {
		t.Setenv(match[1], strings.Repeat("s", 32))
	}
	adapted, err := adapt(text)
	if err != nil {
		return err
	}
	var config caddy.Config
	if err := json.Unmarshal(adapted, &config); err != nil {
		return err
	}
	return caddy.Validate(&config)
}

// logoFile is an image for the documents' brand.
func logoFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "logo.svg")
	if err := os.WriteFile(file, []byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// privateKeyFile is a key for the documents' JWT bearer assertion.
func privateKeyFile(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestEveryCaddyfileInTheDocumentsIsValid(t *testing.T) {
	count := 0
	for name, page := range pages(t) {
		for i, snippet := range snippets(page, "caddyfile") {
			count++
			t.Run(fmt.Sprintf("%s %d", name, i+1), func(t *testing.T) { checkCaddyfile(t, snippet) })
		}
	}
	if count < 6 {
		t.Errorf("only %d snippets were found", count)
	}
}

func TestTheExampleConfigurationIsValid(t *testing.T) {
	content, err := os.ReadFile("../Caddyfile.example")
	if err != nil {
		t.Fatal(err)
	}
	checkCaddyfile(t, string(content))
}

func checkCaddyfile(t *testing.T, text string) {
	t.Helper()
	if err := validate(t, text); err != nil {
		t.Error(err)
	}
	if formatted := string(caddyfile.Format([]byte(text))); formatted != text {
		t.Errorf("caddy fmt would change it to:\n%s", formatted)
	}
}

func TestEveryPresetIsValidAndDocumented(t *testing.T) {
	connectors := pages(t)["docs/connectors.md"]
	for _, name := range presets.Names() {
		rest := &REST{Preset: name}
		rest.URL = "https://crm.example.com"
		preset, err := readPreset(name)
		if err != nil {
			t.Fatal(err)
		}
		rest.Credentials = map[string]string{}
		for _, credential := range preset.declared.credentials {
			rest.Credentials[credential] = "s"
		}
		rest.Settings = map[string]string{}
		for _, setting := range preset.declared.settings {
			if preset.Settings[setting] == "" {
				rest.Settings[setting] = "s"
			}
		}
		if _, err := rest.compile(loadedSettings(), host{}); err != nil {
			t.Errorf("the preset %s: %v", name, err)
		}
		if !strings.Contains(connectors, "| `"+name+"` |") {
			t.Errorf("the preset %s is not in docs/connectors.md", name)
		}
		if _, err := os.Stat("../docs/crms/" + name + ".md"); err != nil {
			t.Errorf("the preset %s has no page: %v", name, err)
		}
		source, _ := presets.Source(name)
		if formatted := string(caddyfile.Format([]byte(source))); formatted != source {
			t.Errorf("caddy fmt would change the preset %s to:\n%s", name, formatted)
		}
	}
}

func TestEveryOptionIsDocumented(t *testing.T) {
	read := pages(t)
	for _, option := range handlerOptions {
		if !strings.Contains(read["README.md"], "\n### "+option+"\n") {
			t.Errorf("README.md has no section %s", option)
		}
	}
	for _, option := range responseOptions {
		if !strings.Contains(read["README.md"], "- `"+option) {
			t.Errorf("README.md does not explain %s", option)
		}
	}
	for _, option := range paneOptions {
		if !strings.Contains(read["README.md"], "\n| `"+option+" ") || !strings.Contains(read["docs/pane.md"], "`"+option+"`") {
			t.Errorf("README.md or docs/pane.md does not explain %s of pane", option)
		}
	}
	for _, page := range pane.Pages() {
		if !strings.Contains(read["docs/pane.md"], "| `{pane."+string(page)+"}` |") {
			t.Errorf("docs/pane.md does not explain the page %s", page)
		}
	}
	for _, option := range slices.Concat(restOptions, lookupOptions) {
		if !strings.Contains(read["docs/connectors.md"], "`"+option) {
			t.Errorf("docs/connectors.md does not explain %s", option)
		}
	}
	for _, outcome := range pop.Outcomes() {
		if !strings.Contains(read["README.md"], "| `"+string(outcome)+"` |") {
			t.Errorf("README.md does not explain the outcome %s", outcome)
		}
	}
}

func TestTheContractsExamplesAreReal(t *testing.T) {
	examples := snippets(pages(t)["docs/contract.md"], "json")
	if len(examples) != 2 {
		t.Fatalf("%d examples", len(examples))
	}
	call, err := xucmgt.Decode([]byte(examples[0]))
	if err != nil || call.Caller != "0427466347" || call.DID() != "0123053012" || call.Queue.DisplayName != "Blue sky" {
		t.Errorf("the call reads as %+v, %v", call, err)
	}
	answers := []xucmgt.Answer{
		xucmgt.Open{Event: xucmgt.EventRinging, URL: "https://...", Title: "...", Pause: &xucmgt.Pause{Reason: "wrapup"}},
		xucmgt.Popup{Event: xucmgt.EventRinging, URL: "https://...", Title: "...", Multitab: true},
		xucmgt.Run{Event: xucmgt.EventRinging, Program: `C:\Erp\erp.exe`, Title: "...", Args: []string{"--phone", "+33427466347"}},
		xucmgt.None{},
	}
	for i, line := range strings.Split(strings.TrimSpace(examples[1]), "\n") {
		if got, _ := answers[i].MarshalJSON(); string(got) != line {
			t.Errorf("the answer is %s, the document says %s", got, line)
		}
	}
}

func TestEveryLinkBetweenDocumentsLeadsSomewhere(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)#]+)(?:#[^)]*)?\)`)
	for name, page := range pages(t) {
		for _, match := range link.FindAllStringSubmatch(page, -1) {
			if strings.Contains(match[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join("..", filepath.Dir(name), match[1])); err != nil {
				t.Errorf("%s links to %s: %v", name, match[1], err)
			}
		}
	}
}
