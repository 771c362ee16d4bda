package credential

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// judge says what is wrong with an answer, or nil if there is a token in it.
func (x *exchange) judge() error {
	err := x.verdict()
	if err == nil || x.status < 400 {
		return err
	}
	if wait, ok := retryAfter(x.header, time.Now()); ok {
		return &Later{After: wait, Err: err}
	}
	return err
}

func (x *exchange) verdict() error {
	code := x.code()
	success := x.status >= 200 && x.status < 300
	switch {
	case slices.Contains(temporaryCodes, code):
		return fmt.Errorf("the token endpoint says: %d %s: %s%s; it may be over in a moment",
			x.status, http.StatusText(x.status), code, behind(": ", x.description(code)))
	case x.rejects(code):
		return &Rejected{Status: x.status, Code: code, Description: x.description(code), Advice: advice(x.oauth2.Grant, code)}
	case !success:
		return x.badStatus(code)
	case x.unreadable != nil:
		return fmt.Errorf("the token endpoint gave no token: %w; is the token url right?", x.unreadable)
	}
	if _, ok := accessToken(x.answer); !ok {
		return fmt.Errorf("the token endpoint's answer has no access_token%s; is the token url right?", behind(": ", x.description(code)))
	}
	return nil
}

// rejects reports whether an answer means that the credentials are wrong.
func (x *exchange) rejects(code string) bool {
	switch x.status {
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
		return true
	}
	if x.status >= 200 && x.status < 300 {
		return saysError(x.answer)
	}
	_, known := advices[code]
	return known
}

// badStatus says what to mend for each kind of status.
func (x *exchange) badStatus(code string) error {
	said := fmt.Sprintf("the token endpoint says: %d %s", x.status, http.StatusText(x.status)) +
		behind(": ", code) + behind(": ", x.description(code))
	switch {
	case x.status >= 300 && x.status < 400:
		return fmt.Errorf("%s; it redirects%s, where credentials are not sent: write the address that it means as token url", said, behind(" to ", x.target()))
	case x.status == http.StatusTooManyRequests:
		return errors.New(said + "; the CRM limits how often it may be asked for tokens")
	case x.status >= 500:
		return errors.New(said + "; the CRM itself failed: see its own log")
	default:
		return errors.New(said + "; is the token url right?")
	}
}

// target is where a redirect leads, without path and query.
func (x *exchange) target() string {
	parsed, err := url.Parse(x.header.Get("Location"))
	if err != nil || parsed.Host == "" {
		return ""
	}
	return x.hide(parsed.Scheme + "://" + parsed.Host)
}

// temporaryCodes say that it is nobody's mistake.
var temporaryCodes = []string{"temporarily_unavailable", "server_error", "slow_down"}

const (
	wrongClient  = "the client id or the client secret is wrong, or is expected in the other place (client_auth header, client_auth body)"
	wrongRefresh = "the refresh token is used up, has expired or was revoked, or belongs to another application: get a new one and configure it"
	wrongRight   = "the user of these credentials may not do this: see the CRM's settings for the user and the application"
)

// advices say what to mend for each code of a token endpoint.
var advices = map[string]string{
	"invalid_client":             wrongClient,
	"invalid_client_id":          wrongClient,
	"invalid_client_credentials": wrongClient,
	"invalid_client_secret":      wrongClient,
	"invalid_code":               wrongRefresh, // Zoho's word
	"invalid_grant":              "the credentials of this grant are wrong or not allowed",
	"invalid_token":              wrongRefresh,
	"unauthorized_client":        "the application may not use this grant: allow it in the CRM, or choose another grant",
	"unsupported_grant_type":     "the CRM does not know this grant, or wants the request in the other encoding (encoding form, encoding json)",
	"invalid_scope":              "the CRM does not know a scope, or the application may not have it: check scope",
	"invalid_request":            "something is missing in the token request or written otherwise: check the options of auth oauth2 (client_auth, encoding, param)",
	"access_denied":              wrongRight,
	"inactive_user":              wrongRight,
	"inactive_org":               wrongRight,
}

// grantAdvices say what invalid_grant means for each grant.
var grantAdvices = map[Grant]string{
	RefreshToken: wrongRefresh,
	Password:     "the user name or the password is wrong, or the user may not log in this way (some CRMs want a token behind the password, or no second factor)",
	JWTBearer:    "the assertion is not accepted: check its key, issuer, subject and audience, that the user has approved the application, and this machine's clock",
}

func advice(grant Grant, code string) string {
	if text := grantAdvices[grant]; code == "invalid_grant" && text != "" {
		return text
	}
	return advices[code]
}

// aboutClient are the codes for which another refresh token would make no
// difference.
var aboutClient = []string{
	"invalid_client", "invalid_client_id", "invalid_client_credentials", "invalid_client_secret",
	"unauthorized_client", "unsupported_grant_type", "invalid_scope",
}

func (x *exchange) code() string {
	code := x.hide(firstText(x.answer, codePaths))
	if !shortName.MatchString(code) {
		return ""
	}
	return code
}

// description is what the endpoint says beside the code.
func (x *exchange) description(code string) string {
	text := x.hide(firstText(x.answer, descriptionPaths))
	if text == code {
		return ""
	}
	return text
}

// retryAfter reads for how long an answer says to wait: seconds, or a date.
func retryAfter(header http.Header, now time.Time) (time.Duration, bool) {
	value := header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second, true
	}
	if said, err := http.ParseTime(header.Get("Date")); err == nil {
		now = said // a moment that it names is meant by its own clock
	}
	date, err := http.ParseTime(value)
	if err != nil || date.Before(now) {
		return 0, false
	}
	return date.Sub(now), true
}

// explain puts a failure of the network into words, without the address's path
// and query.
func (x *exchange) explain(err error) error {
	var (
		wrapped     *url.Error
		lookup      *net.DNSError
		certificate *tls.CertificateVerificationError
		dial        *net.OpError
	)
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	host := x.host()
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no token from %s: %w", host, err)
	case errors.As(err, &lookup):
		return &failure{fmt.Sprintf("the token endpoint's host %s can't be resolved (%s); check the token url and the DNS", host, lookup.Err), err}
	case errors.As(err, &certificate):
		return &failure{fmt.Sprintf("the certificate of %s is not trusted (%s)", host, x.hide(certificate.Err.Error())), err}
	case errors.As(err, &dial) && dial.Op == "dial":
		return &failure{fmt.Sprintf("can't connect to the token endpoint %s (%s)", host, dial.Err), err}
	default:
		return &failure{fmt.Sprintf("the exchange with the token endpoint %s broke off (%s)", host, x.hide(err.Error())), err}
	}
}

// failure is a cause in words that don't repeat it.
type failure struct {
	text string
	err  error
}

func (f *failure) Error() string { return f.text }
func (f *failure) Unwrap() error { return f.err }

func (x *exchange) host() string {
	parsed, err := url.Parse(x.oauth2.TokenURL)
	if err != nil || parsed.Host == "" {
		return "the CRM"
	}
	return parsed.Scheme + "://" + parsed.Host
}
