package xmljson

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/tidwall/gjson"
)

func TestAnXMLDocumentBecomesJSON(t *testing.T) {
	for name, test := range map[string]struct{ document, want string }{
		"an element is named without its prefix":        {`<s:a xmlns:s="urn:s"><s:b>x</s:b></s:a>`, `{"a":{"b":"x"}}`},
		"a prefix that nobody declared is left out too": {`<s:a><t:b>x</t:b></s:a>`, `{"a":{"b":"x"}}`},
		"an attribute has a dash in front":              {`<a id="7" k:type="x"/>`, `{"a":{"-id":"7","-type":"x"}}`},
		"text beside an attribute is #text":             {`<a id="7">x</a>`, `{"a":{"-id":"7","#text":"x"}}`},
		"text beside an element is #text":               {`<a>x<b>y</b> z</a>`, `{"a":{"b":"y","#text":"x z"}}`},
		"an element that is repeated is a list":         {`<a><b>1</b><c>2</c><b><d>3</d></b></a>`, `{"a":{"b":["1",{"d":"3"}],"c":"2"}}`},
		"an empty element is an empty text":             {`<a><b/><c></c><d> </d></a>`, `{"a":{"b":"","c":"","d":""}}`},
		"an empty element with an attribute is not":     {`<a><b xsi:nil="true"/></a>`, `{"a":{"b":{"-nil":"true"}}}`},
		"a number stays as it is written":               {`<a><b>0612</b><c>1e3</c><d>true</d></a>`, `{"a":{"b":"0612","c":"1e3","d":"true"}}`},
		"declarations of namespaces are left out":       {`<a xmlns="urn:x" xmlns:b="urn:y">x</a>`, `{"a":"x"}`},
		"an attribute without a prefix counts":          {`<a x:type="1" type="2" y:type="3">x</a>`, `{"a":{"-type":"2","#text":"x"}}`},
		"blanks around text are left out":               {"<a>\n\t x y \n</a>", `{"a":"x y"}`},
		"CDATA is text":                                 {`<a><![CDATA[<b>&amp;]]></a>`, `{"a":"<b>&amp;"}`},
		"the five entities and numbers are characters":  {`<a>&lt;&gt;&amp;&quot;&apos;&#233;&#xe9;</a>`, `{"a":"<>&\"'éé"}`},
		"comments and instructions are left out":        {"<?xml version='1.0'?><!-- x --><?php y?><a>1<!-- z -->2<?q?></a>\n<!-- -->", `{"a":"12"}`},
		"a byte order mark is left out":                 {"\ufeff \n<?xml version=\"1.0\" encoding=\"utf-8\"?><a>é</a>", `{"a":"é"}`},
		"ISO-8859-1 is read":                            {"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a b=\"\xe9\">\xe9</a>", `{"a":{"-b":"é","#text":"é"}}`},
		"windows-1252 is read":                          {"<?xml version=\"1.0\" encoding=\"windows-1252\"?><a>\x80 O\x92Brien</a>", `{"a":"€ O’Brien"}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Convert(test.document)
			if err != nil || !same(t, got, test.want) {
				t.Errorf("= %s, %v, want %s", got, err, test.want)
			}
		})
	}
}

func same(t *testing.T, got, want string) bool {
	t.Helper()
	var a, b any
	if err := json.Unmarshal([]byte(want), &b); err != nil {
		t.Fatal(err)
	}
	return json.Unmarshal([]byte(got), &a) == nil && reflect.DeepEqual(a, b)
}

func TestAPathReachesIntoAnAnswerOfSOAP(t *testing.T) {
	got, err := Convert(`<?xml version="1.0" encoding="UTF-8"?>
		<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body><ns1:findResponse xmlns:ns1="urn:crm">
			<contact id="7"><phone type="work">0427466347</phone><phone type="mobile">0612345678</phone><name xsi:type="xsd:string">Rosa</name></contact>
			<contact id="8"><phone/></contact>
		</ns1:findResponse></soapenv:Body></soapenv:Envelope>`)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"Envelope.Body.findResponse.contact.#":                       "2",
		"Envelope.Body.findResponse.contact.0.-id":                   "7",
		`Envelope.Body.findResponse.contact.0.phone.1.\#text`:        "0612345678",
		`Envelope.Body.findResponse.contact.0.phone.#.\#text`:        `["0427466347","0612345678"]`,
		`Envelope.Body.findResponse.contact.0.name.\#text`:           "Rosa",
		`Envelope.Body.findResponse.contact.0.name.#text`:            "Rosa",
		`Envelope.Body.findResponse.contact.0.phone.#.#text`:         `["0427466347","0612345678"]`,
		`Envelope.Body.findResponse.contact.#(-id=="8").phone|@this`: "",
	} {
		if found := gjson.Get(got, path); found.String() != want {
			t.Errorf("%s = %s, want %s", path, found, want)
		}
	}
}

func TestWhatIsNoSafeXMLIsRefusedInWords(t *testing.T) {
	for name, test := range map[string]struct{ document, want string }{
		"nothing":                {"", "has no element"},
		"no element":             {"<?xml version='1.0'?>", "has no element"},
		"text":                   {"s3cret", "text outside of its element"},
		"text behind":            {"<a/>s3cret", "text outside of its element"},
		"two elements":           {"<a/><b/>", "more than one element at the top"},
		"broken off":             {"<a>\n<b>s3cret", "breaks off in line 2"},
		"broken off in a tag":    {"<a><b", "breaks off in line 1"},
		"crossed":                {"<a><b>\n</a></b>", "is not well-formed in line 2"},
		"an end too many":        {"<a></a></b>", "is not well-formed"},
		"an unknown entity":      {"<a>&s3cret;</a>", "is not well-formed in line 1"},
		"HTML":                   {"<html><br><img src=x></html>", "is not well-formed"},
		"a control character":    {"<a>\x00</a>", "is not well-formed"},
		"a forbidden reference":  {"<a>&#0;</a>", "is not well-formed"},
		"bytes that are no text": {"<a>\xe9</a>", "is not UTF-8 in line 1, and declares no other charset"},
		"an unknown charset":     {"<?xml version='1.0' encoding='s3cret'?><a/>", "declares a charset that is not supported"},
		"a charset for attacks":  {"<?xml version='1.0' encoding='utf-7'?><a/>", "declares a charset that is not supported"},
		"another version":        {"<?xml version='1.1'?><a/>", "is not well-formed"},
		"a document type":        {"<!DOCTYPE a><a/>", "has a document type"},
		"an external entity":     {`<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>`, "has a document type"},
		"a billion laughs":       {`<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;">]><a>&y;</a>`, "has a document type"},
		"one inside":             {`<a><!DOCTYPE a></a>`, "has a document type"},
		"a deep one":             {strings.Repeat("<a>", MaxNesting+1), "nested deeper than 500 levels"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Convert(test.document)
			if err == nil || got != "" || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("= %q, %v, want %s", got, err, test.want)
			}
		})
	}
}

func TestTheDeepestDocumentIsConverted(t *testing.T) {
	got, err := Convert(strings.Repeat("<a>", MaxNesting) + strings.Repeat("</a>", MaxNesting))
	if err != nil || !json.Valid([]byte(got)) {
		t.Errorf("%v", err)
	}
}

func TestIsXML(t *testing.T) {
	const declared = "<?xml version='1.0'?><a/>"
	for _, test := range []struct {
		contentType, body string
		want              bool
	}{
		{"text/xml", "", true},
		{"text/xml; charset=utf-8", "<a/>", true},
		{"Application/XML", "<a/>", true},
		{"application/soap+xml; action=\"urn:x\"", "<a/>", true},
		{"application/json", "{}", false},
		{"application/json", declared, true},
		{"", declared, true},
		{"text/plain", "\ufeff\r\n" + declared, true},
		{"broken;;", declared, true},
		{"", "<a/>", false},
		{"", "", false},
		{"text/html", declared, false},
		{"text/html; charset=utf-8", declared, false},
		{"application/xhtml+xml", declared, false},
	} {
		if got := IsXML(test.contentType, test.body); got != test.want {
			t.Errorf("IsXML(%q, %q) = %v", test.contentType, test.body, got)
		}
	}
}

// FuzzConvert: any document becomes JSON or is an error in words.
func FuzzConvert(f *testing.F) {
	for _, document := range []string{
		"", "<a/>", `<s:a xmlns:s="urn:s" b="1">x<b>1</b><b/>y</s:a>`, "<a><![CDATA[x]]>&#233;&lt;</a>", "<!DOCTYPE a><a/>", "<a>\xff</a>", "<a b=\"\\\"/>",
		"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>\xe9</a>", strings.Repeat("<a>", 600), "<a:b:c d:e:f='1'/>", "<?xml encoding='gbk' version='1.0'?><a>\x81\x30</a>",
	} {
		f.Add(document)
	}
	f.Fuzz(func(t *testing.T, document string) {
		got, err := Convert(document)
		if err == nil && (!json.Valid([]byte(got)) || !strings.HasPrefix(got, "{")) {
			t.Errorf("%q gives %s", document, got)
		}
		if err != nil && (got != "" || !strings.HasPrefix(err.Error(), "the XML ")) {
			t.Errorf("%q: %q, %v", document, got, err)
		}
	})
}
