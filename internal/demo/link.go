package demo

import (
	"context"
	"fmt"
	"time"

	"github.com/screenpop/caddy-screenpop/internal/seal"
)

// ExpiredLink is the address of a page of the gateway whose time is over. key is
// the one that the gateway's pages have.
func ExpiredLink(gateway, key string) (string, error) {
	ring, err := seal.Given(key)
	if err != nil {
		return "", fmt.Errorf("reading the pages' key: %w", err)
	}
	const page = "card"
	sealed, err := ring.Seal(context.Background(), page, []byte("{}"), time.Now().Add(-time.Hour))
	if err != nil {
		return "", fmt.Errorf("sealing a link: %w", err)
	}
	return gateway + "pane/" + page + "/" + sealed, nil
}
