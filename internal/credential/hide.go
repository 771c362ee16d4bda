package credential

import (
	"encoding/base64"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

const (
	// minSecret is the length from which a value is hidden: below it, hiding
	// would only garble messages.
	minSecret = 4
	// maxDescription bounds what a CRM can write into our log, in characters.
	maxDescription = 200
)

// harmless are the parameters whose values are no secrets.
var harmless = []string{"grant_type", "scope", "client_id", "username", "audience", "resource"}

// longWord is what a token that we don't know may look like.
var longWord = regexp.MustCompile(`[A-Za-z0-9_+=.~%-]{40,}`)

// hide makes a text that the CRM had a part in fit for a log: one short line
// without what was sent as a secret.
func (x *exchange) hide(text string) string {
	text = longWord.ReplaceAllString(oneLine(hideAll(x.secrets(), text)), "***")
	if runes := []rune(text); len(runes) > maxDescription {
		text = string(runes[:maxDescription]) + "..."
	}
	return text
}

// secrets are all values that were sent and are not known to be harmless.
func (x *exchange) secrets() []string {
	o := x.oauth2
	secrets := []string{o.ClientSecret, o.Password, o.RefreshToken, base64.StdEncoding.EncodeToString([]byte(o.ClientID + ":" + o.ClientSecret))}
	for name, values := range x.params {
		if !slices.Contains(harmless, name) {
			secrets = append(secrets, values...)
		}
	}
	for _, values := range o.Header {
		for _, value := range values {
			secrets = append(append(secrets, value), strings.Fields(value)...)
		}
	}
	if o.Assertion != nil {
		secrets = append(secrets, o.Assertion.Key)
	}
	return secrets
}

// hideAll replaces secrets in the forms in which a CRM may repeat them, the
// longest first: one may begin like another.
func hideAll(secrets []string, text string) string {
	var forms []string
	for _, secret := range secrets {
		if len(secret) >= minSecret {
			forms = append(forms, secret, url.QueryEscape(secret), url.PathEscape(secret), html.EscapeString(secret), oneLine(secret))
		}
	}
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
	var replacements []string
	for _, form := range slices.Compact(forms) {
		if form != "" {
			replacements = append(replacements, form, "***")
		}
	}
	return strings.NewReplacer(replacements...).Replace(text)
}

// oneLine makes every run of what can't be seen one space.
func oneLine(text string) string {
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "\ufffd"), func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	}), " ")
}
