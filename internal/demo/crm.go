package demo

import (
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"strconv"
)

// How many records the API returns when it is not told, and at most.
const (
	defaultLimit = 20
	maxLimit     = 200
)

// maxMoodBody is far more than a mood needs.
const maxMoodBody = 1 << 10

// CRM is the demo CRM: a REST API for the gateway, web pages for the agent, and
// two endpoints for the simulator.
type CRM struct {
	// Key is what the API wants to see in "Authorization: Token <key>".
	Key string
	// Simulator is the origin of the agent simulator: the one web page that may
	// change the mood and read the scenarios.
	Simulator string
	// FramedBy lists the origins that may show the CRM's pages in a frame.
	FramedBy []string

	contacts directory
	temper   temper
}

// NewCRM returns a CRM with its contacts in it and in its normal mood.
func NewCRM(key, simulator string, framedBy ...string) *CRM {
	return &CRM{Key: key, Simulator: simulator, FramedBy: framedBy, contacts: Contacts()}
}

// Handler serves the whole CRM. Moods are for the API only: the pages and the
// mood switch itself always work.
func (c *CRM) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/api/", c.temper.wrap(c.api()))
	mux.Handle("/demo/", onlyFrom(c.Simulator, c.controls()))
	mux.Handle("/", c.pages())
	return mux
}

func (c *CRM) api() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/contacts", c.searchContacts)
	mux.HandleFunc("GET /api/suppliers", searchSuppliers)
	return c.authorized(mux)
}

func (c *CRM) controls() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /demo/mood", c.showMood)
	mux.HandleFunc("POST /demo/mood", c.changeMood)
	mux.HandleFunc("GET /demo/callers", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, Callers())
	})
	return mux
}

// authorized lets only requests with the right key through.
func (c *CRM) authorized(next http.Handler) http.Handler {
	want := []byte("Token " + c.Key)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), want) != 1 {
			writeJSON(w, http.StatusUnauthorized, map[string]string{"error": "invalid token"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// A page of results, in the envelope that this CRM puts around everything.
type contactsAnswer struct {
	Success bool         `json:"success"`
	Data    contactsPage `json:"data"`
}

type contactsPage struct {
	Total int       `json:"total"`
	Items []Contact `json:"items"`
}

// A refusal is reported with status 200, as some CRMs do: only the body tells.
type refusal struct {
	Success bool   `json:"success"`
	Error   string `json:"error"`
}

func (c *CRM) searchContacts(w http.ResponseWriter, r *http.Request) {
	limit, ok := limitOf(r)
	if !ok {
		writeJSON(w, http.StatusOK, refusal{Error: "limit must be a number from 1 to " + strconv.Itoa(maxLimit)})
		return
	}
	found := c.contacts.byDigits(r.URL.Query().Get("phone"))
	items := append([]Contact{}, found[:min(limit, len(found))]...)
	writeJSON(w, http.StatusOK, contactsAnswer{Success: true, Data: contactsPage{Total: len(found), Items: items}})
}

func limitOf(r *http.Request) (int, bool) {
	text := r.URL.Query().Get("limit")
	if text == "" {
		return defaultLimit, true
	}
	limit, err := strconv.Atoi(text)
	return limit, err == nil && limit >= 1 && limit <= maxLimit
}

type moodMessage struct {
	Mood Mood `json:"mood"`
}

func (c *CRM) showMood(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, moodMessage{Mood: c.temper.mood()})
}

func (c *CRM) changeMood(w http.ResponseWriter, r *http.Request) {
	var wanted moodMessage
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxMoodBody)).Decode(&wanted); err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": `want {"mood": "..."}`})
		return
	}
	mood, err := parseMood(string(wanted.Mood))
	if err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	c.temper.set(mood)
	c.showMood(w, r)
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	// The status is out; a client that has gone away is all that can go wrong.
	_ = json.NewEncoder(w).Encode(value)
}
