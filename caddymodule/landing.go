package caddymodule

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/screenpop/caddy-screenpop/internal/xucmgt"
)

// isLanding reports whether a path is where XiVO's sheet opens its popup:
// popupUrl is this address with ?number= at its end, and XiVO writes
// folderNumber behind it.
func (h *Handler) isLanding(path string) bool {
	return len(h.pageNames) > 0 && path == strings.TrimSuffix(h.endpoint, "/")+"/call"
}

// land shows the decision about a number as a page, or goes there.
func (h *Handler) land(w http.ResponseWriter, r *http.Request) {
	arrived := time.Now()
	from := sender(r)
	switch {
	case r.Method != http.MethodGet:
		w.Header().Set("Allow", http.MethodGet)
		h.pages.server.Notice(w, r, http.StatusMethodNotAllowed, "foreign")
		return
	case !h.mayLand(r, from):
		h.logger.Warn("refused a link from a page that is not one of origins; if agents use it, add it to origins",
			zap.String("origin", logText(from)), zap.String("site", logText(r.Header.Get("Sec-Fetch-Site"))))
		h.pages.server.Notice(w, r, http.StatusForbidden, "refused")
		return
	}
	h.pages.prepare()
	call := xucmgt.Call{Caller: r.URL.Query().Get("number")}
	agent := h.visitorFrom(r, from)
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

// sender is the origin of the page that a navigation comes from, as far as the
// browser tells: a navigation has a Referer, and mostly no Origin.
func sender(r *http.Request) string {
	if origin := r.Header.Get("Origin"); origin != "" {
		return origin
	}
	referrer, err := url.Parse(r.Header.Get("Referer"))
	if err != nil || referrer.Host == "" {
		return r.Header.Get("Referer") // none, or no page's
	}
	return referrer.Scheme + "://" + referrer.Host
}

// mayLand reports whether a navigation comes from the agent application, or from
// no page at all: browsers say at least whether another site sent them.
func (h *Handler) mayLand(r *http.Request, from string) bool {
	if h.origins.any {
		return true
	}
	if from != "" {
		return slices.Contains(h.origins.exact, from)
	}
	return slices.Contains([]string{"", "none", "same-origin"}, r.Header.Get("Sec-Fetch-Site"))
}
