package credential

import (
	"strings"
	"testing"
)

func TestDerivationsAreWrittenAsLogInsWantThem(t *testing.T) {
	tests := []struct{ name, text, key, want string }{
		{"md5", "password", "", "5f4dcc3b5aa765d61d8327deb882cf99"},
		{"sha256", "", "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{"hmac-sha256", "what do ya want for nothing?", "Jefe", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"}, // RFC 4231
		{"base64", "key:é>>>", "", "a2V5OsOpPj4+"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			derivation, err := ParseDerivation(test.name)
			if err != nil {
				t.Fatal(err)
			}
			if got := derivation.Of(test.text, test.key); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
			if derivation.NeedsKey() != (test.key != "") {
				t.Errorf("needs a key: %t", derivation.NeedsKey())
			}
		})
	}
}

func TestAnUnknownNameIsToldWhichThereAre(t *testing.T) {
	_, derivation := ParseDerivation("sha1")
	_, grant := ParseGrant("authorization_code")
	_, auth := ParseClientAuth("query")
	_, encoding := ParseEncoding("xml")
	for want, err := range map[string]error{
		`unknown derivation "sha1"; there are md5, sha256, hmac-sha256, base64`:                                 derivation,
		`unknown grant "authorization_code"; there are client_credentials, refresh_token, password, jwt_bearer`: grant,
		`unknown client_auth "query"; there are header, body`:                                                   auth,
		`unknown encoding "xml"; there are form, json`:                                                          encoding,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
