package fleet

import (
	"context"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"time"

	"golang.org/x/crypto/chacha20poly1305"
)

// Shelf is a part of a store for those who share a secret. Whoever else reads the
// store sees neither values nor what they are stored under.
type Shelf struct {
	store  *Store
	cipher cipher.AEAD
	naming []byte
}

// On returns a shelf of a store.
func On(store *Store, secret []byte) (*Shelf, error) {
	sealing, err := chacha20poly1305.NewX(derived(secret, "values"))
	if err != nil {
		return nil, err
	}
	return &Shelf{store, sealing, derived(secret, "names")}, nil
}

func derived(secret []byte, purpose string) []byte {
	sum := hmac.New(sha256.New, secret)
	sum.Write([]byte("screenpop shared cache: " + purpose)) // never fails
	return sum.Sum(nil)
}

// name is what a key is called in the store. The braces keep it and its claim on
// one node of a cluster.
func (s *Shelf) name(key string) string {
	sum := hmac.New(sha256.New, s.naming)
	sum.Write([]byte(key))
	return "screenpop:{" + base64.RawURLEncoding.EncodeToString(sum.Sum(nil)[:18]) + "}"
}

func (s *Shelf) claim(key string) string { return s.name(key) + ":claim" }

var errForeign = errors.New("what is stored in the shared cache was not stored by us")

// Take returns what was put there, and for how long it stays; nil if nothing was.
func (s *Shelf) Take(ctx context.Context, key string) (value []byte, left time.Duration, err error) {
	name := s.name(key)
	sealed, left, err := s.store.Load(ctx, name)
	if err != nil || sealed == nil {
		return nil, 0, err
	}
	if len(sealed) < s.cipher.NonceSize() {
		return nil, 0, errForeign
	}
	nonce, sealed := sealed[:s.cipher.NonceSize()], sealed[s.cipher.NonceSize():]
	value, err = s.cipher.Open(nil, nonce, sealed, []byte(name))
	if err != nil {
		return nil, 0, errForeign
	}
	return value, left, nil
}

// Put puts a value there for a time.
func (s *Shelf) Put(ctx context.Context, key string, value []byte, lasting time.Duration) error {
	name := s.name(key)
	nonce := make([]byte, s.cipher.NonceSize(), s.cipher.NonceSize()+len(value)+s.cipher.Overhead())
	_, _ = rand.Read(nonce) // never fails
	return s.store.Save(ctx, name, s.cipher.Seal(nonce, nonce, value, []byte(name)), lasting)
}

// Remove removes it.
func (s *Shelf) Remove(ctx context.Context, key string) error {
	return s.store.Delete(ctx, s.name(key))
}

// Claim reports whether nobody else is finding out what belongs there. If so,
// others wait for us, for a time.
func (s *Shelf) Claim(ctx context.Context, key string, lasting time.Duration) (bool, error) {
	return s.store.Claim(ctx, s.claim(key), lasting)
}

// Release tells them that they need not.
func (s *Shelf) Release(ctx context.Context, key string) error {
	return s.store.Delete(ctx, s.claim(key))
}
