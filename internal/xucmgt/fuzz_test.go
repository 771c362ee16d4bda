package xucmgt

import (
	"errors"
	"strings"
	"testing"
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
		call, err := Decode(body)
		if err != nil {
			var refused *DecodeError
			if !errors.As(err, &refused) || refused.Code == "" || refused.Message == "" {
				t.Fatalf("%v (%T)", err, err)
			}
			return
		}
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
