module github.com/screenpop/caddy-screenpop/bench

go 1.26
