package caddymodule

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/screenpop/caddy-screenpop/internal/xucmgt"
)

// landingPath is where XiVO's sheet opens its popup: popupUrl is this address
// with ?number= at its end, and XiVO writes folderNumber behind it.
func (h *Handler) landingPath() string { return strings.TrimSuffix(h.endpoint, "/") + "/call" }

// land shows the decision about a number as a page, or goes there.
func (h *Handler) land(w http.ResponseWriter, r *http.Request) {
	arrived := time.Now()
	switch {
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		h.pages.server.Notice(w, r, http.StatusMethodNotAllowed, "foreign")
		return
	case !h.mayLand(r):
		h.logOrigin(r)
		h.pages.server.Notice(w, r, http.StatusForbidden, "refused")
		return
	}
	h.pages.prepare()
	call := xucmgt.Call{Caller: r.URL.Query().Get("number")}
	agent := h.visitorOf(r)
	t := h.decide(r.Context(), call, arrived, agent)
	t.abandoned = r.Context().Err() != nil
	h.log(t)
	if page := pageOf(t.answer); page != "" {
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Cache-Control", "no-store")
		http.Redirect(w, r, page, http.StatusSeeOther)
		return
	}
	h.pages.server.Notice(w, r, http.StatusOK, "nothing")
}

// pageOf is the page that an answer opens; a program can't be started from a
// page.
func pageOf(answer xucmgt.Answer) string {
	switch a := answer.(type) {
	case xucmgt.Open:
		return a.URL
	case xucmgt.Popup:
		return a.URL
	default:
		return ""
	}
}

// mayLand reports whether a navigation comes from the agent application, or from
// no page at all. Browsers send no Origin then, but tell whether another site
// sent them, and mostly which.
func (h *Handler) mayLand(r *http.Request) bool {
	if h.origins.any {
		return true
	}
	from := ""
	if referrer, err := url.Parse(r.Header.Get("Referer")); err == nil && referrer.Host != "" {
		from = referrer.Scheme + "://" + referrer.Host
	}
	switch {
	case from != "":
		return slices.Contains(h.origins.exact, from)
	default:
		site := r.Header.Get("Sec-Fetch-Site")
		return site == "" || site == "none" || site == "same-origin"
	}
}
