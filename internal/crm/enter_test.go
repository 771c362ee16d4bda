package crm

import "testing"

// What opens connections ahead needs to know where to and how many.
func TestWhatTheFirstCallNeeds(t *testing.T) {
	rest := compiled(t, contacts("https://crm.example.com", func(l *Lookup) {
		l.Query, l.Each = []Param{{"q", "{each}"}}, []string{"{number.e164}", "{number.national}"}
	}), Options{})
	here, err := rest.Enter(t.Context())
	if err != nil || here != rest.Base() || here != "https://crm.example.com" || rest.Parallel() != 2 {
		t.Errorf("%d at %s, %v", rest.Parallel(), here, err)
	}
}
