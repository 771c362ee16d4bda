package credential

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// maxAnswer is the largest answer that is read, in bytes.
const maxAnswer = 1 << 20

// exchange is one token request and its answer. It is the transport of the
// oauth2 library, between it and the real one: the library knows how a token is
// asked for, and the exchange what CRMs make of that.
type exchange struct {
	oauth2 *OAuth2
	params url.Values
	base   http.RoundTripper

	asked  time.Time
	status int // 0 until there is an answer
	header http.Header
	// answer is the answer as a JSON object, or "" for the reason in unreadable.
	answer     string
	unreadable error
}

// client returns the configured client with the exchange in it.
func (x *exchange) client() *http.Client {
	client := http.Client{}
	if x.oauth2.Client != nil {
		client = *x.oauth2.Client
	}
	x.base = client.Transport
	if x.base == nil {
		x.base = http.DefaultTransport
	}
	client.Transport = x
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client
}

// RoundTrip makes the request as the CRM wants it, and gives the library an
// answer that it can read.
func (x *exchange) RoundTrip(r *http.Request) (*http.Response, error) {
	request, err := x.request(r)
	if err != nil {
		return nil, err
	}
	x.asked = time.Now()
	response, err := x.base.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the answer broke off: %w", err)
	case len(body) > maxAnswer:
		return nil, fmt.Errorf("the answer is larger than %d MiB; is the token url right?", maxAnswer>>20)
	}
	x.status, x.header = response.StatusCode, response.Header
	x.answer, x.unreadable = readAnswer(response.Header.Get("Content-Type"), body)
	return x.plain(r, response), nil
}

// request makes the library's request ours.
func (x *exchange) request(r *http.Request) (*http.Request, error) {
	request := r.Clone(r.Context())
	if x.oauth2.Encoding == JSON {
		if err := encodeJSON(request); err != nil {
			return nil, err
		}
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "caddy-screenpop")
	for name, values := range x.oauth2.Header {
		request.Header[http.CanonicalHeaderKey(name)] = values
	}
	if host := request.Header.Get("Host"); host != "" {
		request.Host = host
		request.Header.Del("Host")
	}
	return request, nil
}

// encodeJSON writes the form of a request as a JSON object. What a form has
// twice is a list.
func encodeJSON(request *http.Request) error {
	encoded, err := io.ReadAll(request.Body)
	if err != nil {
		return err
	}
	form, err := url.ParseQuery(string(encoded))
	if err != nil {
		return err
	}
	body, err := json.Marshal(object(form))
	if err != nil {
		return err
	}
	request.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	request.Body, _ = request.GetBody()
	request.ContentLength = int64(len(body))
	request.Header.Set("Content-Type", "application/json")
	return nil
}

func object(form url.Values) map[string]any {
	members := map[string]any{}
	for name, values := range form {
		members[name] = values
		if len(values) == 1 {
			members[name] = values[0]
		}
	}
	return members
}

// plain is the answer with only that in it which the library reads, each as the
// library wants it.
func (x *exchange) plain(r *http.Request, response *http.Response) *http.Response {
	token, _ := accessToken(x.answer)
	body, err := json.Marshal(map[string]string{"access_token": token})
	if err != nil {
		body = nil // a string is always JSON
	}
	return &http.Response{
		Status: response.Status, StatusCode: response.StatusCode, Request: r,
		Proto: response.Proto, ProtoMajor: response.ProtoMajor, ProtoMinor: response.ProtoMinor,
		Header: http.Header{"Content-Type": {"application/json"}},
		Body:   io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}
}
