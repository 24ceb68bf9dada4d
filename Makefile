# Run `make help` for what there is.
SHELL := /bin/bash
BIN   := bin/redoubt
STATE ?= /var/lib/redoubt
LISTEN ?= 127.0.0.1:8443
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
GO_FILES := $(shell find cmd internal web -name '*.go' -o -name '*.o' -o -name '*.sql' 2>/dev/null)
INIT  := internal/sandbox/image/init
INIT_FILES := $(shell find internal/sandbox/initd internal/sandbox/plan -name '*.go' ! -name '*_test.go' 2>/dev/null)
UI_FILES := $(shell find web/src web/index.html web/package.json web/package-lock.json -type f 2>/dev/null)

.PHONY: help run build ui test lint bench generate setup clean
.DEFAULT_GOAL := help

help: ## show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: setup-run build ## build everything and protect this machine; prints the address and a one-time set-up link
	$(BIN) up --state $(STATE) --listen $(LISTEN)

build: $(BIN) ## build bin/redoubt with the web UI inside

$(BIN): web/dist/index.html $(INIT) $(GO_FILES) go.mod go.sum
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o $@ ./cmd/redoubt

$(INIT): $(INIT_FILES) go.mod go.sum
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o $@ ./internal/sandbox/initd

ui: web/dist/index.html ## build the web UI

web/dist/index.html: $(UI_FILES)
	cd web && npm ci --no-audit --no-fund && npm run build

.PHONY: setup-run
setup-run:
	@test/setup.sh run

setup: ## install what the tests need (Debian packages) and start a Docker engine if none runs
	test/setup.sh test

test: setup build ## every test: units, real Docker, real kernels, real browser
	test/all.sh

lint: ## gofmt, vet, staticcheck, generated files, tidy modules, TypeScript
	test/lint.sh

bench: setup build ## measure the published figures, as ratios in one run
	bench/run.sh

generate: ## rebuild the committed BPF objects and protocol code
	go generate ./...

clean: ## remove what was built
	rm -rf bin web/dist/assets web/dist/index.html $(INIT)
