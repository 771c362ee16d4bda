module github.com/screenpop/caddy-screenpop/realcrm

go 1.26.0
