package credential

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/screenpop/caddy-screenpop/internal/mistake"
)

// Grant is what a token is asked for with. The zero value is ClientCredentials.
type Grant string

// The known grants.
const (
	ClientCredentials Grant = "client_credentials"
	RefreshToken      Grant = "refresh_token"
	Password          Grant = "password"
	JWTBearer         Grant = "jwt_bearer"
)

// ParseGrant finds a grant by its name. The error names all that there are.
func ParseGrant(name string) (Grant, error) {
	return oneOf("grant", name, []Grant{ClientCredentials, RefreshToken, Password, JWTBearer})
}

// ClientAuth is where the client id and secret stand in a token request. The
// zero value is Body.
type ClientAuth string

// The known places.
const (
	// Body is beside the other parameters.
	Body ClientAuth = "body"
	// Header is HTTP basic authentication, with both encoded as in a form, as
	// RFC 6749 wants it.
	Header ClientAuth = "header"
)

// ParseClientAuth finds a place by its name. The error names all that there are.
func ParseClientAuth(name string) (ClientAuth, error) {
	return oneOf("client_auth", name, []ClientAuth{Header, Body})
}

// Encoding is how a token request's body is written. The zero value is Form.
type Encoding string

// The known encodings.
const (
	Form Encoding = "form"
	JSON Encoding = "json"
)

// ParseEncoding finds an encoding by its name. The error names all that there are.
func ParseEncoding(name string) (Encoding, error) {
	return oneOf("encoding", name, []Encoding{Form, JSON})
}

// Param is a name with a value.
type Param struct{ Name, Value string }

// OAuth2 gets tokens from a token endpoint. It must not be copied or changed
// after its first use.
type OAuth2 struct {
	// TokenURL is the token endpoint. Required.
	TokenURL string
	// Grant is what the token is asked for with. Default ClientCredentials.
	Grant Grant
	// ClientID and ClientSecret say which application asks. Either may be "".
	ClientID, ClientSecret string
	// ClientAuth is where they stand. Default Body.
	ClientAuth ClientAuth
	// Encoding is how the request's body is written. Default Form.
	Encoding Encoding
	// Scopes are sent as one parameter, if there are any.
	Scopes []string
	// Username and Password are for the grant Password.
	Username, Password string
	// RefreshToken is the first refresh token, for the grant of that name. A
	// later one is kept in Store.
	RefreshToken string
	// Params are further parameters of the token request. They replace those
	// of the same name that the grant has; a name that they have twice is sent
	// with both values.
	Params []Param
	// Assertion is for the grant JWTBearer.
	Assertion *Assertion
	// Lifetime is for how long a token is used whose answer has no expires_in.
	// Default: until it is refused.
	Lifetime time.Duration
	// Header holds further header fields of the token request; they replace
	// our own of the same name.
	Header http.Header
	// Client makes the request. Its redirect policy is not used: a request with
	// credentials is never redirected. Default http.DefaultClient.
	Client *http.Client
	// Store keeps rotated refresh tokens. Without one, each new refresh token is
	// reported as Unsaved.
	Store Store

	own     rotation
	resumed *State
}

// grantType is the grant's name in a request.
func (g Grant) grantType() string {
	switch g {
	case "":
		return string(ClientCredentials)
	case JWTBearer:
		return "urn:ietf:params:oauth:grant-type:jwt-bearer"
	default:
		return string(g)
	}
}

// Check reports what is wrong with the options, before the first request. It
// is a *mistake.Mistake if it is about an option.
func (o *OAuth2) Check() error {
	address, err := url.Parse(o.TokenURL)
	if err != nil || address.Host == "" || (address.Scheme != "https" && address.Scheme != "http") {
		return errors.New("the token url must be an address such as https://crm.example.com/oauth2/token")
	}
	switch o.Grant {
	case "", ClientCredentials:
		return required("client_id", o.ClientID)
	case RefreshToken:
		return required("refresh_token", o.RefreshToken)
	case Password:
		return cmp.Or(required("username", o.Username), required("password", o.Password))
	case JWTBearer:
		if o.Assertion == nil {
			return mistake.In("assertion", errors.New("the grant jwt_bearer needs one, with a key and an algorithm"))
		}
		_, err := o.Assertion.sign(time.Now())
		return mistake.In("assertion", err)
	}
	_, err = ParseGrant(string(o.Grant))
	return mistake.In("grant", err)
}

func required(option, value string) error {
	if value != "" {
		return nil
	}
	return mistake.In(option, errors.New("is required for this grant, and is not set or is empty"))
}

// Fetch asks for a token. The error is *Rejected when the CRM does not accept
// the credentials. An *Unsaved comes together with a token that is good.
func (o *OAuth2) Fetch(ctx context.Context) (Token, error) {
	switch o.Grant {
	case RefreshToken:
		return o.refresh(ctx)
	case Password:
		return o.token(ctx, url.Values{"username": {o.Username}, "password": {o.Password}})
	case JWTBearer:
		if o.Assertion == nil {
			return Token{}, errors.New("the grant jwt_bearer has no assertion")
		}
		assertion, err := o.Assertion.sign(time.Now())
		if err != nil {
			return Token{}, fmt.Errorf("assertion: %w", err)
		}
		return o.token(ctx, url.Values{"assertion": {assertion}})
	default:
		return o.token(ctx, url.Values{})
	}
}

// token makes one token request, with what the grant adds to it.
func (o *OAuth2) token(ctx context.Context, params url.Values) (Token, error) {
	params.Set("grant_type", o.Grant.grantType())
	if len(o.Scopes) > 0 {
		params.Set("scope", strings.Join(o.Scopes, " "))
	}
	for _, p := range o.Params {
		params.Del(p.Name)
	}
	for _, p := range o.Params {
		params.Add(p.Name, p.Value)
	}
	config := clientcredentials.Config{
		ClientID: o.ClientID, ClientSecret: o.ClientSecret,
		TokenURL: o.TokenURL, EndpointParams: params, AuthStyle: o.authStyle(),
	}
	x := &exchange{oauth2: o, params: params}
	_, err := config.Token(context.WithValue(ctx, oauth2.HTTPClient, x.client()))
	if x.status == 0 {
		return Token{}, x.explain(err)
	}
	if err := x.judge(); err != nil {
		return Token{}, err
	}
	if err != nil {
		return Token{}, x.explain(err)
	}
	return Token{Answer: x.answer, Expiry: expiry(x.answer, x.asked, o.Lifetime)}, nil
}

func (o *OAuth2) authStyle() oauth2.AuthStyle {
	if o.ClientAuth == Header && o.ClientID+o.ClientSecret != "" {
		return oauth2.AuthStyleInHeader
	}
	return oauth2.AuthStyleInParams
}
