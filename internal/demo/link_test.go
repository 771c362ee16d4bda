package demo

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/screenpop/caddy-screenpop/internal/seal"
)

func TestExpiredLinkIsTheGatewaysOwnButLate(t *testing.T) {
	key := strings.Repeat("k", 40)
	link, err := ExpiredLink(testGateway+"/", key)
	if err != nil {
		t.Fatal(err)
	}
	sealed, ok := strings.CutPrefix(link, testGateway+"/pane/card/")
	if !ok {
		t.Fatalf("the link is %s, want a card of the gateway", link)
	}
	ring, err := seal.Given(key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ring.Open(t.Context(), "card", sealed, time.Now()); !errors.Is(err, seal.ErrExpired) {
		t.Errorf("opening it: %v, want %v", err, seal.ErrExpired)
	}
}

func TestExpiredLinkNeedsTheKeyThatTheGatewayNeeds(t *testing.T) {
	if _, err := ExpiredLink(testGateway+"/", "short"); err == nil {
		t.Error("a short key was taken")
	}
}
