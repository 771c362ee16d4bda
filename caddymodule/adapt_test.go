package caddymodule

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

var update = flag.Bool("update", false, "rewrite the adaptation files: read the difference before you commit it")

func rewrite(t *testing.T, file, caddyfile string, adapted []byte, failure error) {
	t.Helper()
	result := fmt.Sprint(failure)
	if failure == nil {
		var config any
		if err := json.Unmarshal(adapted, &config); err != nil {
			t.Fatal(err)
		}
		var handler strings.Builder
		encoder := json.NewEncoder(&handler)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "\t")
		if err := encoder.Encode(findHandler(config)); err != nil {
			t.Fatal(err)
		}
		result = strings.TrimSpace(handler.String())
	}
	if err := os.WriteFile(file, []byte(caddyfile+"----------\n"+result+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Each file in testdata/adapt is a Caddyfile, a line of dashes, and what the
// adapter makes of it: the handler's JSON, or the error that the user reads.
func TestCaddyfilesAdaptAsTheirFilesSay(t *testing.T) {
	files, err := filepath.Glob("testdata/adapt/*.caddyfiletest")
	if err != nil || len(files) < 100 {
		t.Fatalf("%d adaptation tests, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".caddyfiletest"), func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			caddyfile, want, found := strings.Cut(string(content), "----------\n")
			if !found {
				t.Fatal("there is no line of dashes")
			}
			adapted, err := adapt(caddyfile)
			if *update {
				rewrite(t, file, caddyfile, adapted, err)
				return
			}
			if want = strings.TrimSpace(want); strings.HasPrefix(want, "{") {
				compareHandler(t, adapted, err, want)
				return
			}
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error:\n%v\nwant:\n%s", err, want)
			}
		})
	}
}

func adapt(caddyfile string) ([]byte, error) {
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	return adapted, err
}

func compareHandler(t *testing.T, adapted []byte, err error, want string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var config, expected any
	if err := json.Unmarshal(adapted, &config); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(want), &expected); err != nil {
		t.Fatal(err)
	}
	if handler := findHandler(config); !reflect.DeepEqual(handler, expected) {
		got, _ := json.MarshalIndent(handler, "", "\t")
		t.Errorf("adapted to:\n%s\nwant:\n%s", got, want)
	}
}

// findHandler takes the screen_pop handler out of a whole configuration.
func findHandler(config any) any {
	switch node := config.(type) {
	case map[string]any:
		if node["handler"] == "screen_pop" {
			return node
		}
		for _, member := range node {
			if found := findHandler(member); found != nil {
				return found
			}
		}
	case []any:
		for _, member := range node {
			if found := findHandler(member); found != nil {
				return found
			}
		}
	}
	return nil
}
