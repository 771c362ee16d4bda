package crm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/screenpop/caddy-screenpop/internal/protect"
	"github.com/screenpop/caddy-screenpop/internal/xmljson"
)

// maxAnswer is the largest answer that is read, in bytes. A search by number
// that returns more is no search by number.
const maxAnswer = MaxAnswer

// MaxAnswer is for transports that read answers ahead.
const MaxAnswer = 4 << 20

// maxRecords is how many records of an answer are looked at. Some CRMs ignore a
// filter that they don't know and return everybody.
const maxRecords = 1000

// exchange is one request and its answer.
type exchange struct {
	crm    *REST
	status int
	took   time.Duration
	// note is what became of the request on its way.
	note   protect.Note
	header http.Header
	// body is the answer as JSON, whatever it was written in.
	body string
	// unread is why an answer that should be JSON could not be made so.
	unread error
	// decoded is the body for conditions, once one has asked.
	decoded any
	// records are the matches in the answer, as raw JSON.
	records []string
	// truncated is set when there were more than maxRecords.
	truncated bool
}

// list makes a search's request and takes the matches out of the answer.
// Bare ids are records only where one can be asked for by its id. The filter is
// left in the values, for what is asked about the matches.
func (r *REST) list(ctx context.Context, s *search, v *values, bareIDs bool) (*exchange, error) {
	if s.filter != nil {
		filter, err := s.joinFilter(*v)
		if err != nil {
			return &exchange{}, &refused{fmt.Errorf("filter: %w", err)}
		}
		v.filter = filter
	}
	x, err := r.perform(s.miss.expected(ctx), s.ask, *v)
	if err != nil {
		return x, err
	}
	late := examine(ctx, len(x.body), func() { x.records, err = s.read(x, bareIDs) })
	if late != nil {
		return x, late
	}
	if len(x.records) > maxRecords {
		x.records, x.truncated = x.records[:maxRecords], true
	}
	return x, err
}

// perform makes a request. When the CRM says that what let it in has ended, it
// is let in anew and makes the request once more.
func (r *REST) perform(ctx context.Context, a *ask, v values) (*exchange, error) {
	for tries := 1; ; tries++ {
		key, err := r.entry.key(ctx)
		if err != nil {
			return &exchange{}, &notLetIn{err}
		}
		v.access = key.Answer
		base, err := r.entry.base(v)
		if err != nil {
			return &exchange{}, &refused{err}
		}
		x, err := r.attempt(ctx, a, v, base, &r.entry)
		if err != nil {
			return x, err
		}
		r.entry.watch(a, x)
		switch {
		case r.entry.keeper == nil:
			return x, nil
		case !r.entry.isRefused(x):
			r.entry.rights.grant(a, key.Answer)
			return x, nil
		case tries > 1:
			r.entry.rights.deny(a, key.Answer)
			return x, r.entry.complain(a, x, key.Answer)
		case r.entry.rights.lacks(a, key.Answer):
			return x, r.entry.complain(a, x, key.Answer)
		}
		r.entry.keeper.Refused(key)
	}
}

// attempt builds a request and makes it.
func (r *REST) attempt(ctx context.Context, a *ask, v values, base string, letIn *entry) (*exchange, error) {
	x := &exchange{crm: r}
	ctx, cancel := r.within(ctx, x)
	defer cancel()
	request, err := r.build(ctx, a, v, base)
	if err == nil && letIn != nil {
		err = letIn.letIn(request, base, &v)
	}
	if err != nil {
		return &exchange{}, &refused{err}
	}
	err = r.send(ctx, request, x)
	if err != nil {
		err = &unanswered{base, err}
	}
	r.witness.Load().see(r, v, request, x, err)
	return x, err
}

// within is how long an exchange may take, from when its turn comes, and where
// its story is noted.
func (r *REST) within(ctx context.Context, x *exchange) (context.Context, context.CancelFunc) {
	ctx = protect.WithNote(ctx, &x.note)
	if isPatient(ctx) {
		return context.WithCancel(ctx)
	}
	if guard, ok := r.transport.(*protect.Transport); ok && guard.Queues(ctx) {
		return protect.WithTimeout(ctx, r.timeout, &tooSlow{r.timeout}), func() {}
	}
	return context.WithTimeoutCause(ctx, r.timeout, &tooSlow{r.timeout})
}

// build makes a request.
func (r *REST) build(ctx context.Context, a *ask, v values, base string) (*http.Request, error) {
	path, err := a.path.Render(v)
	if err != nil {
		return nil, fmt.Errorf("path: %w", err)
	}
	query, err := encode("query", a.query, v)
	if err != nil {
		return nil, err
	}
	if query != "" {
		separator := "?"
		if strings.Contains(path, "?") {
			separator = "&"
		}
		path += separator + query
	}
	body, mediaType, err := a.body(v)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, a.method, base+path, body)
	if err != nil {
		return nil, errors.New("the address of the request could not be built") // the cause repeats the address
	}
	request.Header.Set("User-Agent", "caddy-screenpop")
	request.Header.Set("Accept", "application/json")
	if a.xml != nil {
		request.Header.Set("Accept", "text/xml, application/xml, application/soap+xml")
	}
	if mediaType != "" {
		request.Header.Set("Content-Type", mediaType)
	}
	return request, setHeaders(request, v, r.headers, a.headers)
}

func (a *ask) body(v values) (io.Reader, string, error) {
	switch {
	case a.json != nil:
		document, err := a.json.Render(v)
		if err != nil {
			return nil, "", fmt.Errorf("json: %w", err)
		}
		return strings.NewReader(document), "application/json", nil
	case a.xml != nil:
		document, err := a.xml.Render(v)
		if err != nil {
			return nil, "", fmt.Errorf("xml: %w", err)
		}
		return strings.NewReader(document), "text/xml; charset=utf-8", nil
	case len(a.form) > 0:
		form, err := encode("form", a.form, v)
		return strings.NewReader(form), "application/x-www-form-urlencoded", err
	default:
		return nil, "", nil
	}
}

// encode writes parameters in the order in which they are configured; some
// CRMs read where[0][type] by position.
func encode(option string, params []param, v values) (string, error) {
	var b strings.Builder
	for _, p := range params {
		value, err := p.value.Render(v)
		if err != nil {
			return "", fmt.Errorf("%s %s: %w", option, p.name, err)
		}
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.encoded)
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(value))
	}
	return b.String(), nil
}

// setHeaders writes lists of header fields; a later list replaces the fields
// of an earlier one, and within a list repetition is kept. A request that is
// for no call, such as a login, goes without those that are about one.
func setHeaders(request *http.Request, v values, lists ...[]param) error {
	for _, list := range lists {
		if v.query.Number.IsZero() {
			list = slices.DeleteFunc(slices.Clone(list), param.isOfCall)
		}
		for _, p := range list {
			request.Header.Del(p.name)
		}
		for _, p := range list {
			value, err := p.value.Render(v)
			if err != nil {
				return fmt.Errorf("header %s: %w", p.name, err)
			}
			if strings.EqualFold(p.name, "Host") {
				request.Host = value
				continue
			}
			request.Header.Add(p.name, value)
		}
	}
	return nil
}

// Patiently returns a context in which a request may take as long as the context
// lasts, whatever its timeout: nobody is waiting for an answer in time.
func Patiently(ctx context.Context) context.Context {
	return context.WithValue(ctx, patienceKey{}, true)
}

// Awaited returns a context for a search that calls wait for: until says up to
// when. The zero time means that whoever waits has no hurry.
func Awaited(ctx context.Context, until func() time.Time) context.Context {
	return protect.Awaited(ctx, until)
}

type patienceKey struct{}

func isPatient(ctx context.Context) bool {
	patient, _ := ctx.Value(patienceKey{}).(bool)
	return patient
}

// send makes the exchange and reads the whole answer. Redirects are not followed:
// credentials would go to another host.
func (r *REST) send(ctx context.Context, request *http.Request, x *exchange) error {
	started := time.Now()
	defer func() { x.took = time.Since(started) }()

	response, err := r.transport.RoundTrip(request)
	if err != nil {
		return ended(ctx, err)
	}
	defer response.Body.Close()
	x.status, x.header = response.StatusCode, response.Header
	body, err := protect.ReadAll(response, maxAnswer)
	if err != nil {
		return ended(ctx, fmt.Errorf("the answer broke off: %w", err))
	}
	if len(body) > maxAnswer {
		return protect.ErrTooLong
	}
	x.body = strings.TrimPrefix(string(body), "\ufeff") // some servers write a byte order mark
	if xmljson.IsXML(response.Header.Get("Content-Type"), x.body) {
		err = examine(ctx, len(x.body), func() { x.body, x.unread = xmljson.Convert(x.body) })
	}
	return err
}

// ended says why a request ended: its own timeout and the call's deadline are
// told apart by the context's cause. A request that was not made had no time.
func ended(ctx context.Context, err error) error {
	if _, refused := errors.AsType[*protect.Refusal](err); ctx.Err() != nil && !refused {
		return context.Cause(ctx)
	}
	return err
}

// read takes the matches out of an answer.
func (s *search) read(x *exchange, bareIDs bool) ([]string, error) {
	if s.miss.meansNothing(x) {
		return nil, nil
	}
	if err := x.check(s.fail); err != nil {
		return nil, err
	}
	if s.miss.holds(x) {
		return nil, nil
	}
	return matches(gjson.Get(x.body, s.records), s.records, bareIDs)
}

// check tells an answer from a failure.
func (x *exchange) check(fail condition) error {
	switch {
	case slices.Contains(fail.statuses, x.status), x.status < 200 || x.status > 299:
		return &badStatus{x.status, x.reason(), x.target()}
	case x.unread != nil:
		return failf("the answer is XML that can't be read (%s)", x.crm.hide(x.unread.Error()))
	case nesting(x.body) > maxNesting:
		return failf("the answer is nested deeper than %d levels", maxNesting)
	case !gjson.Valid(x.body):
		return failf("the answer is %s; is the url right?", x.mediaType())
	case fail.holds(x):
		return failf("the answer says that it failed (%s)%s", fail.expression, behind(": ", x.reason()))
	}
	return nil
}

// mediaType says what an answer that is not JSON is instead.
func (x *exchange) mediaType() string {
	switch mediaType, _, err := mime.ParseMediaType(x.header.Get("Content-Type")); {
	case x.body == "":
		return "empty, not JSON"
	case err != nil:
		return "of no known type, not JSON"
	case strings.HasSuffix(mediaType, "json"):
		return "labelled " + x.crm.hide(mediaType) + " but is not valid JSON"
	default:
		return x.crm.hide(mediaType) + ", not JSON"
	}
}

// maxNesting is how deep an answer may be nested. Real ones stay below 20; an
// answer of nothing but brackets would keep the program busy for minutes.
const maxNesting = 500

// nesting counts the levels of arrays and objects, outside of strings.
func nesting(body string) int {
	level, deepest, quoted := 0, 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			level++
			deepest = max(deepest, level)
		case c == ']' || c == '}':
			level--
		}
	}
	return deepest
}

// holds evaluates a condition.
func (c condition) holds(x *exchange) bool {
	if slices.Contains(c.statuses, x.status) {
		return true
	}
	if c.expression == nil {
		return false
	}
	if x.decoded == nil {
		if nesting(x.body) > maxNesting || json.Unmarshal([]byte(x.body), &x.decoded) != nil {
			return false
		}
	}
	return c.expression.Holds(map[string]any{"status": x.status, "body": x.decoded})
}

// meansNothing reports whether a status that is no success means that there is
// nothing. An expression says so only if it is about the status: one about the
// body alone is about successes.
func (c condition) meansNothing(x *exchange) bool {
	return slices.Contains(c.statuses, x.status) ||
		x.status > 299 && c.expression != nil && strings.Contains(c.expression.String(), "status") && c.holds(x)
}

// expected tells whoever judges by statuses alone that some of those that look
// like the CRM's failure may be answers.
func (c condition) expected(ctx context.Context) context.Context {
	aboutStatus := c.expression != nil && strings.Contains(c.expression.String(), "status")
	if !aboutStatus && !slices.ContainsFunc(c.statuses, func(status int) bool { return status >= http.StatusInternalServerError }) {
		return ctx
	}
	return protect.WithNormal(ctx, func(status int) bool { return aboutStatus || slices.Contains(c.statuses, status) })
}

// matches lists the records at the place where they are expected. A place that
// is not there is no empty list: a CRM that says something else was not asked.
func matches(found gjson.Result, path string, bareIDs bool) ([]string, error) {
	switch {
	case !found.Exists():
		return nil, failf("the answer has nothing at %q (records); if that means \"not found\", write it as miss; if it is an error, as fail (of a session, as expired)", path)
	case found.Type == gjson.Null, found.Type == gjson.False:
		return nil, nil
	case found.IsArray(), isKeyed(found):
		return members(found, path, bareIDs)
	case found.IsObject() && len(found.Map()) == 0:
		return nil, nil
	case found.IsObject():
		return []string{found.Raw}, nil
	default:
		return nil, failf("the answer has a %s at %q (records), not a list", strings.ToLower(found.Type.String()), path)
	}
}

// isKeyed reports whether an object is a list whose keys are ids, as PHP writes
// them: all its members are objects.
func isKeyed(found gjson.Result) bool {
	if !found.IsObject() {
		return false
	}
	keyed := false
	found.ForEach(func(_, member gjson.Result) bool {
		keyed = member.IsObject()
		return keyed
	})
	return keyed
}

// members lists the objects of a list, at most one more than are looked at.
func members(found gjson.Result, path string, bareIDs bool) ([]string, error) {
	var list []string
	others := false
	keyed := found.IsObject()
	found.ForEach(func(key, member gjson.Result) bool {
		switch {
		case member.IsObject():
			list = append(list, identified(member, key, keyed))
		case bareIDs && isID(member):
			list = append(list, `{"id":`+member.Raw+`}`)
		default:
			others = true
		}
		return len(list) <= maxRecords
	})
	if len(list) == 0 && others {
		return nil, failf("the list at %q (records) holds no objects", path)
	}
	return list, nil
}

// isID reports whether a member of a list can be the id of a record.
func isID(member gjson.Result) bool {
	return member.Type == gjson.Number || member.Type == gjson.String && idForm.MatchString(member.Str)
}

var idForm = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,64}$`)

// identified gives a record of a keyed list its key as id, if it has none.
func identified(record, key gjson.Result, keyed bool) string {
	if !keyed || record.Get("id").Exists() {
		return record.Raw
	}
	rest := strings.TrimPrefix(record.Raw, "{")
	if strings.TrimSpace(rest) == "}" {
		return `{"id":` + key.Raw + `}`
	}
	return `{"id":` + key.Raw + `,` + rest
}
