package crm

import (
	"testing"

	"github.com/screenpop/caddy-screenpop/internal/xucmgt"
)

// keyed are two calls of one number from different queues.
func keyed(t *testing.T, definition Definition) (one, other string) {
	t.Helper()
	r, q := compiled(t, definition, Options{}), question(t, callersNumber)
	keys := make([]string, 2)
	for i, queue := range []string{"sales", "support"} {
		call, err := xucmgt.Decode([]byte(`{"caller":"0427466347","queue":{"name":"` + queue + `"},"userData":{"XIVO_DSTNUM":"012305301` + string(rune('0'+i)) + `"}}`))
		if err != nil {
			t.Fatal(err)
		}
		q.Call = call
		keys[i] = r.Key(q)
	}
	return keys[0], keys[1]
}

func TestCallsOfOneNumberShareAnAnswerUnlessItDependsOnMore(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*Definition)
		shared bool
	}{
		"the number alone":  {func(*Definition) {}, true},
		"a page of the CRM": {func(d *Definition) { d.SearchURL = "https://crm.example.com/?q={call.queue.name}" }, true},
		"what all calls share": {func(d *Definition) {
			d.Lookups[0].Path = "/{number.e164}"
			d.Lookups[0].Query = []Param{{"caller", "{call.caller}"}}
		}, true},
		"a parameter": {func(d *Definition) {
			d.Lookups[0].Path = "/{number.e164}"
			d.Lookups[0].Query = []Param{{"queue", "{call.queue.name}"}}
		}, false},
		"the dialled number": {func(d *Definition) {
			d.Lookups[0].Path = "/{number.e164}"
			d.Lookups[0].Query = []Param{{"did", "{call.did}"}}
		}, false},
		"a header field":   {func(d *Definition) { d.Headers = []Param{{"X-Queue", "{call.queue.name}"}} }, false},
		"what a record is": {func(d *Definition) { d.Lookups[0].Company = []string{"{call.queue.name}"} }, false},
		"a second search": {func(d *Definition) {
			d.Lookups[0].Otherwise = &Search{Ask: Ask{Path: "/{number.e164}/{call.queue.name}"}}
		}, false},
		"what belongs to it": {func(d *Definition) {
			d.Lookups[0].Follows = []Follow{{Name: "f", Ask: Ask{Path: "/{record.id}/{call.queue.name}"}}}
		}, false},
		"the whole of a record":  {func(d *Definition) { d.Lookups[0].Detail = &Detail{Ask: Ask{Path: "/{record.id}/{call.queue.name}"}} }, false},
		"a field for the answer": {func(d *Definition) { d.Lookups[0].Fields = []Field{{"queue", []string{"{call.queue.name}"}}} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			definition := contacts("https://crm.example.com")
			test.change(&definition)
			if one, other := keyed(t, definition); (one == other) != test.shared {
				t.Errorf("keys are %q and %q", one, other)
			}
		})
	}
}

func TestAKeyTellsValuesApart(t *testing.T) {
	r := compiled(t, contacts("https://crm.example.com", func(l *Lookup) {
		l.Query = append(l.Query, Param{"a", "{call.userData.A}"}, Param{"b", "{call.userData.B}"})
	}), Options{})
	seen := map[string]bool{}
	for _, data := range []string{`{"A":"1","B":"2"}`, `{"A":"1\"\"2","B":""}`, `{"A":"","B":"12"}`, `{"A":"12"}`} {
		call, err := xucmgt.Decode([]byte(`{"caller":"0427466347","userData":` + data + `}`))
		if err != nil {
			t.Fatal(err)
		}
		q := question(t, callersNumber)
		q.Call = call
		seen[r.Key(q)] = true
	}
	if len(seen) != 4 {
		t.Errorf("keys are %v", seen)
	}
}
