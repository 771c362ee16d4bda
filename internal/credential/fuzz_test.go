package credential

import (
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/tidwall/gjson"
)

// FuzzAnswer: any answer gives a token or says in one short line why it does
// not, without what was sent as a secret.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		answered, `{}`, `[]`, ``, `null`, `"t"`, "\ufeff{}", `{"access_token":1}`, `{"access_token":"t","expires_in":"1e400"}`, `access_token=t&expires_in=NaN`,
		`error=x&error=y`, `{"error":{"code":5}}`, `{"error":"` + clientSecret + `"}`, `{"errors":[{"detail":"a\nb"}]}`, `{"error_description":"\u202e\u0000"}`,
		"<html>" + clientSecret, strings.Repeat(`[`, 20000), `{"access_token":"\ud800"}`, `{"error":0,"access_token":"t"}`, `{"expires_in":true,"access_token":"t"}`,
	} {
		f.Add(200, "application/json", seed)
		f.Add(400, "text/html", seed)
	}
	o := &OAuth2{TokenURL: "https://crm.example.com/token", ClientID: clientID, ClientSecret: clientSecret}
	f.Fuzz(func(t *testing.T, status int, contentType, body string) {
		x := &exchange{oauth2: o, status: status, header: http.Header{}}
		x.answer, x.unreadable = readAnswer(contentType, []byte(body))
		if err := x.judge(); err != nil {
			text := err.Error()
			if strings.Contains(text, clientSecret) || len([]rune(text)) > 3*maxDescription+200 {
				t.Errorf("%q has a secret or is long", text)
			}
			if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("%q is no line", text)
			}
			return
		}
		token, ok := accessToken(x.answer)
		if !ok || token == "" || !gjson.Valid(x.answer) {
			t.Errorf("%q gives %q", body, token)
		}
		now := time.Now()
		if expires := expiry(x.answer, now, 0); !expires.IsZero() && (expires.Before(now) || expires.After(now.Add(longestLifetime))) {
			t.Errorf("%q expires %s", body, expires)
		}
	})
}
