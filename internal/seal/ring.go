package seal

import (
	"context"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"
)

const (
	idSize = 4
	// rotation is how old a key gets before there is a new one.
	rotation = 7 * 24 * time.Hour
	// LongestLifetime is how long a seal can be good for: a key that is no longer
	// used is kept for so long.
	LongestLifetime = 24 * time.Hour
	// storeTime is how long the storage may take.
	storeTime = 10 * time.Second
	// storePause is the time between two attempts at the storage: anybody can
	// write an address with a key that there never was.
	storePause = time.Second
)

type id [idSize]byte

// key is what seals are made with. The id in a seal tells which.
type key struct {
	id      id
	secret  [32]byte
	created time.Time
}

func newKey(secret [32]byte, created time.Time) key {
	sum := sha256.Sum256(append([]byte("screen_pop key id"), secret[:]...))
	return key{id(sum[:idSize]), secret, created}
}

// Store keeps the keys, for all machines of a cluster. Load returns an error
// that is [fs.ErrNotExist] when there is nothing.
type Store interface {
	Lock(ctx context.Context, name string) error
	Unlock(ctx context.Context, name string) error
	Load(ctx context.Context, name string) ([]byte, error)
	Save(ctx context.Context, name string, value []byte) error
}

// Ring has the keys. It is safe for concurrent use.
type Ring struct {
	store Store
	now   func() time.Time
	life  context.Context
	end   context.CancelFunc
	trips sync.WaitGroup

	mu sync.Mutex
	// keys are the newest first.
	keys []key
	// trip is closed when the trip to the storage that is under way has ended;
	// nil if there is none. Before next, none is made.
	trip chan struct{}
	next time.Time
	err  error
}

// minSecret is the shortest secret that a key is made of, in bytes.
const minSecret = 32

// Given returns a ring of configured secrets. The first seals; the others open
// what was sealed before it came.
func Given(secrets ...string) (*Ring, error) {
	r := &Ring{now: time.Now}
	for _, secret := range secrets {
		if len(secret) < minSecret {
			return nil, fmt.Errorf("a key has at least %d characters; make one with: openssl rand -base64 32", minSecret)
		}
		derived, err := hkdf.Key(sha256.New, []byte(secret), nil, "screen_pop pane", 32)
		if err != nil {
			return nil, err
		}
		r.keys = append(r.keys, newKey([32]byte(derived), time.Time{}))
	}
	if len(r.keys) == 0 {
		return nil, errors.New("there is no key")
	}
	return r, nil
}

// Kept returns a ring whose keys are in a store. They are made when they are
// first needed, and anew every week.
func Kept(store Store) *Ring {
	life, end := context.WithCancel(context.Background())
	return &Ring{store: store, now: time.Now, life: life, end: end}
}

// Close ends what is asked of the store.
func (r *Ring) Close() {
	if r.end != nil {
		r.mu.Lock() // no trip may begin between the end and the wait
		r.end()
		r.mu.Unlock()
	}
	r.trips.Wait()
}

// Prepare sees to it that there are keys, without waiting for them: the first
// call has no time for it.
func (r *Ring) Prepare() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.isDue() {
		r.depart()
	}
}

// isDue reports whether there should be another key than there is.
func (r *Ring) isDue() bool {
	return r.store != nil && (len(r.keys) == 0 || r.now().Sub(r.keys[0].created) > rotation)
}

// current returns the key to seal with. It waits for the first one only.
func (r *Ring) current(ctx context.Context) (key, error) {
	r.mu.Lock()
	if r.isDue() {
		r.depart()
	}
	if len(r.keys) > 0 {
		defer r.mu.Unlock()
		return r.keys[0], nil
	}
	trip := r.trip
	r.mu.Unlock()
	arrive(ctx, trip)
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case len(r.keys) > 0:
		return r.keys[0], nil
	case r.err != nil:
		return key{}, fmt.Errorf("there is no key for links: %w", r.err)
	default:
		return key{}, errors.New("there is no key for links yet: the storage has not answered")
	}
}

// arrive waits for the end of a trip, if there is one, or of the context.
func arrive(ctx context.Context, trip chan struct{}) {
	if trip == nil {
		return
	}
	select {
	case <-trip:
	case <-ctx.Done():
	}
}

// find returns the key of an id. One that is not known may have been made by
// another machine meanwhile.
func (r *Ring) find(ctx context.Context, wanted id) (key, bool) {
	if found, ok := r.among(wanted); ok || r.store == nil {
		return found, ok
	}
	r.mu.Lock()
	r.depart()
	trip := r.trip
	r.mu.Unlock()
	arrive(ctx, trip)
	return r.among(wanted)
}

func (r *Ring) among(wanted id) (key, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	at := slices.IndexFunc(r.keys, func(k key) bool { return k.id == wanted })
	if at < 0 {
		return key{}, false
	}
	return r.keys[at], true
}

// depart begins a trip to the storage, unless one is under way or was lately.
// The lock is held.
func (r *Ring) depart() {
	if r.trip != nil || r.now().Before(r.next) || r.life.Err() != nil {
		return
	}
	trip := make(chan struct{})
	r.trip = trip
	r.trips.Go(func() {
		keys, err := r.fetch()
		r.mu.Lock()
		defer r.mu.Unlock()
		if err == nil {
			r.keys = keys
		}
		r.err, r.trip, r.next = err, nil, r.now().Add(storePause)
		close(trip)
	})
}

// storeName is where the keys are, beside Caddy's other private keys.
const storeName = "screen_pop/pane/keys.json"

// storedKey is a key as it is kept.
type storedKey struct {
	Secret  []byte    `json:"secret"`
	Created time.Time `json:"created"`
}

// fetch reads the keys, and adds one if they are too old.
func (r *Ring) fetch() ([]key, error) {
	ctx, cancel := context.WithTimeout(r.life, storeTime)
	defer cancel()
	keys, err := r.load(ctx)
	if err != nil || r.areFresh(keys) {
		return keys, err
	}
	if err := r.store.Lock(ctx, storeName); err != nil {
		return nil, fmt.Errorf("locking the storage: %w", err)
	}
	defer func() {
		unlock, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
		defer cancel()
		_ = r.store.Unlock(unlock, storeName) // a lock that stays is said when the next Lock fails
	}()
	// Another machine may have been faster.
	if keys, err = r.load(ctx); err != nil || r.areFresh(keys) {
		return keys, err
	}
	var secret [32]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return nil, err
	}
	keys = append([]key{newKey(secret, r.now().UTC())}, keys...)
	return keys, r.save(ctx, keys)
}

func (r *Ring) areFresh(keys []key) bool {
	return len(keys) > 0 && r.now().Sub(keys[0].created) <= rotation
}

// load reads the keys that can still be of use.
func (r *Ring) load(ctx context.Context) ([]key, error) {
	value, err := r.store.Load(ctx, storeName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the storage: %w", err)
	}
	var stored []storedKey
	if err := json.Unmarshal(value, &stored); err != nil {
		return nil, fmt.Errorf("the keys in the storage (%s) can't be read; remove them, and new ones are made", storeName)
	}
	var keys []key
	for _, one := range stored {
		if len(one.Secret) == len(key{}.secret) && r.now().Sub(one.Created) <= rotation+2*LongestLifetime {
			keys = append(keys, newKey([32]byte(one.Secret), one.Created))
		}
	}
	slices.SortStableFunc(keys, func(a, b key) int { return b.created.Compare(a.created) })
	return keys, nil
}

func (r *Ring) save(ctx context.Context, keys []key) error {
	var stored []storedKey
	for _, k := range keys {
		stored = append(stored, storedKey{k.secret[:], k.created})
	}
	value, err := json.Marshal(stored) //nolint:gosec // for the storage of private keys
	if err != nil {
		return err
	}
	if err := r.store.Save(ctx, storeName, value); err != nil {
		return fmt.Errorf("writing the storage: %w", err)
	}
	return nil
}
