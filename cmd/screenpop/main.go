// Command screenpop is Caddy with the screen_pop directive built in.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard" // Caddy's own modules

	_ "github.com/screenpop/caddy-screenpop" // the screen_pop directive
)

func main() {
	caddycmd.Main()
}
