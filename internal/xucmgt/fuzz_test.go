package xucmgt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzDecode: any body is a call without the agent's token, or an error that
// says why not; and no path makes reading it fail.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		payload2016, payload2022, payload2024, payloadExternal, payloadMinimal,
		"", "null", "[]", "{}{}", `{"user":{"Token":1},"User":{"token":{}}}`, `{"userData":{"a":[{"b":1e400}]}}`,
		`{"caller":-0,"user":{"token":null}}`, "{\"a\":\"\xff\"}", `{"a":"\ud800"}`, strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		given := bytes.Clone(body) // Decode wipes the token out of it
		call, err := Decode(body)
		if err != nil {
			var refused *DecodeError
			if !errors.As(err, &refused) || refused.Code == "" || refused.Message == "" {
				t.Fatalf("%v (%T)", err, err)
			}
			return
		}
		assertReadAsGoReads(t, call, given)
		for key, value := range call.Payload() {
			user, ok := value.(map[string]any)
			if !ok || !strings.EqualFold(key, "user") {
				continue
			}
			for name := range user {
				if strings.EqualFold(name, "token") {
					t.Fatalf("the payload holds %s.%s", key, name)
				}
			}
		}
		for _, path := range []string{"", "caller", "user.userId", "userData.*", "@this", "@values", "*.#", "a|b", "[a,b]", "userData.#(a==1)#", "@join.@flatten"} {
			call.Get(path)
		}
		if got := call.Get("user.token"); got != "" {
			t.Fatalf("user.token = %q", got)
		}
	})
}

// assertReadAsGoReads compares a call with what encoding/json reads.
func assertReadAsGoReads(t *testing.T, call Call, body []byte) {
	t.Helper()
	document, err := decodeObject(body)
	if err != nil {
		t.Fatalf("a body that Go refuses (%v) is a call", err)
	}
	if bytes.Contains(bytes.ToLower(body), []byte(`\ud`)) {
		return // halves of surrogate pairs, of which each keeps what it likes
	}
	user, _ := document["user"].(map[string]any)
	queue, _ := document["queue"].(map[string]any)
	data, _ := document["userData"].(map[string]any)
	for got, want := range map[string]any{
		"caller " + call.Caller: document["caller"], "callee " + call.Callee: document["callee"], "id " + call.ID: document["callDataCallId"],
		"userId " + call.User.ID: user["userId"], "agentId " + call.User.AgentID: user["agentId"], "firstName " + call.User.FirstName: user["firstName"],
		"lastName " + call.User.LastName: user["lastName"], "fullName " + call.User.FullName: user["fullName"],
		"queueId " + call.Queue.ID: queue["id"], "name " + call.Queue.Name: queue["name"],
		"displayName " + call.Queue.DisplayName: queue["displayName"], "number " + call.Queue.Number: queue["number"],
	} {
		if want == nil {
			want = ""
		}
		if name, text, _ := strings.Cut(got, " "); text != fmt.Sprint(want) {
			t.Fatalf("%s is %q, and Go reads %v", name, text, want)
		}
	}
	for key, value := range data {
		switch value := value.(type) {
		case nil:
			if text, there := call.UserData[key]; there {
				t.Fatalf("userData %q is %q, and Go reads null", key, text)
			}
		case string, json.Number:
			if call.UserData[key] != fmt.Sprint(value) {
				t.Fatalf("userData %q is %q, and Go reads %v", key, call.UserData[key], value)
			}
		}
	}
}

// FuzzAnswer: any texts make an answer that reads as it was meant.
func FuzzAnswer(f *testing.F) {
	f.Add("https://crm/?a=1&b=<2>", "Zoë \"Q\" \\ \u2028 \x00 \xff", "erp")
	f.Fuzz(func(t *testing.T, url, title, argument string) {
		for _, answer := range []Answer{
			Open{Event: EventRinging, URL: url, Title: title, Pause: &Pause{argument}},
			Popup{URL: url, Title: title, Multitab: true},
			Run{Program: url, Args: []string{argument, title}},
			None{},
		} {
			written, err := answer.MarshalJSON()
			var got struct {
				Action, Event, URL, Title, AutopauseReason string
				ExecutableArgs                             []string
			}
			if err != nil || json.Unmarshal(written, &got) != nil {
				t.Fatalf("%s (%v) is not JSON", written, err)
			}
			if _, none := answer.(None); !none && utf8.ValidString(url) && got.URL != url || got.Action != answer.Action() {
				t.Fatalf("%#v reads %+v", answer, got)
			}
			if run, ok := answer.(Run); ok && utf8.ValidString(title+" "+argument) && !slices.Equal(got.ExecutableArgs, run.Args) {
				t.Fatalf("%#v reads %+v", answer, got)
			}
		}
	})
}
