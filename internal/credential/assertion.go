package credential

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/screenpop/caddy-screenpop/internal/mistake"
)

// Assertion is what a JWT bearer grant is asked for with.
type Assertion struct {
	// Key is the private key as PEM, in which a line break may be written \n;
	// for the algorithms HS* it is the shared secret.
	Key string
	// Algorithm is one of RS256, RS384, RS512, PS256, PS384, PS512, ES256,
	// ES384, ES512, EdDSA, HS256, HS384, HS512.
	Algorithm string
	// Issuer, Subject and Audience are the claims iss, sub and aud. One that is
	// "" is left out.
	Issuer, Subject, Audience string
	// KeyID is the header kid. Default: none.
	KeyID string
	// Claims are further claims; they replace those of the same name. A value
	// that is a JSON object or list is sent as such, anything else as a string.
	Claims []Param
	// Lifetime is how long the assertion is good for. Default 3 minutes.
	Lifetime time.Duration
}

// defaultAssertionLifetime is what Salesforce allows.
const defaultAssertionLifetime = 3 * time.Minute

// sign makes an assertion that no other one equals.
func (a *Assertion) sign(now time.Time) (string, error) {
	method, err := a.method()
	if err != nil {
		return "", mistake.In("algorithm", err)
	}
	key, err := a.key()
	if err != nil {
		return "", mistake.In("key", err)
	}
	token := jwt.NewWithClaims(method, a.claims(now))
	if a.KeyID != "" {
		token.Header["kid"] = a.KeyID
	}
	signed, err := token.SignedString(key)
	if err != nil {
		return "", mistake.In("key", fmt.Errorf("can't sign with %s: %w", a.Algorithm, err))
	}
	return signed, nil
}

// method finds the algorithm. "none" is none.
func (a *Assertion) method() (jwt.SigningMethod, error) {
	known := slices.DeleteFunc(jwt.GetAlgorithms(), func(name string) bool { return name == "none" })
	slices.Sort(known)
	if _, err := oneOf("algorithm", a.Algorithm, known); err != nil {
		return nil, err
	}
	return jwt.GetSigningMethod(a.Algorithm), nil
}

// key reads the key as the algorithm wants it. The errors of the parsers don't
// repeat it.
func (a *Assertion) key() (any, error) {
	if a.Key == "" {
		return nil, errors.New("is required, and is not set or is empty; write for example: key {file./run/secrets/crm_key}")
	}
	pem := []byte(strings.ReplaceAll(a.Key, `\n`, "\n"))
	var (
		key any
		err error
	)
	switch kind := a.Algorithm[:2]; kind {
	case "HS":
		return []byte(a.Key), nil
	case "ES":
		key, err = jwt.ParseECPrivateKeyFromPEM(pem)
	case "Ed":
		key, err = jwt.ParseEdPrivateKeyFromPEM(pem)
	default:
		key, err = jwt.ParseRSAPrivateKeyFromPEM(pem)
	}
	if err != nil {
		return nil, fmt.Errorf("is no private key for %s in PEM without a passphrase (-----BEGIN PRIVATE KEY-----): %w", a.Algorithm, err)
	}
	return key, nil
}

func (a *Assertion) claims(now time.Time) jwt.MapClaims {
	lifetime := a.Lifetime
	if lifetime <= 0 {
		lifetime = defaultAssertionLifetime
	}
	claims := jwt.MapClaims{"jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(lifetime).Unix()}
	for _, c := range []Param{{"iss", a.Issuer}, {"sub", a.Subject}, {"aud", a.Audience}} {
		if c.Value != "" {
			claims[c.Name] = c.Value
		}
	}
	for _, c := range a.Claims {
		claims[c.Name] = claim(c.Value)
	}
	return claims
}

func claim(value string) any {
	if strings.HasPrefix(value, "{") || strings.HasPrefix(value, "[") {
		if json.Valid([]byte(value)) {
			return json.RawMessage(value)
		}
	}
	return value
}
