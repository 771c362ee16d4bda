# The two commands that matter are `make run` and `make test`. Both install
# what they need: Go modules, and on Debian a C compiler (for the race detector),
# Redis (for the shared cache), Chromium (for the browser tests), and Tryton, Request Tracker, Node.js and
# Vendure (for the tests with real CRMs).

MODULE        := github.com/screenpop/caddy-screenpop
CADDY_VERSION := v2.11.9
FUZZTIME      ?= 60s
BENCHTIME     ?= 1s
SOAKTIME      ?= 5m
# axe-core looks for what people who use a keyboard or a screen reader can't use.
AXE           := bin/axe-core-4.14.1

# The flags that xcaddy builds with; Go then compiles everything once.
export GOFLAGS := -trimpath -tags=nobadger,nomysql,nopgx
LDFLAGS        := -s -w

SUDO := $(if $(filter 0,$(shell id -u)),,sudo)
APT   = $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends --no-remove

.PHONY: run build test lint unit xcaddy browser realcrm tryton rt vendure fuzz bench soak gcc redis chromium node tryton-server rt-server npm clean

## run: build everything and start the demo: gateway, demo CRM, agent simulator
run: bin/demo
	bin/demo

## build: the same Caddy as xcaddy makes, and the demo
build: bin/screenpop bin/demo

GO_SOURCES := $(shell find . -name '*.go' -not -path './bin/*' -not -path './bench/*' -not -path './browser/*' -not -path './realcrm/*' -not -path './tools/*') go.mod go.sum \
	$(shell find internal -type f -not -name '*.go' -not -path '*/testdata/*')

bin/screenpop: $(GO_SOURCES)
	go build -ldflags="$(LDFLAGS)" -o $@ ./cmd/screenpop

bin/demo: $(GO_SOURCES)
	go build -ldflags="$(LDFLAGS)" -o $@ ./cmd/demo

## test: everything that CI checks
test: lint unit xcaddy browser realcrm

## lint: formatting, go vet, golangci-lint
lint: bin/golangci-lint
	go vet ./...
	cd browser && go vet ./...
	cd realcrm && go vet ./...
	bin/golangci-lint run ./...
	cd bench && ../bin/golangci-lint run --config ../.golangci.yml ./...
	cd browser && ../bin/golangci-lint run --config ../.golangci.yml ./...
	cd realcrm && ../bin/golangci-lint run --config ../.golangci.yml ./...

## unit: unit, adaptation and integration tests and fuzz seeds, with the race detector
unit: gcc redis
	CGO_ENABLED=1 go test -race ./...

## xcaddy: build as users do, and check what they get
xcaddy: bin/xcaddy bin/unpublished/$(MODULE)/@v/list
	GOPROXY="file://$(CURDIR)/bin/unpublished,$$(go env GOPROXY)" \
		bin/xcaddy build $(CADDY_VERSION) --with $(MODULE)=. --output bin/caddy
	bin/caddy list-modules | grep -x http.handlers.screen_pop
	bin/caddy list-modules | grep -x screen_pop.connectors.rest
	ESPOCRM_API_KEY=x LEGACY_TOKEN=x bin/caddy validate --config Caddyfile.example --adapter caddyfile

## browser: calls rung in the agent simulator, in Chromium
browser: bin/demo chromium $(AXE)/package/axe.min.js
	cd browser && SCREENPOP_DEMO=$(CURDIR)/bin/demo AXE=$(CURDIR)/$(AXE)/package/axe.min.js go test -count=1 ./...

## realcrm: the documents' configurations in front of real CRMs
realcrm: tryton rt vendure

REALCRM := cd realcrm && SCREENPOP=$(CURDIR)/bin/screenpop VENDURE_MODULES=$(CURDIR)/bin/.vendure/node_modules \
	go test -count=1 ./... -run

## tryton, rt, vendure: one of them
tryton: bin/screenpop tryton-server
	$(REALCRM) 'TestTryton|TestProcess'

rt: bin/screenpop rt-server
	$(REALCRM) 'TestRequestTracker|TestProcess'

vendure: bin/screenpop bin/.vendure/node_modules/.package-lock.json
	$(REALCRM) 'TestVendure|TestProcess'

## fuzz: every fuzz target for FUZZTIME
fuzz:
	@set -e; for file in $$(grep -rl --include=*_test.go '^func Fuzz' internal); do \
		for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9]*\).*/\1/p' $$file); do \
			echo "== $$file $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 5s ./$$(dirname $$file); \
		done; \
	done

## bench: every benchmark, and the gateway beside reverse_proxy, respond and Node.js
bench: bin/screenpop node
	go test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) ./...
	cd bench && go run . -caddy $(CURDIR)/bin/screenpop -output ../docs

## soak: a CRM that hangs, one that is asked too much, a million callers, and changing weather for SOAKTIME; RACE=1 has the race detector look at the weather alone
soak: bin/screenpop redis $(if $(RACE),bin/screenpop-race)
	cd bench && go run ./soak -caddy $(CURDIR)/bin/screenpop -weather $(SOAKTIME) \
		$(if $(RACE),-parts weather -weather-caddy $(CURDIR)/bin/screenpop-race -slack 3s,-output ../docs)

bin/screenpop-race: $(GO_SOURCES) | gcc
	CGO_ENABLED=1 go build -race -o $@ ./cmd/screenpop

bin/golangci-lint bin/xcaddy: tools/go.mod tools/go.sum
	cd tools && go build -o ../bin/ github.com/golangci/golangci-lint/v2/cmd/golangci-lint github.com/caddyserver/xcaddy/cmd/xcaddy

# xcaddy asks which versions of the module are published, although it then builds
# this checkout. A module proxy may refuse to say; here the answer is "none".
bin/unpublished/$(MODULE)/@v/list:
	mkdir -p $(@D) && touch $@

$(AXE)/package/axe.min.js: | npm
	mkdir -p $(AXE)
	cd $(AXE) && npm pack --silent $(subst bin/axe-core-,axe-core@,$(AXE)) && tar xzmf axe-core-*.tgz

gcc:
	@command -v gcc >/dev/null || { $(SUDO) apt-get update -qq && $(APT) gcc libc6-dev; }

node:
	@command -v node >/dev/null || { $(SUDO) apt-get update -qq && $(APT) nodejs; }

redis:
	@{ command -v valkey-server || command -v redis-server; } >/dev/null || { $(SUDO) apt-get update -qq && $(APT) redis-server; }

chromium:
	@command -v chromium >/dev/null || { $(SUDO) apt-get update -qq && $(APT) chromium; }

tryton-server:
	@{ command -v trytond && /usr/bin/python3 -c 'import trytond.modules.party, phonenumbers'; } >/dev/null 2>&1 || \
		{ $(SUDO) apt-get update -qq && $(APT) tryton-server tryton-modules-party python3-phonenumbers; }

# RT wants a program that sends mail. Here it never sends any.
rt-server:
	@{ command -v rt-setup-database-5 && perl -MDBD::SQLite -MPlack::Handler::Starlet -e 1; } >/dev/null 2>&1 || \
		{ $(SUDO) apt-get update -qq && $(APT) request-tracker5 rt5-db-sqlite rt5-standalone \
			$(if $(wildcard /usr/share/dbconfig-common),,dbconfig-no-thanks) $(if $(wildcard /usr/sbin/sendmail),,msmtp-mta); }

# In a folder that Go does not look into: some of npm's packages have Go files.
bin/.vendure/node_modules/.package-lock.json: realcrm/vendure/package.json realcrm/vendure/package-lock.json | npm
	mkdir -p bin/.vendure && cp $^ bin/.vendure
	cd bin/.vendure && npm ci --cache $(CURDIR)/bin/.npm --no-audit --no-fund --loglevel=error

npm:
	@command -v npm >/dev/null || { $(SUDO) apt-get update -qq && $(APT) nodejs npm; }

clean:
	rm -rf bin
