package crm

import (
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/screenpop/caddy-screenpop/internal/phone"
	"github.com/screenpop/caddy-screenpop/internal/template"
)

// remembered returns settings that note each value that is used, in the url
// too (a webhook's path may be its secret), to hide it in messages.
func (c *compiler) remembered(settings template.Settings) template.Settings {
	noting := template.Settings{}
	for prefix, load := range settings {
		noting[prefix] = nil
		if load == nil {
			continue
		}
		noting[prefix] = func(name string) (string, error) {
			value, err := load(name)
			if err == nil && len(value) >= minSecret && !slices.Contains(c.secrets, value) {
				c.secrets = append(c.secrets, value)
			}
			return value, err
		}
	}
	return noting
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
		query := url.QueryEscape(secret)
		for _, escaped := range []string{query, strings.ReplaceAll(query, "+", "%20"), url.PathEscape(secret)} {
			forms = append(forms, escaped, percentEscape.ReplaceAllStringFunc(escaped, strings.ToLower))
		}
		forms = append(forms, template.OneLine(secret), template.OneLine(html.EscapeString(secret)))
	}
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
	text = phone.MaskText(r.secrets.Replace(template.OneLine(text)))
	if runes := []rune(text); len(runes) > maxReason {
		text = string(runes[:maxReason]) + "..."
	}
	return text
}
