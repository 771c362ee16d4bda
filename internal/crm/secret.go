package crm

import (
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/tidwall/gjson"

	"github.com/screenpop/caddy-screenpop/internal/phone"
	"github.com/screenpop/caddy-screenpop/internal/template"
)

// remembered returns settings that note each value that is used, in the url
// too (a webhook's path may be its secret), to hide it in messages.
func (c *compiler) remembered(settings template.Settings) template.Settings {
	noting := template.Settings{}
	for prefix, load := range settings {
		noting[prefix] = load
		if load == nil || prefix == settingPrefix {
			continue
		}
		noting[prefix] = func(name string) (string, error) {
			value, err := load(name)
			if err == nil {
				c.secret(value)
			}
			return value, err
		}
	}
	return noting
}

// settingPrefix is that of choices that are no secrets.
const settingPrefix = "setting."

// secret notes a text that may not appear in messages.
func (c *compiler) secret(value string) {
	if len(value) >= minSecret && !slices.Contains(c.secrets, value) {
		c.secrets = append(c.secrets, value)
	}
}

// secrets are what must not appear in messages: those of the configuration,
// and what the CRM gave for them.
type secrets struct {
	fixed  *strings.Replacer
	tokens atomic.Pointer[strings.Replacer]

	mu    sync.Mutex
	given []string
}

func (s *secrets) fix(list []string) { s.fixed = hideAll(list) }

// maxGiven is how many texts that the CRM gave are remembered: those of the
// tokens and sessions that requests on their way may have, and a few more.
const maxGiven = 50

// give notes what the CRM gave: every text in an answer, but for addresses.
func (s *secrets) give(answer string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, said := range texts(gjson.Parse(answer).Get("@values|@flatten")) {
		if len(said) >= minToken && !plainAddress.MatchString(said) && !slices.Contains(s.given, said) {
			s.given = append(s.given, said)
		}
	}
	s.given = s.given[max(0, len(s.given)-maxGiven):]
	s.tokens.Store(hideAll(s.given))
}

// plainAddress is where an API is, which is no secret: instance_url.
var plainAddress = regexp.MustCompile(`^https?://[^?@]*$`)

// minToken is the length from which a value in a token answer is hidden:
// "Bearer" and "3600" are no secrets.
const minToken = 8

// hide replaces them.
func (s *secrets) hide(text string) string {
	if s.fixed != nil {
		text = s.fixed.Replace(text)
	}
	if tokens := s.tokens.Load(); tokens != nil {
		text = tokens.Replace(text)
	}
	return text
}

// minSecret is the length from which a setting is hidden in messages: below
// it, hiding would only garble them.
const minSecret = 4

// percentEscape is one %2F, which may also be written %2f.
var percentEscape = regexp.MustCompile(`%[0-9A-F]{2}`)

// hideAll replaces secrets in every form in which a CRM may repeat them. The
// longest counts first: one secret may begin like another.
func hideAll(secrets []string) *strings.Replacer {
	var forms []string
	for _, secret := range secrets {
		forms = append(forms, secret, template.OneLine(secret), template.OneLine(html.EscapeString(secret)))
		for _, written := range append(template.JSONForms(secret), secret) {
			query := url.QueryEscape(written)
			forms = append(forms, template.OneLine(written))
			for _, escaped := range []string{query, strings.ReplaceAll(query, "+", "%20"), url.PathEscape(written)} {
				forms = append(forms, escaped, percentEscape.ReplaceAllStringFunc(escaped, strings.ToLower))
			}
		}
	}
	forms = slices.DeleteFunc(forms, func(form string) bool { return len(form) < minSecret })
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
	var replacements []string
	for _, form := range forms {
		replacements = append(replacements, form, "***")
	}
	return strings.NewReplacer(replacements...)
}

// maxReason bounds what a CRM can write into our log, in characters.
const maxReason = 300

// hide makes a text that a CRM had a part in fit for a log: one line, no
// credential, no telephone number.
func (r *REST) hide(text string) string {
	text = phone.MaskText(r.secrets.hide(template.OneLine(text)))
	if runes := []rune(text); len(runes) > maxReason {
		text = string(runes[:maxReason]) + "..."
	}
	return text
}
