package caddymodule

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func checkedPane(t *testing.T, storage, site string) (int, string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "Caddyfile")
	text := "{\n\tstorage file_system \"" + storage + "\"\n}\nhttp://127.0.0.1:1 {\n" + site + "\n}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	status, err := check{out: &out, config: file, adapter: "caddyfile", number: "0427466347"}.run()
	if err != nil {
		t.Fatal(err)
	}
	return status, out.String()
}

func TestACheckTellsWhichPageOpensAndLeavesNoKeys(t *testing.T) {
	storage := t.TempDir()
	for _, test := range []struct {
		crm  *webCRM
		want string
	}{
		{newWebCRM(t, rosaAlone), `answer    {"action":"open","event":"EventRinging","url":"` + localAgent + `/pane/frame/..."}`},
		{newWebCRM(t, several), `answer    {"action":"open","event":"EventRinging","url":"` + localAgent + `/pane/chooser/..."}`},
		{newWebCRM(t, rosaAlone, "X-Frame-Options", "DENY"), "refuse to be framed; for them to open in the pane, the CRM would have to send for them: Content-Security-Policy: frame-ancestors 'self' " + localAgent},
	} {
		if status, out := checkedPane(t, storage, test.crm.site("")); status != exitFound || !strings.Contains(out, test.want) {
			t.Errorf("status %d:\n%s\nwant %s", status, out, test.want)
		}
	}
	if files, err := os.ReadDir(storage); err != nil || len(files) != 0 {
		t.Errorf("the storage has %v, %v", files, err)
	}
}
