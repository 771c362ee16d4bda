package browser

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestEachReleaseSendsItsOwnFields(t *testing.T) {
	for _, release := range []struct {
		name string
		keys []string
		user []string
	}{
		{"2016.02", []string{"user", "callee", "caller", "userData", "queue"}, []string{"userId", "agentId", "firstName", "lastName", "fullName"}},
		{"2017.03", []string{"user", "callee", "caller", "userData", "callDataCallId", "queue"}, []string{"userId", "agentId", "firstName", "lastName", "fullName"}},
		{"2022.10", []string{"user", "callee", "caller", "userData", "callDataCallId", "queue"}, []string{"userId", "agentId", "firstName", "lastName", "fullName"}},
		{"2024.05", []string{"user", "callee", "caller", "userData", "callDataCallId", "queue"}, []string{"userId", "agentId", "firstName", "lastName", "fullName", "token"}},
	} {
		t.Run(release.name, func(t *testing.T) {
			s := openSimulator(t)
			s.set("#release", release.name)
			s.ring("known-support")
			body, _ := s.lastCall()
			if got := keys(t, body); !slices.Equal(got, release.keys) {
				t.Errorf("keys %v, want %v", got, release.keys)
			}
			if got := keys(t, field(t, body, "user")); !slices.Equal(got, release.user) {
				t.Errorf("the user's keys %v, want %v", got, release.user)
			}
			s.waitForText("#pane-title", "Camille Moreau")
		})
	}
}

func TestDirectCallHasNoQueueAndAWithheldNumberMayHaveNoCaller(t *testing.T) {
	s := openSimulator(t)
	s.ring("withheld-absent")
	body, _ := s.lastCall()
	if got, want := keys(t, body), []string{"user", "callee", "userData", "callDataCallId"}; !slices.Equal(got, want) {
		t.Errorf("keys %v, want %v", got, want)
	}
}

func TestRequestIsTheOneThatAngularJSSends(t *testing.T) {
	s := openSimulator(t)
	s.ring("known")
	_, headers := s.lastCall()
	for name, want := range map[string]string{
		"Content-Type": "application/json;charset=utf-8",
		"Accept":       "application/json, text/plain, */*",
	} {
		if got := header(headers, name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for _, absent := range []string{"Cookie", "Authorization", "X-Requested-With"} {
		if got := header(headers, absent); got != "" {
			t.Errorf("%s: %q was sent, want none", absent, got)
		}
	}
	if !s.sent(http.MethodOptions) {
		t.Error("no preflight went to the gateway")
	}
}

func TestCallDataIsSent(t *testing.T) {
	s := openSimulator(t)
	s.set("#scenario", "colleague")
	s.set("#user-data", "USR_ORDER=2026-1187\nUSR_FORMULA=a=b\n\nUSR_EMPTY")
	s.set("#did", "0199000042")
	s.ringAsIs()
	body, _ := s.lastCall()
	var call struct {
		UserData map[string]string `json:"userData"`
	}
	if err := json.Unmarshal(body, &call); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"USR_ORDER": "2026-1187", "USR_FORMULA": "a=b", "USR_EMPTY": "", "XIVO_DSTNUM": "0199000042", "XIVO_SRCNUM": "1013",
	} {
		if got, ok := call.UserData[key]; !ok || got != want {
			t.Errorf("userData[%s] = %q, want %q", key, got, want)
		}
	}
}

// keys lists an object's keys in the order in which they were written.
func keys(t *testing.T, object []byte) []string {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(object))
	if _, err := decoder.Token(); err != nil {
		t.Fatalf("reading %q: %v", object, err)
	}
	var names []string
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name.(string))
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			t.Fatal(err)
		}
	}
	return names
}

func field(t *testing.T, object []byte, name string) []byte {
	t.Helper()
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(object, &fields); err != nil {
		t.Fatal(err)
	}
	return fields[name]
}

// header finds a header whatever the case of its name.
func header(headers map[string]any, name string) string {
	for each, value := range headers {
		if strings.EqualFold(each, name) {
			text, _ := value.(string)
			return text
		}
	}
	return ""
}
