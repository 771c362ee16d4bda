// Command bench measures the gateway beside Caddy's own reverse_proxy and
// respond, and beside a handler as an integrator writes it in Node, all on the
// same stub of a CRM, in the same run, in turns. What counts are the ratios.
//
// It is a module of its own, so that the gateway's users don't get it.
package main
