# `make help` lists what can be asked for. Every target runs from a fresh clone.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: gen
gen: ## proto/ -> gen/ (Go messages, Connect code, the OpenAPI document)
	go run -C tools/protogen .

.PHONY: check-gen
check-gen: gen ## fail when gen/ is not what proto/ says
	@left=$$(git status --porcelain -- gen); [ -z "$$left" ] || { echo "gen/ is not what proto/ says; run make gen and commit:"; echo "$$left"; exit 1; }

.PHONY: proto-check
proto-check: ## fail when proto/ breaks the wire compatibility of what was released
	go run -C tools/protogen . -check
