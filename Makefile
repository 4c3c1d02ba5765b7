# Everything that people and CI call. Needs make and Python 3.11 or newer; the rest is installed into .venv.

WORKERS ?= $(shell nproc 2>/dev/null || echo 2)

BIN := .venv/bin
MANAGE := $(BIN)/python manage.py
# Checks and tests have data of their own, so that they never touch those of `make run`.
AS_TEST := DJANGO_SETTINGS_MODULE=tests.settings
CODE := config gateway accounts billing compliance tests benchmarks
TEMPLATES := find templates -name '*.html'

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run reset test lint types contracts migrations templates tests fast format bench bench-guards lock install install-dev

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

run: install ## start everything, with a demo; PORT=8000 unless set
	@exec $(MANAGE) up

reset: ## forget the data, the demo and the secrets of `make run`
	@if [ -x $(BIN)/python ]; then $(MANAGE) reset; else rm -rf var; fi

test: lint types contracts migrations templates tests ## every check and every test

lint: install-dev ## style of the code
	@echo "── lint"
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .

types: install-dev ## types
	@echo "── types"
	@$(AS_TEST) $(BIN)/python -m mypy $(CODE)

contracts: install-dev ## who may import whom
	@echo "── import contracts"
	@$(BIN)/python -c 'from importlinter.cli import lint_imports_command as lint; lint()'

migrations: install-dev ## models without a migration
	@echo "── migrations"
	@$(AS_TEST) $(MANAGE) makemigrations --check --dry-run

templates: install-dev ## format of the templates
	@echo "── templates"
	@$(TEMPLATES) -exec $(BIN)/djade --check --target-version 5.2 {} +

tests: install-dev ## the tests alone, on WORKERS processes
	@echo "── tests"
	@$(BIN)/python -m pytest -n $(WORKERS)

fast: install-dev ## the tests that need no database and no browser, in under a minute
	@$(BIN)/python -m pytest -n $(WORKERS) -q tests/unit

format: install-dev ## put code and templates into shape
	@$(BIN)/python -m ruff check --fix .
	@$(BIN)/python -m ruff format .
	@$(TEMPLATES) -exec $(BIN)/djade --target-version 5.2 {} +

bench: install-dev ## measure the gateway, against a raw forwarder and alone; an hour
	@$(BIN)/python -m benchmarks

bench-guards: install-dev ## measure what the guards find in labelled data; DATA='files or folders'
	@$(BIN)/python -m benchmarks.guards_bench $(DATA)

lock: ## pin the newest dependencies that pyproject.toml allows (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv; see its documentation for how to install it."; exit 1; }
	uv lock --upgrade
	uv export --quiet --no-header --format requirements-txt --no-emit-project --no-dev -o requirements.lock
	uv export --quiet --no-header --format requirements-txt --no-emit-project -o requirements-dev.lock

install:
	@sh scripts/install.sh requirements.lock

install-dev:
	@sh scripts/install.sh requirements-dev.lock
