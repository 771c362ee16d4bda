package xucmgt

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
)

func decode(t testing.TB, body string) Call {
	t.Helper()
	call, err := Decode([]byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return call
}

var (
	bond   = User{ID: "4", AgentID: "1", FirstName: "James", LastName: "Bond", FullName: "James Bond"}
	bond54 = User{ID: "54", AgentID: "29", FirstName: "James", LastName: "Bond", FullName: "James Bond"}
	trucks = Queue{ID: "2", Name: "trucks", DisplayName: "Trucks", Number: "3001"}
)

func TestEveryDocumentedPayloadIsUnderstood(t *testing.T) {
	for _, test := range []struct {
		release, body string
		want          Call
	}{
		{"2016.02", payload2016, Call{
			User: bond, Caller: "1001", Callee: "1000", Queue: trucks,
			UserData: map[string]string{"XIVO_CONTEXT": "default", "XIVO_USERID": "2"},
		}},
		{"2017.03 to 2022.10", payload2022, Call{
			User: bond, Caller: "1001", Callee: "1000", Queue: trucks, ID: "1471858488.233",
			UserData: map[string]string{"XIVO_CONTEXT": "default", "XIVO_USERID": "2", "XIVO_SRCNUM": "1001", "XIVO_DSTNUM": "3001"},
		}},
		{"2024.05", payload2024, Call{
			User: bond54, Caller: "1013", Callee: "1023", ID: "1724763400.12",
			UserData: map[string]string{"XIVO_USERID": "54", "SIPCALLID": "fd32a3a3-9647-457e-be04-16d7d4000000"},
		}},
		{"external", payloadExternal, Call{
			User: bond54, Caller: "0427466347", Callee: "1000", ID: "1469709757.74",
			Queue: Queue{ID: "2", Name: "bluesky", DisplayName: "Blue sky", Number: "3001"},
			UserData: map[string]string{
				"XIVO_CONTEXT": "from-extern", "XIVO_USERID": "1", "USR_var1": "val1", "USR_var2": "val2",
				"XIVO_EXTENPATTERN": "_012305XXXX", "XIVO_SRCNUM": "0427466347", "XIVO_DSTNUM": "0123053012",
				"XIVO_DST_FIRSTNAME": "Brucé", "XIVO_DST_LASTNAME": "Wail",
			},
		}},
		{"minimal", payloadMinimal, Call{User: User{ID: "4", AgentID: "1", FirstName: "A", LastName: "B", FullName: "A B"}, Callee: "1000"}},
		{"nothing at all", `{}`, Call{}},
	} {
		got := decode(t, test.body)
		if !maps.Equal(got.UserData, test.want.UserData) {
			t.Errorf("%s: userData = %v", test.release, got.UserData)
		}
		got.UserData, got.payload, test.want.UserData = nil, nil, nil
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got %+v, want %+v", test.release, got, test.want)
		}
	}
}

func TestTheDialledNumberIsTheCallDatasNotTheCallee(t *testing.T) {
	if got := decode(t, payloadExternal).DID(); got != "0123053012" {
		t.Errorf("DID = %q", got)
	}
	if got := decode(t, payload2024).DID(); got != "" {
		t.Errorf("DID of a direct call = %q", got)
	}
}

func TestNullIsAbsent(t *testing.T) {
	call := decode(t, `{"user": null, "callee": null, "caller": null, "queue": null, "userData": null, "callDataCallId": null}`)
	if call.User != (User{}) || call.Queue != (Queue{}) || call.Caller+call.Callee+call.ID != "" || len(call.UserData) > 0 {
		t.Errorf("got %+v", call)
	}
	call = decode(t, `{"user": {"userId": null}, "queue": {"id": null, "name": "q"}, "userData": {"A": null, "B": "b"}}`)
	if call.User.ID != "" || call.Queue != (Queue{Name: "q"}) || !maps.Equal(call.UserData, map[string]string{"B": "b"}) {
		t.Errorf("got %+v", call)
	}
}

func TestUnknownMembersAreIgnored(t *testing.T) {
	call := decode(t, `{"caller": "1013", "direction": ["in"], "user": {"mood": {}, "userId": 4}, "queue": {"weight": 1.5}}`)
	if call.Caller != "1013" || call.User.ID != "4" {
		t.Errorf("got %+v", call)
	}
}

func TestNumbersMayComeAsJSONNumbers(t *testing.T) {
	call := decode(t, `{"user": {"userId": "4", "agentId": 1}, "caller": 427466347, "callee": 1000,
		"queue": {"id": "2", "number": 3001}, "callDataCallId": 33427466347000000001}`)
	if call.User.ID != "4" || call.User.AgentID != "1" || call.Caller != "427466347" || call.Callee != "1000" ||
		call.Queue != (Queue{ID: "2", Number: "3001"}) || call.ID != "33427466347000000001" {
		t.Errorf("got %+v", call)
	}
}

func TestUserDataIsTextWhateverStandsInIt(t *testing.T) {
	for body, want := range map[string]map[string]string{
		`[]`:                             nil,
		`{}`:                             nil,
		`{"A": "", "B": " é "}`:          {"A": "", "B": " é "},
		`{"A": 33427466347}`:             {"A": "33427466347"},
		`{"A": 1.50}`:                    {"A": "1.50"},
		`{"A": true, "B": false}`:        {"A": "true", "B": "false"},
		`{"A": {"b": 1, "a": [2, "x"]}}`: {"A": `{"a":[2,"x"],"b":1}`},
	} {
		if got := decode(t, `{"userData": `+body+`}`).UserData; !maps.Equal(got, want) {
			t.Errorf("%s = %v, want %v", body, got, want)
		}
	}
}

func TestWhatIsNoCallIsRefusedWithWordsThatSayWhatIsRight(t *testing.T) {
	for _, test := range []struct{ body, code, message string }{
		{"", "empty_body", "the body is empty; it must be the JSON object that describes the call"},
		{" \n\t", "empty_body", "it must be the JSON object"},
		{"null", "not_an_object", "the body is null; it must be the JSON object that describes the call"},
		{"[]", "not_an_object", "the body is an array; it must be the JSON object"},
		{`"x"`, "not_an_object", "the body is a string; it must"},
		{"42", "not_an_object", "the body is a number; it must"},
		{"true", "not_an_object", "the body is a boolean; it must"},
		{"{", "invalid_json", "not valid JSON"},
		{`{"caller": 0427466347}`, "invalid_json", "not valid JSON"},
		{"caller=0427466347", "invalid_json", "not valid JSON"},
		{"{} {}", "invalid_json", "more than one JSON value"},
		{"{}}", "invalid_json", "more than one JSON value"},
		{"{},", "invalid_json", "more than one JSON value"},
		{"{\"caller\": \"\xff\"}", "invalid_utf8", "not valid UTF-8"},
		{`{"caller": {}}`, "invalid_caller", "caller is an object; it must be a string or a whole number"},
		{`{"caller": []}`, "invalid_caller", "caller is an array; it must be a string or a whole number"},
		{`{"caller": true}`, "invalid_caller", "caller is a boolean; it must be a string or a whole number"},
		{`{"caller": 4.2}`, "invalid_caller", "it must be a string or a whole number"},
		{`{"caller": 4e8}`, "invalid_caller", "it must be a string or a whole number"},
		{`{"callee": false}`, "invalid_callee", "callee is a boolean"},
		{`{"callDataCallId": 1471858488.233}`, "invalid_callDataCallId", "it must be a string or a whole number"},
		{`{"user": "bond"}`, "invalid_user", "user is a string; it must be an object"},
		{`{"user": []}`, "invalid_user", "user is an array; it must be an object"},
		{`{"user": {"userId": {}}}`, "invalid_user_userId", "user.userId is an object; it must be a string or a whole number"},
		{`{"user": {"agentId": 1.5}}`, "invalid_user_agentId", "user.agentId is a number; it must be a string or a whole number"},
		{`{"queue": 3001}`, "invalid_queue", "queue is a number; it must be an object"},
		{`{"queue": {"name": []}}`, "invalid_queue_name", "queue.name is an array"},
		{`{"userData": "a=b"}`, "invalid_userData", "userData is a string; it must be an object"},
		{`{"userData": ["a"]}`, "invalid_userData", "userData is an array; it must be an object"},
	} {
		call, err := Decode([]byte(test.body))
		var refused *DecodeError
		if !errors.As(err, &refused) || refused.Code != test.code || !strings.Contains(refused.Message, test.message) {
			t.Errorf("%q: %v, want %s: %s", test.body, err, test.code, test.message)
		}
		if !reflect.DeepEqual(call, Call{}) {
			t.Errorf("%q gives a call and an error: %+v", test.body, call)
		}
	}
}

func TestErrorsDoNotRepeatWhatWasPosted(t *testing.T) {
	for _, body := range []string{
		`{"user": {"token": "s3cret"}, "caller": {"number": "s3cret"}}`,
		`{"user": "s3cret"}`, `{"user": {"token": "s3cret"}} s3cret`, `{"user": {"token": "s3cret" "x"}}`,
	} {
		if _, err := Decode([]byte(body)); err == nil || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// paths that would find the token if it were still there.
var tokenPaths = []string{
	"user.token", "user", "@this", "user.@values", "user.t*", "user.?oken", "*.token", "*", "*.*", "@values", "@values.0.token",
	"@values|@flatten", "user|token", "@pretty", "@ugly", "@tostr", "{user}", "[user,caller]", "{user.token}", "@dig:token", `user.tok\en`,
	"User.token", "USER.Token", "user.Token", "user.TOKEN", "@reverse", "..user.token", "@join", "user.@keys", "user.#",
}

func TestTheAgentsTokenCannotBeReached(t *testing.T) {
	for _, body := range []string{
		`{"user": {"userId": 4, "token": "s3cret"}}`,
		`{"user": {"token": "s3cret1"}, "user": {"userId": 4, "token": "s3cret2"}}`,
		`{"user": {"token": "s3cret1", "userId": 4, "token": "s3cret2"}}`,
		`{"user": {"userId": 4, "Token": "s3cret1", "TOKEN": "s3cret2"}}`,
		`{"User": {"token": "s3cret"}, "user": {"userId": 4}, "USER": {"Token": {"deep": "s3cret"}}}`,
		`{"user": {"userId": 4, "to\u006ben": "s3cret"}}`,
		"\r\n\t {\"us\\u0065r\":{\"token\":\"s3cret\"},\"user\":{\"userId\":4,\"token\" : [\"s3cret\"] } } \n",
		`{"user": {"userId": 4, "to` + "\u212a" + `en": "s3cret"}}`, // the Kelvin sign, which folds to k
	} {
		call := decode(t, body)
		if call.User.ID != "4" && call.Get("user.userId") != "4" {
			t.Errorf("%s: the rest of the user is lost", body)
		}
		for _, path := range tokenPaths {
			if got := call.Get(path); strings.Contains(got, "s3cret") {
				t.Errorf("%s: Get(%q) = %s", body, path, got)
			}
		}
		written := []string{fmt.Sprint(call.Payload()), string(call.payload.bytes()), string(call.payload.posted)}
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
			written = append(written, fmt.Sprintf(verb, call))
		}
		for _, printed := range written {
			if strings.Contains(printed, "s3cret") {
				t.Errorf("%s is printed as %s", body, printed)
			}
		}
	}
}

func TestTheTokensPathsWouldFindIt(t *testing.T) {
	kept := &payload{written: []byte(`{"user":{"token":"s3cret","userId":4}}`)}
	kept.once.Do(func() {})
	call := Call{payload: kept}
	found := 0
	for _, path := range tokenPaths {
		if strings.Contains(call.Get(path), "s3cret") {
			found++
		}
	}
	if found < 15 {
		t.Errorf("only %d of the paths look where the token is", found)
	}
}

func TestGetReadsThePayloadByItsOwnNames(t *testing.T) {
	call := decode(t, payloadExternal)
	for path, want := range map[string]string{
		"caller": "0427466347", "queue.displayName": "Blue sky", "user.userId": "54", "userData.USR_var1": "val1",
		"userData.XIVO_DST_FIRSTNAME": "Brucé", "callDataCallId": "1469709757.74",
		"nothing": "", "queue.nothing": "", "caller.deeper": "", "": "",
	} {
		if got := call.Get(path); got != want {
			t.Errorf("Get(%q) = %q, want %q", path, got, want)
		}
	}
	if got := decode(t, `{"caller": null}`).Get("caller"); got != "" {
		t.Errorf("null = %q", got)
	}
	if got := (Call{}).Get("caller"); got != "" {
		t.Errorf("the zero Call says %q", got)
	}
}

func TestWholeNumbersAreNotTurnedIntoFloats(t *testing.T) {
	call := decode(t, `{"caller": 33427466347, "userData": {"BIG": 9007199254740993, "LIST": [33427466347]}, "new": {"at": 1469709757741}}`)
	for path, want := range map[string]string{
		"caller": "33427466347", "userData.BIG": "9007199254740993", "userData.LIST.0": "33427466347", "new.at": "1469709757741",
	} {
		if got := call.Get(path); got != want {
			t.Errorf("Get(%q) = %q, want %q", path, got, want)
		}
	}
	if got := call.UserData["LIST"]; got != "[33427466347]" {
		t.Errorf("userData LIST = %s", got)
	}
	want := map[string]any{
		"caller":   int64(33427466347),
		"userData": map[string]any{"BIG": int64(9007199254740993), "LIST": []any{int64(33427466347)}},
		"new":      map[string]any{"at": int64(1469709757741)},
	}
	if got := call.Payload(); !reflect.DeepEqual(got, want) {
		t.Errorf("Payload = %#v", got)
	}
}

func TestFractionsAreFloats(t *testing.T) {
	want := map[string]any{"new": []any{1.5, 100.0, 1e30, true, nil, "x"}}
	if got := decode(t, `{"new": [1.5, 1e2, 1e30, true, null, "x"]}`).Payload(); !reflect.DeepEqual(got, want) {
		t.Errorf("Payload = %#v", got)
	}
}

func TestAPayloadIsTheCallersToChange(t *testing.T) {
	call := decode(t, payload2022)
	call.Payload()["caller"] = "changed"
	if call.Payload()["caller"] != "1001" || call.Get("caller") != "1001" {
		t.Error("changing the payload changed the call")
	}
	if got := (Call{}).Payload(); got == nil || len(got) > 0 {
		t.Errorf("the zero Call's payload = %#v", got)
	}
}
