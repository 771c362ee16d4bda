// Package browser drives the demo in a real browser, as an agent would: Debian's
// Chromium, the agent simulator's page, and the gateway behind it.
//
// It is a Go module of its own, so that those who build the gateway into their
// Caddy do not download a browser driver. Its tests need
//
//	SCREENPOP_DEMO   the path of the built bin/demo, best an absolute one; the
//	                 tests fail without it
//	AXE              the path of axe-core's axe.min.js; the tests fail without it
//	SCREENSHOTS      a folder for pictures; browser/screenshots when left out
package browser
