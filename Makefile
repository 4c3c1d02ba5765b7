# Everything that people and CI call. Needs make and Python 3.11 or newer; the rest is installed into .venv.

PORT ?= 8000
WORKERS ?= $(shell nproc 2>/dev/null || echo 2)

BIN := .venv/bin
PYTHON := $(BIN)/python
MANAGE := $(PYTHON) manage.py
# Checks and tests have data of their own, so that they never touch those of `make run`.
AS_TEST := DJANGO_SETTINGS_MODULE=tests.settings
CODE := config gateway accounts billing compliance tests $(wildcard benchmarks)

export PORT
export PIP_DISABLE_PIP_VERSION_CHECK := 1
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run reset test lint types contracts migrations templates tests format bench lock

help: ## list the targets
	@grep -E '^[a-z]+:.*## ' Makefile | awk -F ':.*## ' '{ printf "  make %-11s %s\n", $$1, $$2 }'

run: .venv/installed-run.lock ## start everything, with a demo, on PORT (default 8000)
	@exec $(MANAGE) up

reset: ## forget the data, the demo and the secrets of `make run`
	@if [ -x $(PYTHON) ]; then $(MANAGE) reset; else rm -rf var; fi

test: lint types contracts migrations templates tests ## every check and every test

lint: .venv/installed-dev.lock ## style of the code
	@echo "── ruff"
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .

types: .venv/installed-dev.lock ## types
	@echo "── mypy"
	@$(PYTHON) -m mypy $(CODE)

contracts: .venv/installed-dev.lock ## who may import whom
	@echo "── import contracts"
	@$(BIN)/lint-imports

migrations: .venv/installed-dev.lock ## models without a migration
	@echo "── migrations"
	@$(AS_TEST) $(MANAGE) makemigrations --check --dry-run

templates: .venv/installed-dev.lock ## format of the templates
	@echo "── templates"
	@find templates */templates -name '*.html' -exec $(PYTHON) -m djade --check --target-version 5.2 {} +

tests: .venv/installed-dev.lock ## the tests alone, on WORKERS processes
	@echo "── tests"
	@$(PYTHON) -m pytest -n $(WORKERS)

format: .venv/installed-dev.lock ## put code and templates into shape
	@$(PYTHON) -m ruff check --fix .
	@$(PYTHON) -m ruff format .
	@find templates */templates -name '*.html' -exec $(PYTHON) -m djade --target-version 5.2 {} +

bench: .venv/installed-dev.lock ## measure the gateway against a raw forwarder
	@$(PYTHON) -m benchmarks

lock: ## pin the dependencies of pyproject.toml anew (needs uv)
	@command -v uv >/dev/null || { echo "make lock needs uv: https://docs.astral.sh/uv/"; exit 1; }
	uv lock --upgrade
	uv export --quiet --format requirements-txt --no-emit-project --no-annotate --no-dev --output-file requirements.lock
	uv export --quiet --format requirements-txt --no-emit-project --no-annotate --output-file requirements-dev.lock

# A copy of the lock that was installed last: equal to the lock, nothing is to be done.
.venv/installed-%.lock: requirements%.lock
	@true

$(PYTHON):
	@sh scripts/venv.sh
