// Package realcrm tests presets and examples as the documents have them, with the
// built gateway in front of real CRMs: Tryton and Request Tracker from Debian's
// packages, Vendure from npm. They run on loopback, on databases of their own that
// hold what each test put there, and end with the test.
//
// It is a Go module of its own, so that `go test ./...` needs no CRM. The
// Makefile's targets install what is missing. The tests need
//
//	SCREENPOP        the path of the built bin/screenpop; the tests fail without it
//	VENDURE_MODULES  the folder in which npm installed Vendure, for its test
package realcrm
