// Package screenpop is a Caddy module that tells XiVO's contact-centre agent
// application which CRM page to open when a call rings. Importing it registers
// the screen_pop directive:
//
//	xcaddy build --with github.com/screenpop/caddy-screenpop
package screenpop

import _ "github.com/screenpop/caddy-screenpop/caddymodule" // registers the modules
