package crm

import (
	"encoding/json"
	"time"
)

// Auth says how a CRM lets requests in. Exactly one of its parts is set.
type Auth struct {
	// A user name and password with every request (HTTP Basic).
	Basic *Basic `json:"basic,omitempty"`

	// A token with every request: `Authorization: Bearer <token>`.
	Bearer string `json:"bearer,omitempty"`

	// A header field with every request.
	Header *Param `json:"header,omitempty"`

	// A query parameter with every request.
	Query *Param `json:"query,omitempty"`

	// A signature of each request.
	Sign *Sign `json:"sign,omitempty"`

	// An OAuth 2.0 access token, fetched and renewed by the program.
	OAuth2 *OAuth2 `json:"oauth2,omitempty"`

	// A session that the program opens with requests of the CRM's own.
	Login *Login `json:"login,omitempty"`
}

// Basic is a user name and password.
type Basic struct {
	User string `json:"user"`
	// Default: empty.
	Password string `json:"password,omitempty"`
}

// Sign computes something from each request, and sends it along.
type Sign struct {
	// What is computed, in order. Texts may hold `{request.method}`,
	// `{request.path}` (below the API's address, without the query) and
	// `{sign.<name>}`.
	Derive []Derive `json:"derive,omitempty"`

	// Header fields of every request, with `{sign.<name>}`.
	Headers []Param `json:"headers,omitempty"`

	// Query parameters of every request.
	Query []Param `json:"query,omitempty"`
}

// Derive computes a value from a text.
type Derive struct {
	// The value's name.
	Name string `json:"name"`
	// How: `md5`, `sha256`, `hmac-sha256` (in lower-case hexadecimals), `base64`.
	How string `json:"how"`
	// The key, for `hmac-sha256`.
	Key string `json:"key,omitempty"`
	// The text.
	Text string `json:"text"`
}

// Token is what access tokens and sessions have in common.
type Token struct {
	// The header fields that take the token along.
	Headers []Param `json:"headers,omitempty"`

	// The query parameters that take it along.
	Query []Param `json:"query,omitempty"`

	// How long it is good for, if the CRM does not say. Default: until the CRM
	// refuses it.
	Lifetime Duration `json:"lifetime,omitempty"`

	// What says, besides the status 401, that it is no longer good. A new one is
	// then fetched, and the request made once more.
	Expired *Condition `json:"expired,omitempty"`
}

// Duration is a time: in JSON a text such as "30m", or nanoseconds.
type Duration time.Duration

// UnmarshalJSON reads either form.
func (d *Duration) UnmarshalJSON(text []byte) error {
	var written string
	if json.Unmarshal(text, &written) != nil {
		return json.Unmarshal(text, (*int64)(d))
	}
	parsed, err := time.ParseDuration(written)
	*d = Duration(parsed)
	return err
}

// OAuth2 is how to get an access token.
type OAuth2 struct {
	// Where tokens are given: an address, which may begin with `{crm.url}`.
	URL string `json:"url,omitempty"`

	// What is given for a token: `client_credentials`, `refresh_token`,
	// `password` or `jwt_bearer`. Default: `client_credentials`.
	Grant string `json:"grant,omitempty"`

	ClientID     string `json:"client_id,omitempty"`
	ClientSecret string `json:"client_secret,omitempty"`

	// Where the client's id and secret stand: `header` or `body`. Default: `body`.
	ClientAuth string `json:"client_auth,omitempty"`

	// How the request is written: `form` or `json`. Default: `form`.
	Encoding string `json:"encoding,omitempty"`

	// What the token should allow.
	Scopes []string `json:"scopes,omitempty"`

	// For the grant `password`.
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`

	// The first refresh token, for the grant `refresh_token`. When the CRM
	// replaces it, the new one is kept in Caddy's storage.
	RefreshToken string `json:"refresh_token,omitempty"`

	// What the program signs, for the grant `jwt_bearer`.
	Assertion *Assertion `json:"assertion,omitempty"`

	// More parameters of the token request.
	Params []Param `json:"params,omitempty"`

	// Where the API is according to the token answer:
	// `{token.instance_url}`. Default: where the configuration says.
	BaseURL string `json:"base_url,omitempty"`

	// How the token is sent: `{token.<gjson path>}` in the token answer. Default:
	// `Authorization: Bearer {token.access_token}`.
	Token
}

// Assertion is a signed statement of who asks for a token (RFC 7523).
type Assertion struct {
	// The private key in PEM, or the secret for HS256.
	Key string `json:"key,omitempty"`
	// Default: `RS256`.
	Algorithm string `json:"algorithm,omitempty"`
	Issuer    string `json:"issuer,omitempty"`
	Subject   string `json:"subject,omitempty"`
	Audience  string `json:"audience,omitempty"`
	KeyID     string `json:"key_id,omitempty"`
	// More claims.
	Claims []Param `json:"claims,omitempty"`
	// How long it is good for. Default: 3 minutes.
	Lifetime Duration `json:"lifetime,omitempty"`
}

// Login is how to open a session.
type Login struct {
	// What is done, in order; at least one request.
	Steps []Step `json:"steps,omitempty"`

	// How the session is sent: `{login.<name>}`, which any request may hold.
	Token
}

// Step is a part of a [Login]: one of its members is set.
type Step struct {
	Request *LoginRequest `json:"request,omitempty"`
	Derive  *Derive       `json:"derive,omitempty"`
}

// LoginRequest is one request of a login. Its texts may hold the
// `{login.<name>}` of the steps before.
type LoginRequest struct {
	Ask
	// What says that the credentials are wrong although the status is 200.
	Fail *Condition `json:"fail,omitempty"`
	// What is taken out of the answer.
	Take []Take `json:"take,omitempty"`
}

// Take takes a value out of an answer. One of Path, Header and Cookie is set.
type Take struct {
	// The value's name, for `{login.<name>}`.
	Name string `json:"name"`
	// The gjson path to it in the answer's body.
	Path string `json:"path,omitempty"`
	// The name of the header field that it is in.
	Header string `json:"header,omitempty"`
	// The name of the cookie that it is in.
	Cookie string `json:"cookie,omitempty"`
}
