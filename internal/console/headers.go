package console

import (
	"net/http"
	"strings"
)

// policy of the pages: everything from here, no script or style written into
// the page, no framing.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
	"connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// guarded sets the security headers and bounds every body. API answers are
// never cached; the UI's own handler says otherwise for its assets.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
		if isAPI(r.URL.Path) {
			h.Set("Cache-Control", "no-store")
		}
		if r.URL.Path == bundlePath && r.Method == http.MethodPost {
			patient(w, r)
		} else {
			r.Body = http.MaxBytesReader(w, r.Body, documentBody+1)
		}
		next.ServeHTTP(w, r)
	})
}

func isAPI(path string) bool {
	return strings.HasPrefix(path, "/api/") || path == "/metrics" || path == "/healthz"
}
