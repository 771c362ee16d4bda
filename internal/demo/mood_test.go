package demo

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestMoodsAnswerInTheirOwnWay(t *testing.T) {
	for _, want := range []struct {
		mood        Mood
		status      int
		contentType string
		body        string
	}{
		{MoodNormal, http.StatusOK, "application/json; charset=utf-8", `"success":true`},
		{MoodDown, http.StatusServiceUnavailable, "text/plain; charset=utf-8", "maintenance"},
		{MoodWrongKey, http.StatusUnauthorized, "", ""},
		{MoodHTML, http.StatusOK, "text/html; charset=utf-8", "<!doctype html>"},
		{MoodEmpty, http.StatusOK, "application/json; charset=utf-8", `"total":0,"items":[]`},
	} {
		t.Run(string(want.mood), func(t *testing.T) {
			crm := newTestCRM()
			changeMoodOf(t, crm, want.mood)
			answer := get(t, crm, "/api/contacts?phone=427466347", authorization())
			if answer.Code != want.status || answer.Header().Get("Content-Type") != want.contentType {
				t.Errorf("status %d, content type %q", answer.Code, answer.Header().Get("Content-Type"))
			}
			if got := answer.Body.String(); !strings.Contains(got, want.body) || want.body == "" && got != "" {
				t.Errorf("body %q, want %q in it", got, want.body)
			}
		})
	}
}

func TestSlowAnswersAfterTwoSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		crm := newTestCRM()
		changeMoodOf(t, crm, MoodSlow)
		started := time.Now()
		answer := get(t, crm, "/api/contacts?phone=427466347", authorization())
		if took := time.Since(started); took != 2*time.Second {
			t.Errorf("answered after %s, want 2s", took)
		}
		if answer.Code != http.StatusOK {
			t.Errorf("status %d, want 200", answer.Code)
		}
	})
}

func TestHangLastsUntilTheClientGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		crm := newTestCRM()
		changeMoodOf(t, crm, MoodHang)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			serveTo(crm, httptest.NewRequestWithContext(ctx, http.MethodGet, "/api/contacts?phone=1", nil))
		}()

		time.Sleep(time.Hour) // synctest's clock: no time passes
		select {
		case <-ended:
			t.Error("answered while the client was waiting")
		default:
		}
		cancel()
		<-ended
	})
}

func TestMoodsAreForTheAPIOnly(t *testing.T) {
	crm := newTestCRM()
	changeMoodOf(t, crm, MoodDown)
	for _, path := range []string{"/", "/contacts/c-0001", "/demo/mood", "/demo/callers"} {
		if answer := get(t, crm, path, nil); answer.Code != http.StatusOK {
			t.Errorf("%s: status %d, want 200", path, answer.Code)
		}
	}
}

func TestMoodIsReported(t *testing.T) {
	crm := newTestCRM()
	for _, mood := range Moods() {
		changeMoodOf(t, crm, mood)
		if got, want := strings.TrimSpace(get(t, crm, "/demo/mood", nil).Body.String()), `{"mood":"`+string(mood)+`"}`; got != want {
			t.Errorf("mood %s, want %s", got, want)
		}
	}
}

func TestUnknownMoodIsRefusedAndTheOldOneStays(t *testing.T) {
	for body, want := range map[string]string{
		`{"mood":"angry"}`: "want one of normal, slow, hang, down, wrong-key, html, empty",
		`{"mood":`:         "want {",
		`[]`:               "want {",
		``:                 "want {",
	} {
		crm := newTestCRM()
		changeMoodOf(t, crm, MoodSlow)
		answer := serveTo(crm, httptest.NewRequest(http.MethodPost, "/demo/mood", strings.NewReader(body)))
		if answer.Code != http.StatusBadRequest || !strings.Contains(answer.Body.String(), want) {
			t.Errorf("%s: status %d, %s; want 400 with %q", body, answer.Code, answer.Body, want)
		}
		if crm.temper.mood() != MoodSlow {
			t.Errorf("%s: the mood is now %s", body, crm.temper.mood())
		}
	}
}

func changeMoodOf(t *testing.T, crm *CRM, mood Mood) {
	t.Helper()
	body := strings.NewReader(`{"mood":"` + string(mood) + `"}`)
	answer := serveTo(crm, httptest.NewRequest(http.MethodPost, "/demo/mood", body))
	if answer.Code != http.StatusOK {
		t.Fatalf("changing the mood to %s: status %d: %s", mood, answer.Code, answer.Body)
	}
}
