package crm

import (
	"slices"
	"testing"
)

func TestFieldNamesAreTheFixedOnesAndTheConnectorsOwn(t *testing.T) {
	fixed := []string{"kind", "id", "name", "company", "email", "url"}
	if got := FieldNames(); !slices.Equal(got, fixed) {
		t.Errorf("without a CRM: %q", got)
	}
	got := FieldNames(Profile{Fields: []string{"vip", "tier"}}, Profile{}, Profile{Fields: []string{"tier", "owner", "name"}})
	if want := append(slices.Clone(fixed), "vip", "tier", "owner"); !slices.Equal(got, want) {
		t.Errorf("FieldNames = %q, want %q", got, want)
	}
	if again := FieldNames(); !slices.Equal(again, fixed) {
		t.Errorf("one call changed the next: %q", again)
	}
}

func TestFieldReadsWhatFieldNamesNames(t *testing.T) {
	r := Record{Kind: "k", ID: "i", Name: "n", Company: "c", Email: "e", URL: "u", Fields: map[string]string{"vip": "v"}}
	for name, want := range map[string]string{
		"kind": "k", "id": "i", "name": "n", "company": "c", "email": "e", "url": "u", "vip": "v",
		"nothing": "", "": "", "phones": "", "Kind": "",
	} {
		if got := r.Field(name); got != want {
			t.Errorf("Field(%q) = %q, want %q", name, got, want)
		}
	}
	if (Record{}).Field("vip") != "" {
		t.Error("a record without fields has one")
	}
}

func TestSameIsTheSameThingInTheSameCRM(t *testing.T) {
	r := Record{CRM: "a", Kind: "contact", ID: "7", Name: "Camille"}
	for name, test := range map[string]struct {
		other Record
		want  bool
	}{
		"found twice":        {Record{CRM: "a", Kind: "contact", ID: "7", Name: "C. Moreau"}, true},
		"another CRM":        {Record{CRM: "b", Kind: "contact", ID: "7"}, false},
		"another kind":       {Record{CRM: "a", Kind: "lead", ID: "7"}, false},
		"another id":         {Record{CRM: "a", Kind: "contact", ID: "8", Name: "Camille"}, false},
		"one without its id": {Record{CRM: "a", Kind: "contact"}, false},
	} {
		if r.Same(test.other) != test.want {
			t.Errorf("%s: Same = %v", name, !test.want)
		}
	}
	if nameless := (Record{CRM: "a", Kind: "contact"}); nameless.Same(nameless) {
		t.Error("records without ids are taken for the same")
	}
}

func TestLookupsShareTheirFieldNames(t *testing.T) {
	d := contacts("https://crm.example.com", func(l *Lookup) { l.Fields = []Field{{"vip", []string{"{record.vip}"}}} })
	d.Lookups = append(d.Lookups, contactLookup(func(l *Lookup) {
		l.Kind = "lead"
		l.Fields = []Field{{"vip", []string{"{record.vip}"}}, {"source", []string{"{record.source}"}}}
	}))
	profile := compiled(t, d, Options{}).Profile()
	if profile.Name != "legacy" || profile.URL != "https://crm.example.com" || !slices.Equal(profile.Fields, []string{"vip", "source"}) {
		t.Errorf("profile = %+v", profile)
	}
}
