package credential

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"mime"
	"net/url"
	"regexp"
	"strconv"
	"time"

	"github.com/tidwall/gjson"
)

// readAnswer makes an answer a JSON object. Some endpoints answer with a form.
func readAnswer(contentType string, body []byte) (string, error) {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\ufeff")))
	if len(body) == 0 {
		return "", errors.New("the answer is empty")
	}
	if json.Valid(body) {
		if body[0] != '{' {
			return "", errors.New("the answer is JSON, but no object")
		}
		return string(body), nil
	}
	if form, ok := readForm(body); ok {
		return form, nil
	}
	mediaType, _, err := mime.ParseMediaType(contentType)
	if err != nil || !shortName.MatchString(mediaType) {
		return "", errors.New("the answer is no JSON")
	}
	return "", fmt.Errorf("the answer is no JSON (%s)", mediaType)
}

func readForm(body []byte) (string, bool) {
	form, err := url.ParseQuery(string(body))
	if err != nil || !form.Has("access_token") && !form.Has("error") {
		return "", false
	}
	answer, err := json.Marshal(object(form))
	return string(answer), err == nil
}

// accessToken finds the token in an answer.
func accessToken(answer string) (string, bool) {
	found := gjson.Get(answer, "access_token")
	return found.Str, found.Type == gjson.String && found.Str != ""
}

// longestLifetime is as long as a lifetime is believed.
const longestLifetime = 365 * 24 * time.Hour

// expiry says when the token in an answer expires; instead is its lifetime if
// the answer doesn't say. Seconds may be written as a number or a string; 0 is
// how some say nothing.
func expiry(answer string, asked time.Time, instead time.Duration) time.Time {
	lifetime := max(instead, 0)
	if seconds, err := strconv.ParseFloat(gjson.Get(answer, "expires_in").String(), 64); err == nil && seconds > 0 {
		lifetime = time.Duration(math.Min(seconds, longestLifetime.Seconds()) * float64(time.Second))
	}
	if lifetime == 0 {
		return time.Time{}
	}
	return asked.Add(lifetime)
}

// shortName is what a code or media type of an answer looks like, if it is one.
var shortName = regexp.MustCompile(`^[A-Za-z0-9_. /+-]{1,60}$`)

// codePaths and descriptionPaths are where token endpoints say what was wrong.
var (
	codePaths        = []string{"error", "error.code", "error.type", "error.error", "code", "errors.0.code"}
	descriptionPaths = []string{
		"error_description", "error_message", "error.message", "error.description", "message", "errors.0.detail", "errors.0.message", "errors.0",
		"detail", "title", "error",
	}
)

// firstText is the first of several members that is a text.
func firstText(answer string, paths []string) string {
	for _, path := range paths {
		if found := gjson.Get(answer, path); found.Type == gjson.String && found.Str != "" {
			return found.Str
		}
	}
	return ""
}

// saysError reports whether an answer says that it is a failure, whatever its
// status: some are 200.
func saysError(answer string) bool {
	switch found := gjson.Get(answer, "error"); found.Type {
	case gjson.String, gjson.Number:
		return found.String() != "" && found.String() != "0"
	case gjson.JSON, gjson.True:
		return true
	default:
		return false
	}
}
