package crm

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/screenpop/caddy-screenpop/internal/credential"
	"github.com/screenpop/caddy-screenpop/internal/protect"
	"github.com/screenpop/caddy-screenpop/internal/template"
)

// Failure is why a CRM could not be asked, in words for its administrator. It
// holds no credential and no telephone number, and wraps nothing: causes of the
// network repeat addresses, which hold numbers.
type Failure struct {
	// CRM and Lookup say what was being done.
	CRM, Lookup string
	// Problem says what went wrong and what to mend.
	Problem string
	// Unsaved is set when a refresh token could not be saved: the CRM is asked
	// all the same.
	Unsaved bool
}

func (f *Failure) Error() string {
	if f.Lookup == "" {
		return fmt.Sprintf("crm %s: %s", f.CRM, f.Problem)
	}
	return fmt.Sprintf("crm %s: lookup %s: %s", f.CRM, f.Lookup, f.Problem)
}

// problem is a failure that was already put into words.
type problem struct{ text string }

func (p *problem) Error() string { return p.text }

func failf(format string, args ...any) error { return &problem{fmt.Sprintf(format, args...)} }

// tooSlow is the cause of a context whose request took longer than its timeout.
type tooSlow struct{ timeout time.Duration }

func (t *tooSlow) Error() string {
	return fmt.Sprintf("no answer within %s (timeout)", t.timeout)
}

// DeadlineError is the cause of a context that ended because the call has to
// be answered.
type DeadlineError struct{ Deadline time.Duration }

func (d *DeadlineError) Error() string {
	return fmt.Sprintf("no answer within the deadline of %s", d.Deadline)
}

// LimitError is the cause of a context that ended because a search has gone on
// for as long as it may.
type LimitError struct{ Limit time.Duration }

func (l *LimitError) Error() string { return fmt.Sprintf("no answer within %s (limit)", l.Limit) }

// ErrReplaced is the cause of a context that ended because the configuration
// that the search belonged to did.
var ErrReplaced = errors.New("the configuration was replaced while the CRM was being asked")

// ErrLeft is why there is no answer for a browser that did not wait for it.
var ErrLeft = errors.New("the agent's browser gave up before the CRM answered")

// Overdue is the error for a CRM, or one of its lookups, that has not answered
// when the call has to be.
func Overdue(crm, lookup string, cause error) error {
	if deadline, ok := errors.AsType[*DeadlineError](cause); ok {
		return &Failure{CRM: crm, Lookup: lookup, Problem: deadline.Error() + slowOrHangs}
	}
	if errors.Is(cause, context.DeadlineExceeded) {
		return &Failure{CRM: crm, Lookup: lookup, Problem: "no answer in time" + slowOrHangs}
	}
	return &Failure{CRM: crm, Lookup: lookup, Problem: cause.Error()}
}

const slowOrHangs = "; the CRM is slow or hangs"

// ConnectError is for transports to return when no connection came about, if
// their own error can't be unwrapped.
type ConnectError struct {
	// Reason is why: "connection refused".
	Reason string
}

func (c *ConnectError) Error() string { return c.Reason }

// refused is a request that was not made because of a value in it.
type refused struct{ err error }

func (r *refused) Error() string { return r.err.Error() }

// notLetIn is a request that was not made because the CRM did not let the
// program in.
type notLetIn struct{ err error }

func (n *notLetIn) Error() string { return n.err.Error() }

func (n *notLetIn) Unwrap() error { return n.err }

// unanswered is a request that had no answer, or not all of it.
type unanswered struct {
	base string // the address below which it was made
	err  error
}

func (u *unanswered) Error() string { return u.err.Error() }

func (u *unanswered) Unwrap() error { return u.err }

// badStatus is an answer that is no success.
type badStatus struct {
	status         int
	reason, target string
}

func (b *badStatus) Error() string { return fmt.Sprintf("%d %s", b.status, http.StatusText(b.status)) }

// explain puts an error into words for the administrator.
func (r *REST) explain(lookup string, err error) error {
	return &Failure{CRM: r.profile.Name, Lookup: lookup, Problem: r.describe(err)}
}

func (r *REST) describe(err error) string {
	if door, ok := errors.AsType[*notLetIn](err); ok {
		return "not asked: no session or token: " + r.describeEntry(door.err)
	}
	if refusal, ok := errors.AsType[*protect.Refusal](err); ok {
		return "not asked: " + r.describeRefusal(refusal, err)
	}
	var (
		known    *problem
		slow     *tooSlow
		deadline *DeadlineError
		limit    *LimitError
		value    *refused
		status   *badStatus
		rejected *credential.Rejected
		later    *credential.Later
	)
	switch {
	case errors.As(err, &later):
		return r.describeEntry(later.Err) + r.hide(strings.TrimPrefix(later.Error(), later.Err.Error()))
	case errors.As(err, &rejected):
		return r.hide(rejected.Error())
	case errors.As(err, &known):
		return known.text
	case errors.As(err, &slow):
		return slow.Error() + slowOrHangs
	case errors.As(err, &deadline):
		return deadline.Error() + slowOrHangs
	case errors.As(err, &limit):
		return limit.Error() + slowOrHangs
	case errors.Is(err, protect.ErrTooLong):
		return fmt.Sprintf("the answer is larger than %d MiB; make the search stricter or set a limit", maxAnswer>>20)
	case errors.Is(err, ErrReplaced):
		return ErrReplaced.Error()
	case errors.As(err, &value):
		return "not asked: " + value.Error()
	case errors.As(err, &status):
		return status.describe()
	case errors.Is(err, context.Canceled):
		return ErrLeft.Error()
	}
	return r.describeNetwork(err)
}

// describeRefusal words why the CRM is spared, with what to mend.
func (r *REST) describeRefusal(refusal *protect.Refusal, err error) string {
	switch refusal.Why {
	case protect.Failing:
		return fmt.Sprintf("the CRM failed %d times in a row and is %s; the last time: %s", refusal.Count, patience(refusal.Wait), r.describeLast(refusal.Last, err))
	case protect.Limited:
		return fmt.Sprintf("the CRM limits how often it may be asked, and wants to be left alone for another %s", roughly(refusal.Wait))
	case protect.TooFast:
		return fmt.Sprintf("more than %d requests in %s, and the next turn would come too late (protect rate)", refusal.Count, refusal.Per)
	case protect.QueueFull:
		return fmt.Sprintf("%d requests wait already (protect queue); the CRM is slow, or concurrent too low", refusal.Count)
	case protect.TooLate:
		return fmt.Sprintf("%s of the lookup's time are left, and the CRM has not answered in less than %s of late; it is slow, or asked for too much in a row", refusal.Left.Truncate(time.Millisecond), refusal.Quickest.Truncate(time.Millisecond))
	default:
		return fmt.Sprintf("%d requests at once left no place in time (protect concurrent); the CRM is slow, or concurrent too low", refusal.Count)
	}
}

func patience(wait time.Duration) string {
	if wait <= 0 {
		return "being tried again"
	}
	return "left alone for " + roughly(wait)
}

// roughly rounds a time up: who waits that long has waited long enough.
func roughly(wait time.Duration) string {
	unit := time.Second
	if wait < time.Second {
		unit = 100 * time.Millisecond
	}
	if whole := wait.Truncate(unit); whole < wait {
		return (whole + unit).String()
	}
	return wait.String()
}

// describeLast words the failure after which the CRM is left alone.
func (r *REST) describeLast(last, refused error) string {
	if failed, ok := errors.AsType[*protect.StatusError](last); ok {
		return (&badStatus{status: failed.Status}).describe()
	}
	base := r.api
	if broken, ok := errors.AsType[*unanswered](refused); ok {
		base = broken.base
	}
	return r.describe(&unanswered{base, last})
}

// Explain puts an error of the CRM's transport into words for its administrator.
func (r *REST) Explain(err error) error { return r.explain("", err) }

// describeEntry words why there is no session or token. What keeps them says so
// in words, but for the end of the call that waits.
func (r *REST) describeEntry(err error) string {
	var (
		status   *badStatus
		deadline *DeadlineError
		limit    *LimitError
		value    *refused
		rejected *credential.Rejected
		later    *credential.Later
	)
	switch {
	case errors.As(err, &status), errors.As(err, &deadline), errors.As(err, &limit), errors.As(err, &value), errors.As(err, &rejected), errors.As(err, &later),
		errors.Is(err, context.Canceled), errors.Is(err, ErrReplaced), errors.Is(err, protect.ErrTooLong):
		return r.describe(err)
	}
	return r.secrets.hide(template.OneLine(err.Error()))
}

// describeNetwork words errors of the network without their addresses' paths
// and queries.
func (r *REST) describeNetwork(err error) string {
	var (
		lookup      *net.DNSError
		certificate *tls.CertificateVerificationError
		wrapped     *url.Error
		dial        *net.OpError
		connect     *ConnectError
		broken      *unanswered
		plain       tls.RecordHeaderError
	)
	host := "the CRM"
	if errors.As(err, &broken) {
		host = hostOf(broken.base)
	}
	switch {
	case errors.As(err, &lookup):
		return fmt.Sprintf("the host of %s can't be resolved (%s); check the url and the DNS", host, lookup.Err)
	case errors.As(err, &certificate):
		return fmt.Sprintf("the certificate of %s is not trusted (%v); %s", host, certificate.Err, certificateAdvice(certificate.Err))
	case errors.As(err, &plain), errors.Is(err, http.ErrSchemeMismatch):
		return fmt.Sprintf("what answers at %s does not speak TLS; write http:// in the url if the CRM has no https, or the port of its https", host)
	case errors.As(err, &connect):
		return fmt.Sprintf("can't connect to %s (%s); is the url right and the CRM running?", host, connect.Reason)
	case errors.As(err, &dial) && dial.Op == "dial":
		return fmt.Sprintf("can't connect to %s (%v); is the url right and the CRM running?", host, dial.Err)
	case errors.As(err, &wrapped):
		return fmt.Sprintf("the exchange with %s broke off (%s)", host, r.hide(wrapped.Err.Error()))
	default:
		return fmt.Sprintf("the exchange with %s broke off (%s)", host, r.hide(err.Error()))
	}
}

// certificateAdvice says what to mend when a certificate is not trusted. Another
// issuer would not help one that is for another name, or too old.
func certificateAdvice(err error) string {
	var (
		name    x509.HostnameError
		invalid x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &name):
		return "write a name that it has in the url, or as transport http { tls_server_name <name> }"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "renew it, unless this machine's clock is wrong"
	}
	return "trust its issuer: transport http { tls_trust_pool file <root.pem> }"
}

func hostOf(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return "the CRM"
	}
	return parsed.Scheme + "://" + parsed.Host
}

// describe says what to mend for each kind of status.
func (b *badStatus) describe() string {
	said := b.Error() + behind(": ", b.reason)
	switch {
	case b.status < 300:
		return said + "; the lookup counts this status as a failure (fail)"
	case b.status == http.StatusUnauthorized:
		return said + "; the CRM does not accept the credentials"
	case b.status == http.StatusForbidden:
		return said + "; the credentials are not allowed to read this: give their user the right to"
	case b.status == http.StatusNotFound:
		return said + "; check the url and the path (if this is how the CRM says \"not found\", write: miss status 404)"
	case b.status == http.StatusTooManyRequests:
		return said + "; the CRM limits how often it may be asked"
	case b.status >= 300 && b.status < 400:
		return said + "; the CRM redirects" + behind(" to ", b.target) + ": write the address it means as url"
	case b.status >= 500:
		return said + "; the CRM itself failed: see its own log"
	default:
		return said + "; the CRM does not understand the request: check the lookup"
	}
}

// target is a redirect's host, without the path and query, which may repeat the
// number. A host that is no IP address may do so too.
func (x *exchange) target() string {
	parsed, err := url.Parse(x.header.Get("Location"))
	switch {
	case err != nil || parsed.Host == "":
		return ""
	case net.ParseIP(parsed.Hostname()) == nil:
		return x.crm.hide(parsed.Scheme + "://" + parsed.Host)
	}
	return parsed.Scheme + "://" + parsed.Host
}

// reasonHeader is where EspoCRM says what was wrong; its body is empty.
const reasonHeader = "X-Status-Reason"

// reasonPaths are where APIs commonly say what was wrong.
var reasonPaths = []string{
	"error.data.message", "error.message", "error_description", "error_message", "message", "error", "error.1.0", "error.0",
	"errors.0.detail", "errors.0.title", "errors.0.message", "errors.detail", "errors.title", "errors.0", "detail", "title",
	"error.description", "errorMessage", "err", "msg", "reason", "0.message", "exception", "exc_type", "1",
	"Envelope.Body.Fault.faultstring", `Envelope.Body.Fault.faultstring.\#text`, // SOAP 1.1
	"Envelope.Body.Fault.Reason.Text", `Envelope.Body.Fault.Reason.Text.\#text`, // and 1.2
}

// reason is what the CRM itself says was wrong, if it says so, fit for a log.
func (x *exchange) reason() string { return x.crm.hide(x.statedReason()) }

func (x *exchange) statedReason() string {
	if reason := x.header.Get(reasonHeader); reason != "" {
		return reason
	}
	if nesting(x.body) > maxNesting || !gjson.Valid(x.body) {
		return ""
	}
	for _, path := range reasonPaths {
		if found := gjson.Get(x.body, path); found.Type == gjson.String && found.String() != "" {
			return found.String()
		}
	}
	return ""
}

// behind puts a separator in front of a text that is there.
func behind(separator, text string) string {
	if text == "" {
		return ""
	}
	return separator + text
}
