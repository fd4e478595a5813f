# `make help` lists what can be asked for. Every target runs from a fresh clone.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Tools at the versions that tools/lint/go.mod pins.
LINT := go tool -modfile=tools/lint/go.mod

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: ## a working city in one process; Ctrl-C ends it
	go run ./cmd/mulian demo

.PHONY: build
build: ## bin/mulian, the one binary
	go build -trimpath -o bin/mulian ./cmd/mulian

.PHONY: test
test: servers lint ## all tests; sets up what it needs without asking
	go test -C tools/protogen ./...
	go test -vet=off -shuffle=on -timeout 30m ./...

.PHONY: race
race: servers ## the tests of packages with goroutines, under the race detector
	go test -vet=off -race -short -shuffle=on -timeout 20m $$(scripts/raced)

.PHONY: lint
lint: ## vet, format and staticcheck
	@unformatted=$$($(LINT) gofumpt -l $$(git ls-files '*.go' ':!gen' ':!*/testdata/*')); \
	[ -z "$$unformatted" ] || { echo "not formatted, run make fmt:"; echo "$$unformatted"; exit 1; }
	go vet -composites=false ./... # rows of test tables are read by their position
	$(LINT) staticcheck ./...

.PHONY: fmt
fmt: ## format every Go file that is not generated
	$(LINT) gofumpt -w $$(git ls-files '*.go' ':!gen' ':!*/testdata/*')

.PHONY: servers
servers:
	@scripts/need-postgres
	@scripts/need-mariadb
	@scripts/need-softhsm
	@scripts/need-chromium
	@scripts/need-judges --try
	@scripts/need-console --try
	@scripts/need-objectstore --try

FUZZ_SECONDS ?= 600

.PHONY: fuzz
fuzz: ## every fuzz test for FUZZ_SECONDS (600) each; scripts/fuzz --help
	scripts/fuzz --seconds $(FUZZ_SECONDS)

.PHONY: gen
gen: ## proto/ -> gen/ (Go messages, Connect code, the OpenAPI document)
	go run -C tools/protogen .

.PHONY: check-gen
check-gen: gen ## fail when gen/ is not what proto/ says
	@left=$$(git status --porcelain -- gen); \
	[ -z "$$left" ] || { echo "gen/ is not what proto/ says; run make gen and commit:"; echo "$$left"; git --no-pager diff --stat -- gen; exit 1; }

.PHONY: console-deps
console-deps:
	@scripts/need-console

.PHONY: console-gen
console-gen: console-deps ## proto/ -> console/src/gen (TypeScript)
	cd console && npm run --silent gen

.PHONY: console
console: console-gen ## console/src -> console/dist, which the binary carries; after a conflict in dist, too
	cd console && npm run --silent check && npm run --silent test && npm run --silent build

.PHONY: check-console
check-console: console ## fail when console/dist or console/src/gen is not what the sources give
	@left=$$(git status --porcelain -- console); \
	[ -z "$$left" ] || { echo "console/dist or console/src/gen is not what its sources give; run make console and commit:"; echo "$$left"; exit 1; }

.PHONY: proto-check
proto-check: ## fail when proto/ breaks the wire compatibility of what was released
	go run -C tools/protogen . -check

.PHONY: release-proto
release-proto: ## make proto/ the released schema, which later ones must keep
	go run -C tools/protogen . -release

.PHONY: deps
deps: ## rewrite docs/dependencies.txt from the sources
	go test ./internal/arch -run TestDependenciesAreListed -update

.PHONY: check-demo
check-demo: ## the demo in a fresh clone of what is committed, in an empty folder
	scripts/check-demo

.PHONY: clean
clean: ## remove what build, demo and browser tests left
	rm -rf bin .mulian console/shots
