package demo

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// A Mood is how the demo CRM's API treats those who ask it. The moods are the
// faults of real CRMs, so that a newcomer can see what an agent gets then.
type Mood string

// The moods that the demo CRM can be put in.
const (
	MoodNormal   Mood = "normal"    // answers at once
	MoodSlow     Mood = "slow"      // answers, after two seconds
	MoodHang     Mood = "hang"      // accepts the request and never answers
	MoodDown     Mood = "down"      // 503
	MoodWrongKey Mood = "wrong-key" // 401 with an empty body
	MoodHTML     Mood = "html"      // 200 with a web page where JSON should be
	MoodEmpty    Mood = "empty"     // finds nobody, as if nobody had been entered
)

// slowness is longer than any agent should wait and shorter than most
// timeouts: the case that a deadline is for.
const slowness = 2 * time.Second

// Moods lists every mood, the normal one first.
func Moods() []Mood {
	return []Mood{MoodNormal, MoodSlow, MoodHang, MoodDown, MoodWrongKey, MoodHTML, MoodEmpty}
}

// parseMood returns the mood of that name.
func parseMood(name string) (Mood, error) {
	if mood := Mood(name); slices.Contains(Moods(), mood) {
		return mood, nil
	}
	return "", fmt.Errorf("unknown mood %q: want one of %s", name, moodNames())
}

func moodNames() string {
	moods := Moods()
	names := make([]string, len(moods))
	for i, mood := range moods {
		names[i] = string(mood)
	}
	return strings.Join(names, ", ")
}

// temper holds the current mood.
type temper struct{ current atomic.Value }

func (t *temper) set(mood Mood) { t.current.Store(mood) }

func (t *temper) mood() Mood {
	if mood, ok := t.current.Load().(Mood); ok {
		return mood
	}
	return MoodNormal
}

// wrap lets the current mood answer before next does.
func (t *temper) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch t.mood() {
		case MoodSlow:
			select {
			case <-time.After(slowness):
				next.ServeHTTP(w, r)
			case <-r.Context().Done():
			}
		case MoodHang:
			<-r.Context().Done()
		case MoodDown:
			http.Error(w, "the demo CRM is down for maintenance", http.StatusServiceUnavailable)
		case MoodWrongKey:
			w.WriteHeader(http.StatusUnauthorized)
		case MoodHTML:
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = io.WriteString(w, "<!doctype html><title>Sign in</title><p>Your session has ended. Please sign in.")
		case MoodEmpty:
			writeJSON(w, http.StatusOK, contactsAnswer{Success: true, Data: contactsPage{Items: []Contact{}}})
		default:
			next.ServeHTTP(w, r)
		}
	})
}
