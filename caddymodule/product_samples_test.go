package caddymodule

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What check --sample lists must be found again, whichever of a record's
// fields has the number.
func TestSamplesOfTheHelpDesksAndFrappeAreFoundAgain(t *testing.T) {
	for _, p := range []product{glpi, zammad, erpNext, frappeCRM, twenty, civiCRM} {
		t.Run(p.preset, func(t *testing.T) {
			d := p.open(t, p.options)
			config := filepath.Join(t.TempDir(), "Caddyfile")
			site := "http://127.0.0.1:0 {\n" + indent(`screen_pop {
	origins `+agentOrigin+`
	region FR
	crm `+p.preset+` `+d.address+p.path+` {
		`+strings.ReplaceAll(p.options, "\n", "\n\t\t")+`
	}
}`) + "\n}\n"
			if err := os.WriteFile(config, []byte(site), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, k := range p.kinds {
				c := card{ID: "4711", First: "Rosa", Last: "Marin", Company: "Quai Nord"}
				for i := range k.phones {
					c.Phones = append(c.Phones, fmt.Sprintf("+331234567%02d", 20+i))
				}
				d.office.file(k.name, c)
				var out strings.Builder
				status, err := check{out: &out, config: config, adapter: "caddyfile", sample: 10}.run()
				if status != exitFound || err != nil || !strings.Contains(out.String(), "crm "+p.preset+": "+k.name+": ") || !strings.Contains(out.String(), "e164") {
					t.Errorf("%s: status %d, %v\n%s", k.name, status, err, out.String())
				}
			}
		})
	}
}
