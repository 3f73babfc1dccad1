# `make run` and `make test` are the two commands; the others are their parts.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help

help: ## list the targets
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

run: $(VENV)/.run ## start the gateway on embedded defaults
	@$(BIN)/plugbay serve --demo

test: $(VENV)/.dev ## everything that CI runs: lint, types, imports, tests with coverage
	@scripts/check

setup: $(VENV)/.dev ## make the development environment

fmt: $(VENV)/.dev ## format and fix what can be fixed
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lint: $(VENV)/.dev ## format check and lint
	$(BIN)/ruff format --check . && $(BIN)/ruff check .

types: $(VENV)/.dev ## mypy strict and pyright strict
	$(BIN)/mypy && $(BIN)/pyright --pythonpath $(BIN)/python

imports: $(VENV)/.dev ## the layers, by import-linter
	$(BIN)/lint-imports

unit: $(VENV)/.dev ## the quick tests only
	$(BIN)/pytest -n 2 tests/unit tests/properties plugins

simulate: $(VENV)/.dev ## 20,000 seeds of the deterministic control-plane simulation
	$(BIN)/python -m tests.simulation --seeds 20000

fuzz: $(VENV)/.dev ## 1,000 damaged uploads, and the whole OpenAPI document, on a gateway
	bench/run upload_fuzz api_fuzz

bench: $(VENV)/.dev ## every figure of docs/performance.md
	bench/run

bench-mcp: $(VENV)/.dev ## what plugins cost MCP traffic, over stdio and HTTP
	bench/run mcp

conformance-mcp: $(VENV)/.dev ## the official MCP suite, directly and through the gateway
	$(BIN)/python scripts/mcp_conformance.py

interop-mcp: $(VENV)/.dev ## official MCP clients and servers, directly and through Plugbay
	$(BIN)/python -W ignore scripts/mcp_interop.py

$(VENV)/.run: requirements/run.txt pyproject.toml
	@scripts/setup run

$(VENV)/.dev: requirements/dev.txt pyproject.toml
	@scripts/setup dev

.PHONY: help run test setup fmt lint types imports unit simulate fuzz bench bench-mcp conformance-mcp interop-mcp
