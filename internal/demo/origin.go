package demo

import "net/http"

// onlyFrom lets the web pages of one origin use next, and programs that are no
// browser. Other pages are refused, so that no web site a visitor has open can
// change the demo behind their back.
func onlyFrom(origin string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Vary", "Origin")
		asking := r.Header.Get("Origin")
		if asking != "" && asking != origin {
			writeJSON(w, http.StatusForbidden, map[string]string{"error": "only " + origin + " may ask"})
			return
		}
		if asking != "" {
			w.Header().Set("Access-Control-Allow-Origin", origin)
		}
		if r.Method == http.MethodOptions {
			w.Header().Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
			w.Header().Set("Access-Control-Allow-Headers", "Content-Type")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
}
