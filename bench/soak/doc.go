// Command soak proves what the gateway promises for bad days: a CRM that hangs, a
// million callers, and weather that changes all the time. It runs the real
// program before a stub of a CRM, prints what it measured, and fails when a
// figure misses its target.
package main
