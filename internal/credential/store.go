package credential

import "context"

// Store is where rotated refresh tokens outlive the process, shared by all
// nodes of a cluster. Its methods may be called at the same time.
type Store interface {
	// Lock waits until no other node holds the key, or the context ends.
	Lock(ctx context.Context, key string) error
	// Unlock gives the key to the others.
	Unlock(ctx context.Context, key string) error
	// Load returns what was saved, or an error that is fs.ErrNotExist.
	Load(ctx context.Context, key string) ([]byte, error)
	// Save replaces what was saved.
	Save(ctx context.Context, key string, value []byte) error
}
