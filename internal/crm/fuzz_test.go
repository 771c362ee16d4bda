package crm

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

// FuzzRecord: any answer is mapped or refused without panic, and a record that
// is kept has the caller's number.
func FuzzRecord(f *testing.F) {
	for _, seed := range []string{
		callers, `[]`, `{}`, `null`, `{"list":[` + rosa + `]}`, `[` + anna + `,` + rosa + `]`, `[{"phones":[{"number":"0427466347"}]}]`,
		`[{"phone":33427466347,"id":{"a":[1]},"link":"javascript:1"}]`, `[[[[[`, `{"a":`, `"`, "\ufeff[]", `[{"id":"..","phone":["0427466347",[["x"]]]}]`,
		`[{"id":"\ud800","name":"\u0000\u202e"}]`, `[{"link":"https://a@b/..","phone":"tel:0427466347;ext=1"}]`, `[{"phone":1e400}]`,
	} {
		f.Add(seed)
	}
	d := contacts("https://crm.example.com", func(l *Lookup) {
		l.Phones = []string{"{record.phone}", "{record.phones.#.number}"}
		l.Miss, l.Fail = &Condition{Expression: "body.total == 0"}, &Condition{Expression: "body.success == false"}
		l.Detail = &Detail{Ask: Ask{Path: "/contacts/{record.id}"}}
		l.Company = []string{"{record.org.name}", "{record.phones}"}
		l.URL = []string{"{record.link}", "https://crm.example.com/{record.id}?n={record.name}"}
		l.Fields = []Field{{"x", []string{"{record.@keys}", "{record.custom.*}"}}}
	})
	rest := compiled(f, d, Options{})
	l, query := rest.lookups[0], question(f, callersNumber)
	f.Fuzz(func(t *testing.T, body string) {
		raws, err := l.first.read(&exchange{crm: rest, status: http.StatusOK, header: http.Header{}, body: body}, true)
		if err != nil {
			leaksNothing(t, rest.describe(err))
			return
		}
		for _, raw := range raws {
			v := values{query: &query, record: raw}
			record := rest.record(l, v)
			v.detail = raw
			rest.record(l, v)
			if strings.ContainsAny(record.Name+record.ID, "\r\n\x00\u202e") {
				t.Errorf("%q is no line: %q %q", raw, record.ID, record.Name)
			}
			if record.URL != "" && !strings.HasPrefix(strings.ToLower(record.URL), "http") {
				t.Errorf("%q opens %q", raw, record.URL)
			}
			if query.Matches(record.Phones) && !hasCallersDigits(record.Phones) {
				t.Errorf("%q is kept for %q", raw, record.Phones)
			}
		}
	})
}

// letters stand for digits on a keypad, and other alphabets have digits of
// their own: only plain texts are judged.
var plainNumber = regexp.MustCompile(`^[ -@\[-` + "`" + `{-~]*$`)

// hasCallersDigits reports whether one of the numbers holds the caller's last
// digits, or is written in a way that this test does not judge.
func hasCallersDigits(phones []string) bool {
	for _, phone := range phones {
		digits := regexp.MustCompile(`\D`).ReplaceAllString(phone, "")
		if strings.Contains(digits, "427466347") || !plainNumber.MatchString(phone) {
			return true
		}
	}
	return false
}

// FuzzCheckPath: a path that passes never makes gjson panic.
func FuzzCheckPath(f *testing.F) {
	for _, seed := range []string{
		"@this", "data.items.#.id", `items.#(type=="a.b|c)")#.id`, "@flatten:deep", "@values|0", `fav\.movie`, "[id,name]", "..", "#(", "@join:", "@dig:x",
		"!true", "items.#(#(a)#", `a.#(b%"*\`, "@pretty:[1]", "*.*.*", "@reverse.@ugly.@valid.@tostr.@fromstr.@group.@keys", "0.-1.99999999999999999999",
		`#(a>"")#|#`, "@this|@this:1.#", `"`, `a:b`, `#.#.#`, `items.#(id!=~true)`, `items.#(tags.#(!~null))`,
	} {
		f.Add(seed)
	}
	document := `{"data":{"items":[{"id":1,"type":"a.b|c)","tags":[["x"],"y",null]},null,[],{"a":{"b":"*"}}]},"fav.movie":"\u00e9","items":[{"id":"7"},1,true,[[{}]]],"":0}`
	f.Fuzz(func(t *testing.T, path string) {
		if CheckPath(path) != nil {
			return
		}
		for _, json := range []string{document, "[" + document + "," + document + "]", "[]", "{}", `""`, "null", "1"} {
			found := gjson.Get(json, path)
			texts(found)
			if _, err := matches(found, path, true); err == nil && !found.Exists() {
				t.Errorf("%q is nowhere in %s, and no failure", path, json)
			}
		}
	})
}

// numberLike is what a reader of a log could dial. Behind a letter a few digits
// are the number of an error.
var numberLike = regexp.MustCompile(`(?:^|[^\pL\d])\d(?:[ .()/_%+-]*\d){4,}|\pL\d(?:[ .()/_%+-]*\d){8,}`)

// FuzzReason: what a CRM says about itself is one short line, without the
// credential and without a telephone number.
func FuzzReason(f *testing.F) {
	for _, seed := range []string{
		"no result for +33427466347", "key " + secret, "SELECT '%4%2%7%4%6%6%3%4%7'", "04 27 46\r\n63 47", "s3cr3t%2B%2F%3D+", strings.Repeat("9", 900),
		"0\u200b4\u200b2\u200b7\u200b4\u200b6", "\x00", "a\u202eb", "٠٤٢٧٤٦٦٣٤٧", strings.Repeat("é", 299) + secret, "04%2027%2046%2063%2047",
	} {
		f.Add(seed, seed)
	}
	d, options := withSecret("https://crm.example.com")
	rest := compiled(f, d, options)
	f.Fuzz(func(t *testing.T, before, after string) {
		for _, form := range secretForms() {
			text := rest.hide(before + form + after)
			if strings.Contains(text, form) {
				t.Errorf("%q has the credential", text)
			}
			if number := numberLike.FindString(text); number != "" {
				t.Errorf("%q has %q", text, number)
			}
			if strings.ContainsAny(text, "\r\n\x00\u202e\u200b") || len([]rune(text)) > maxReason+len("...") {
				t.Errorf("%q is no short line", text)
			}
		}
		body, err := json.Marshal(map[string]string{"message": before + secret + after})
		if err != nil {
			t.Fatal(err) // JSON holds any text
		}
		e := exchange{crm: rest, status: 400, header: http.Header{}, body: string(body)}
		if reason := e.reason(); strings.Contains(reason, secret) || numberLike.MatchString(reason) {
			t.Errorf("reason = %q", reason)
		}
	})
}
