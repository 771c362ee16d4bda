package caddymodule

import (
	"context"

	"github.com/caddyserver/certmagic"

	"github.com/screenpop/caddy-screenpop/internal/credential"
)

// tokenStore keeps refresh tokens in Caddy's storage, beside its private keys.
// All instances of a cluster share it.
type tokenStore struct{ storage certmagic.Storage }

func (s tokenStore) Lock(ctx context.Context, key string) error {
	return s.storage.Lock(ctx, key)
}

func (s tokenStore) Unlock(ctx context.Context, key string) error {
	return s.storage.Unlock(ctx, key)
}

func (s tokenStore) Load(ctx context.Context, key string) ([]byte, error) {
	return s.storage.Load(ctx, key)
}

func (s tokenStore) Save(ctx context.Context, key string, value []byte) error {
	return s.storage.Store(ctx, key, value)
}

var _ credential.Store = tokenStore{}
