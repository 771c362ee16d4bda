// Package seal puts what a page needs to know into its address: encrypted,
// authenticated, and good for a while only. Whoever has the keys can read it,
// so that any machine of a cluster can serve the page, and none has to remember
// it. It knows nothing else.
package seal

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/klauspost/compress/flate"
	"golang.org/x/crypto/chacha20poly1305"
)

// Errors of [Ring.Open]. Neither is worth a line in a log: anybody can write an
// address.
var (
	// ErrExpired means that the seal is ours, and its time is over.
	ErrExpired = errors.New("the link has expired")
	// ErrForeign means that the seal is not ours, or that it was changed.
	ErrForeign = errors.New("the link is not one of ours, or it was changed")
)

// version is the first byte of every seal.
const version = 1

const (
	// maxContent is the largest content, in bytes. What is sealed travels in
	// addresses.
	maxContent = 1 << 18
	// maxSealed is the longest seal that is looked at, in characters.
	maxSealed = 1 << 17
)

// encoding needs no escape in an address.
var encoding = base64.RawURLEncoding.Strict()

// A seal is, in base64url: version, key id, nonce, and the encrypted
//
//	expiry in seconds since 1970 (8 bytes) | content, compressed
//
// The purpose is authenticated with it: what was sealed for one page opens on
// no other.

// Seal seals a content for a purpose. It can be opened until its time is over.
func (r *Ring) Seal(ctx context.Context, purpose string, content []byte, until time.Time) (string, error) {
	if len(content) > maxContent {
		return "", fmt.Errorf("%d bytes are too many to be sealed", len(content))
	}
	key, err := r.current(ctx)
	if err != nil {
		return "", err
	}
	aead, err := chacha20poly1305.NewX(key.secret[:])
	if err != nil {
		return "", err
	}
	head := make([]byte, 0, 1+idSize+aead.NonceSize())
	head = append(append(head, version), key.id[:]...)
	nonce := make([]byte, aead.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return "", err
	}
	head = append(head, nonce...)
	plain := binary.BigEndian.AppendUint64(nil, uint64(until.Unix())) //nolint:gosec // after 1970
	plain = append(plain, compressed(content)...)
	return encoding.EncodeToString(aead.Seal(head, nonce, plain, []byte(purpose))), nil
}

// Open returns what was sealed for a purpose, or [ErrExpired] or [ErrForeign].
func (r *Ring) Open(ctx context.Context, purpose, sealed string, now time.Time) ([]byte, error) {
	const head = 1 + idSize + chacha20poly1305.NonceSizeX
	if len(sealed) > maxSealed {
		return nil, ErrForeign
	}
	raw, err := encoding.DecodeString(sealed)
	if err != nil || len(raw) < head || raw[0] != version {
		return nil, ErrForeign
	}
	key, ok := r.find(ctx, id(raw[1:1+idSize]))
	if !ok {
		return nil, ErrForeign
	}
	aead, err := chacha20poly1305.NewX(key.secret[:])
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, raw[1+idSize:head], raw[head:], []byte(purpose))
	if err != nil || len(plain) < 8 {
		return nil, ErrForeign
	}
	if now.Unix() > int64(binary.BigEndian.Uint64(plain)) { //nolint:gosec // it is ours
		return nil, ErrExpired
	}
	content, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(plain[8:])), maxContent))
	if err != nil {
		return nil, ErrForeign
	}
	return content, nil
}

// compressed needs no compressor that is kept: making one of the standard library's
// takes longer, and a thousand times the memory, than all the rest of an address.
func compressed(content []byte) []byte {
	var b bytes.Buffer
	_ = flate.StatelessDeflate(&b, content, true, nil) // into memory
	return b.Bytes()
}
