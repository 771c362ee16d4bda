package credential

import (
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // what some CRMs want passwords hashed with
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Derivation is how a text is made out of another one, as log-ins want it.
type Derivation string

// The known derivations. Hashes are written in hexadecimal, in lower case.
const (
	MD5        Derivation = "md5"
	SHA256     Derivation = "sha256"
	HMACSHA256 Derivation = "hmac-sha256"
	Base64     Derivation = "base64"
)

var derivations = []Derivation{MD5, SHA256, HMACSHA256, Base64}

// ParseDerivation finds a derivation by its name. The error names all that
// there are.
func ParseDerivation(name string) (Derivation, error) { return oneOf("derivation", name, derivations) }

// NeedsKey reports whether Of uses its key.
func (d Derivation) NeedsKey() bool { return d == HMACSHA256 }

// Of derives a text. The key only matters where NeedsKey says so.
func (d Derivation) Of(text, key string) string {
	switch d {
	case MD5:
		sum := md5.Sum([]byte(text)) //nolint:gosec // see the import
		return hex.EncodeToString(sum[:])
	case SHA256:
		sum := sha256.Sum256([]byte(text))
		return hex.EncodeToString(sum[:])
	case HMACSHA256:
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(text))
		return hex.EncodeToString(mac.Sum(nil))
	case Base64:
		return base64.StdEncoding.EncodeToString([]byte(text))
	}
	return ""
}

// oneOf finds a name among those there are.
func oneOf[T ~string](what, name string, known []T) (T, error) {
	if slices.Contains(known, T(name)) {
		return T(name), nil
	}
	names := make([]string, len(known))
	for i, k := range known {
		names[i] = string(k)
	}
	return "", fmt.Errorf("unknown %s %q; there are %s", what, name, strings.Join(names, ", "))
}
