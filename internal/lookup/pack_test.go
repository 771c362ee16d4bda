package lookup

import (
	"reflect"
	"strings"
	"testing"

	"github.com/screenpop/caddy-screenpop/internal/crm"
)

func TestWhatIsPackedIsUnpackedAsItWas(t *testing.T) {
	full := crm.Record{
		CRM: "shop", Kind: "contact", ID: "7", Name: "Rosa Marín", Company: "Quai Nord", Email: "rosa@example.org",
		Phones: []string{"04 27 46 63 47", ""}, URL: "https://crm.example.com/7",
		Fields: map[string]string{"vip": "yes", "": "", "note": strings.Repeat("x", 70_000)}, Unverified: true,
	}
	for _, records := range [][]crm.Record{nil, {{}}, {full}, {full, {}, {ID: "\x00\xff"}, full}} {
		if got := pack(records).records(); !reflect.DeepEqual(got, records) {
			t.Errorf("%+v\nbecame %+v", records, got)
		}
	}
}

func FuzzPack(f *testing.F) {
	f.Add("Rosa", "04 27 46 63 47", "vip", "yes", true)
	f.Fuzz(func(t *testing.T, name, phone, field, value string, unverified bool) {
		records := []crm.Record{
			{Name: name, Phones: []string{phone, name}, Fields: map[string]string{field: value, value: name}, Unverified: unverified},
			{ID: phone, URL: value},
		}
		if got := pack(records).records(); !reflect.DeepEqual(got, records) {
			t.Errorf("%+v\nbecame %+v", records, got)
		}
	})
}
