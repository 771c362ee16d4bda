package credential

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/tidwall/gjson"
)

// storeTime is how long the store may take to save a refresh token and to
// unlock, whatever happened to the fetch meanwhile.
const storeTime = 5 * time.Second

// exchangeTime is how long an exchange may take at least, however long the
// storage's lock was waited for: an answer that is not read may hold the only
// refresh token that is good.
const exchangeTime = 5 * time.Second

// rotation is which refresh token is the next one.
type rotation struct {
	mutex sync.Mutex // held while one is used
	// held is the refresh token to go on with when the store can't be read: one
	// that could not be saved, or one that did not change when it was used.
	held string
	// unsaved is set while the held one is newer than the stored one.
	unsaved bool
}

// Resume goes on with what another OAuth2 of the same credentials knows. It is
// for one that was not used yet.
func (o *OAuth2) Resume(state *State) { o.resumed = state }

func (o *OAuth2) rotation() *rotation {
	if o.resumed != nil {
		return &o.resumed.rotation
	}
	return &o.own
}

// refresh exchanges a refresh token for a token. It may be good for one use
// only: nobody else may use it at the same time, a new one must be saved before
// anything else, and an exchange that has begun is not broken off because the
// configuration ends.
func (o *OAuth2) refresh(ctx context.Context) (Token, error) {
	r := o.rotation()
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if o.Store == nil {
		return o.refreshWith(ctx, "")
	}
	key := o.storeKey()
	stored := ""
	err := o.Store.Lock(ctx, key)
	if errors.Is(err, context.DeadlineExceeded) {
		return Token{}, errors.New("no token: the refresh token stayed locked in the storage; is another node using it and hanging?")
	}
	if err == nil {
		defer o.unlock(ctx, key)
		stored, err = o.load(ctx, key)
	}
	if err != nil && r.held == "" {
		return Token{}, fmt.Errorf("no token: the storage can't be read (%w); a newer refresh token than the configured one may be in it", err)
	}
	if err := ctx.Err(); err != nil {
		return Token{}, context.Cause(ctx)
	}
	return o.refreshWith(ctx, stored)
}

// refreshWith tries the newest refresh token first: one that could not be
// saved, then the stored one, then the configured one.
func (o *OAuth2) refreshWith(ctx context.Context, stored string) (Token, error) {
	ctx, cancel := persevering(ctx)
	defer cancel()
	var candidates []string
	if r := o.rotation(); r.unsaved || stored == "" {
		candidates = append(candidates, r.held)
	}
	candidates = append(candidates, stored, o.RefreshToken)
	var (
		token Token
		tried []string
		err   error
	)
	for _, candidate := range candidates {
		if candidate == "" || slices.Contains(tried, candidate) {
			continue
		}
		tried = append(tried, candidate)
		token, err = o.token(ctx, url.Values{"refresh_token": {candidate}})
		if err == nil {
			return token, o.rotated(ctx, token, candidate, stored)
		}
		if rejected, ok := errors.AsType[*Rejected](err); !ok || slices.Contains(aboutClient, rejected.Code) {
			return Token{}, err
		}
	}
	return Token{}, err
}

// persevering is a context that ends when its time is over, and not before.
func persevering(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(defaultTimeout)
	}
	if least := time.Now().Add(exchangeTime); deadline.Before(least) {
		deadline = least
	}
	return context.WithDeadline(context.WithoutCancel(ctx), deadline)
}

// rotated sees to it that the refresh token to use next is known next time.
func (o *OAuth2) rotated(ctx context.Context, token Token, used, stored string) error {
	r, next := o.rotation(), used
	if given := gjson.Get(token.Answer, "refresh_token"); given.Type == gjson.String && given.Str != "" {
		next = given.Str
	}
	known := stored
	if known == "" {
		known = o.RefreshToken
	}
	if next == known {
		// It is only safe to go on with it if it can be used again.
		r.held, r.unsaved = "", false
		if next == used {
			r.held = next
		}
		return nil
	}
	if err := o.save(ctx, next); err != nil {
		r.held, r.unsaved = next, true
		return &Unsaved{Err: err}
	}
	r.held, r.unsaved = "", false
	return nil
}

// storeKey is where the refresh tokens that descend from the configured one are
// stored. It says which that is, so that a newly configured one is used, and so
// that two users of one application don't get each other's.
func (o *OAuth2) storeKey() string {
	sum := sha256.New()
	for _, part := range []string{o.TokenURL, o.ClientID, o.RefreshToken} {
		fmt.Fprintf(sum, "%d:%s", len(part), part)
	}
	return "screen_pop/oauth2/" + hex.EncodeToString(sum.Sum(nil)) + ".json"
}

func (o *OAuth2) load(ctx context.Context, key string) (string, error) {
	value, err := o.Store.Load(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	if !gjson.ValidBytes(value) {
		return "", nil // it is worth nothing: the configured one may still work
	}
	return gjson.GetBytes(value, "refresh_token").String(), nil
}

func (o *OAuth2) save(ctx context.Context, token string) error {
	if o.Store == nil {
		return errors.New("there is no storage for it")
	}
	value, err := json.Marshal(map[string]string{"refresh_token": token})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
	defer cancel()
	return o.Store.Save(ctx, o.storeKey(), value)
}

func (o *OAuth2) unlock(ctx context.Context, key string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTime)
	defer cancel()
	_ = o.Store.Unlock(ctx, key) // a lock that stays is said when the next Lock fails
}
