# Every target sets up what it needs: a virtual environment in .venv, from hash-pinned requirements.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUNNABLE := $(VENV)/.runnable
READY := $(VENV)/.ready

PIP_INSTALL := $(BIN)/python -m pip install --disable-pip-version-check --no-input

.PHONY: help setup demo incident dev-server test check test-extension soak mutants lint types format schemas reference live bench bench-decision bench-fleets lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## a virtual environment with everything in it

$(RUNNABLE): requirements/demo.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; name one with make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	@echo "==> Creating $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@echo "==> Installing the pinned packages of requirements/demo.txt"
	@$(PIP_INSTALL) --require-hashes -r requirements/demo.txt
	@echo "==> Installing this project"
	@$(PIP_INSTALL) --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(READY): $(RUNNABLE) requirements/dev.txt
	@echo "==> Installing the tools of requirements/dev.txt"
	@$(PIP_INSTALL) --require-hashes -r requirements/dev.txt
	@touch $@

demo: $(RUNNABLE) ## a real fleet being sized for three minutes; ARGS='--for 1m --output json'
	@$(BIN)/python -m examples.demo $(ARGS)

incident: $(RUNNABLE) ## the incident that this is for, before and after; eight minutes; ARGS='--output json'
	@$(BIN)/python -m examples.demo incident $(ARGS)

dev-server: $(RUNNABLE) ## the demo's Temporal server alone, until Ctrl-C; ARGS='--port 7233'
	@$(BIN)/temporal-scaler dev-server $(ARGS)

test: lint types ## everything: style, types, layout, units, properties, and the real server
	@$(BIN)/python -m pytest $(ARGS)

test-extension: $(READY) ## `temporal scaler …` as people type it; needs the Temporal CLI on PATH, so it is not in make test
	@$(BIN)/python -m pytest tests/extension $(ARGS)

check: lint types ## the fast part, two to three minutes
	@$(BIN)/python -m pytest -q --hypothesis-profile=quick tests/unit tests/properties $(ARGS)

soak: $(READY) ## random fleets through whatever can happen, every rule at every step; ARGS='--steps 1000000 --output json'
	@$(BIN)/python -m tests.soak $(ARGS)

mutants: $(READY) ## changes lines of the core and looks whether a test notices; ARGS='--sample 300 --seed 1 --output json'
	@$(BIN)/python -m benchmarks.mutation $(ARGS)

lint: $(READY) ## style and import direction
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

types: $(READY) ## strict types
	@$(BIN)/mypy

format: $(READY) ## rewrite files in the project's style
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

schemas: $(READY) ## renew the JSON Schemas in deploy/
	@$(BIN)/temporal-scaler schema fleet > deploy/fleet.schema.json
	@$(BIN)/temporal-scaler schema configuration > deploy/configuration.schema.json

reference: $(READY) ## renew the pages of docs/ that are made from models and sentences
	@for page in fleet configuration words; do $(BIN)/python -m scaler.cli.reference $$page > docs/$$page.md; done

live: $(RUNNABLE) ## a burst on real workers that this product sizes; seven minutes; ARGS='--help'
	@$(BIN)/python -m benchmarks.live $(ARGS)

bench: $(READY) ## the comparison of docs/benchmarks.md; TRACES=folder of recordings ARGS='--budget MINUTES'; goes on where it ended
	@$(BIN)/python -m benchmarks.comparison --traces "$(or $(TRACES),$(error name the folder with the recordings: make bench TRACES=DIR))" $(ARGS)

bench-decision: $(READY) ## what one decision costs for a hundred workers; half a minute
	@$(BIN)/python -m benchmarks.decision

bench-fleets: $(READY) ## one controller with 1, 10, 100 and 1,000 fleets; a quarter of an hour; ARGS='--fleets 100'
	@$(BIN)/python -m benchmarks.fleets $(ARGS)

COMPILE := uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11

lock: ## renew requirements/ from pyproject.toml; needs uv
	$(COMPILE) -o requirements/runtime.txt pyproject.toml
	$(COMPILE) --extra demo --group build -c requirements/runtime.txt -o requirements/demo.txt pyproject.toml
	$(COMPILE) --extra demo --group build --group dev -c requirements/demo.txt -o requirements/dev.txt pyproject.toml

clean: ## remove what make made here (not the server build in the user's cache)
	rm -rf $(VENV) out .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
