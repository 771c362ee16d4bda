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
	"slices"
	"strings"
	"time"

	"github.com/tidwall/gjson"
)

// maxAnswer is the largest answer that is read, in bytes. A search by number
// that returns more is no search by number.
const maxAnswer = 4 << 20

// maxRecords is how many records of an answer are looked at. Some CRMs ignore a
// filter that they don't know and return everybody.
const maxRecords = 1000

// exchange is one request and its answer.
type exchange struct {
	crm    *REST
	status int
	took   time.Duration
	header http.Header
	body   string
	// records are the matches in the answer, as raw JSON.
	records []string
	// truncated is set when there were more than maxRecords.
	truncated bool
}

// list makes a lookup's request and takes the matches out of the answer.
func (r *REST) list(ctx context.Context, l *lookup, v values) (exchange, error) {
	if l.filter != nil {
		filter, err := r.joinFilter(l, v)
		if err != nil {
			return exchange{}, &refused{fmt.Errorf("filter: %w", err)}
		}
		v.filter = filter
	}
	request, err := r.build(l, v)
	if err != nil {
		return exchange{}, &refused{err}
	}
	e, err := r.send(ctx, request)
	if err != nil {
		return e, err
	}
	late := examine(ctx, func() { e.records, err = l.read(e) })
	if late != nil {
		return e, late
	}
	if len(e.records) > maxRecords {
		e.records, e.truncated = e.records[:maxRecords], true
	}
	return e, err
}

// detail asks for one whole record.
func (r *REST) detail(ctx context.Context, l *lookup, v values) (exchange, error) {
	path, err := l.detail.Render(v)
	if err != nil {
		return exchange{}, &refused{fmt.Errorf("detail: %w", err)}
	}
	request, err := r.newRequest(http.MethodGet, path, nil)
	if err == nil {
		err = setHeaders(request, v, r.headers, l.headers)
	}
	if err != nil {
		return exchange{}, &refused{err}
	}
	e, err := r.send(ctx, request)
	if err != nil {
		return e, err
	}
	if slices.Contains(l.miss.statuses, e.status) {
		e.body = "" // it was deleted since the search
		return e, nil
	}
	return e, e.check(l)
}

// build makes the request of a lookup.
func (r *REST) build(l *lookup, v values) (*http.Request, error) {
	path, err := l.path.Render(v)
	if err != nil {
		return nil, fmt.Errorf("path: %w", err)
	}
	query, err := encode("query", l.query, v)
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
	body, mediaType, err := l.body(v)
	if err != nil {
		return nil, err
	}
	request, err := r.newRequest(l.method, path, body)
	if err != nil {
		return nil, err
	}
	if mediaType != "" {
		request.Header.Set("Content-Type", mediaType)
	}
	return request, setHeaders(request, v, r.headers, l.headers)
}

func (r *REST) newRequest(method, path string, body io.Reader) (*http.Request, error) {
	request, err := http.NewRequest(method, r.profile.URL+path, body) //nolint:noctx // send adds it
	if err != nil {
		return nil, errors.New("the address of the request could not be built") // the cause repeats the address
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "caddy-screenpop")
	return request, nil
}

func (l *lookup) body(v values) (io.Reader, string, error) {
	switch {
	case l.json != nil:
		document, err := l.json.Render(v)
		if err != nil {
			return nil, "", fmt.Errorf("json: %w", err)
		}
		return strings.NewReader(document), "application/json", nil
	case len(l.form) > 0:
		form, err := encode("form", l.form, v)
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
		b.WriteString(url.QueryEscape(p.name) + "=" + url.QueryEscape(value))
	}
	return b.String(), nil
}

// setHeaders writes lists of header fields; a later list replaces the fields
// of an earlier one, and within a list repetition is kept.
func setHeaders(request *http.Request, v values, lists ...[]param) error {
	for _, list := range lists {
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

// send makes the exchange within the timeout and reads the whole answer.
func (r *REST) send(ctx context.Context, request *http.Request) (e exchange, err error) {
	e.crm = r
	ctx, cancel := context.WithTimeoutCause(ctx, r.timeout, &tooSlow{r.timeout})
	defer cancel()
	started := time.Now()
	defer func() { e.took = time.Since(started) }()

	response, err := r.client.Do(request.WithContext(ctx))
	if err != nil {
		return e, ended(ctx, err)
	}
	defer response.Body.Close()
	e.status, e.header = response.StatusCode, response.Header
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return e, ended(ctx, fmt.Errorf("the answer broke off: %w", err))
	}
	if len(body) > maxAnswer {
		return e, failf("the answer is larger than %d MiB; make the search stricter or set a limit", maxAnswer>>20)
	}
	e.body = strings.TrimPrefix(string(body), "\ufeff") // some servers write a byte order mark
	return e, nil
}

// ended says why a request ended: its own timeout and the call's deadline are
// told apart by the context's cause.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// read takes the matches out of an answer.
func (l *lookup) read(e exchange) ([]string, error) {
	if slices.Contains(l.miss.statuses, e.status) {
		return nil, nil
	}
	if err := e.check(l); err != nil {
		return nil, err
	}
	if l.miss.holds(e) {
		return nil, nil
	}
	return matches(gjson.Get(e.body, l.records), l.records)
}

// check tells an answer from a failure.
func (e exchange) check(l *lookup) error {
	switch {
	case slices.Contains(l.fail.statuses, e.status), e.status < 200 || e.status > 299:
		return &badStatus{e.status, e.reason(), e.target()}
	case nesting(e.body) > maxNesting:
		return failf("the answer is nested deeper than %d levels", maxNesting)
	case !gjson.Valid(e.body):
		return failf("the answer is %s; is the url right?", e.mediaType())
	case l.fail.holds(e):
		return failf("the answer says that it failed (%s)%s", l.fail.expression, behind(": ", e.reason()))
	}
	return nil
}

// mediaType says what an answer that is not JSON is instead.
func (e exchange) mediaType() string {
	switch mediaType, _, err := mime.ParseMediaType(e.header.Get("Content-Type")); {
	case e.body == "":
		return "empty, not JSON"
	case err != nil:
		return "of no known type, not JSON"
	case strings.HasSuffix(mediaType, "json"):
		return "labelled " + e.crm.hide(mediaType) + " but is not valid JSON"
	default:
		return e.crm.hide(mediaType) + ", not JSON"
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

// holds evaluates a condition's expression.
func (c condition) holds(e exchange) bool {
	if c.expression == nil {
		return false
	}
	var body any
	if json.Unmarshal([]byte(e.body), &body) != nil {
		return false
	}
	return c.expression.Holds(map[string]any{"status": e.status, "body": body})
}

// matches lists the records at the place where they are expected. A place that
// is not there is no empty list: a CRM that says something else was not asked.
func matches(found gjson.Result, path string) ([]string, error) {
	switch {
	case !found.Exists():
		return nil, failf("the answer has nothing at %q (records); if that means \"not found\", write it as miss", path)
	case found.Type == gjson.Null, found.Type == gjson.False:
		return nil, nil
	case found.IsArray(), isKeyed(found):
		return members(found, path)
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
func members(found gjson.Result, path string) ([]string, error) {
	var list []string
	others := false
	keyed := found.IsObject()
	found.ForEach(func(key, member gjson.Result) bool {
		if member.IsObject() {
			list = append(list, identified(member, key, keyed))
		} else {
			others = true
		}
		return len(list) <= maxRecords
	})
	if len(list) == 0 && others {
		return nil, failf("the list at %q (records) holds no objects", path)
	}
	return list, nil
}

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
