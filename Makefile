# Everything works from here with Python >= 3.11 and make; `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help serve demo test lint schema lock diff-score fuzz conformance chaos attack load soak bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMP): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Tessera GQL needs Python 3.11 or newer; $(PYTHON) is `$(PYTHON) -V`. Try: make PYTHON=python3.12 ..."; exit 1; }
	@echo "Installing into $(VENV) (once; about a minute) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

serve: $(STAMP) ## run the server on SQLite with GraphiQL in the browser
	@$(BIN)/tessera serve --open

demo: $(STAMP) ## the same, with a small shop in it: teams, contracts, an open proposal
	@$(BIN)/tessera serve --open --demo

test: $(STAMP) ## every test, on SQLite and on PostgreSQL
	@$(BIN)/python -m pytest -q -n auto

lint: $(STAMP) ## style, types, layers, dead code, dependencies
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/basedpyright
	@$(BIN)/lint-imports
	@$(BIN)/vulture
	@$(BIN)/deptry .

schema: $(STAMP) ## print schema.graphql anew
	@$(BIN)/tessera schema > schema.graphql

diff-score: $(STAMP) ## the diff engine on every public pair of schemas beside this checkout
	@$(BIN)/python -m bench.diff_score

fuzz: $(STAMP) ## the laws of the diff engine, on many thousand generated pairs
	@TESSERA_FUZZ=long $(BIN)/python -m pytest -q tests/diff/test_laws.py

conformance: $(STAMP) ## the world's GraphQL clients and audits against the server (needs node and npm)
	@tests/conformance/run

chaos: $(STAMP) ## servers killed, connections cut, sockets dropped: nothing is lost
	@$(BIN)/python -m bench chaos

attack: $(STAMP) ## hostile requests and connections: refused or answered while a second client is served
	@$(BIN)/python -m bench attack

load: $(STAMP) ## a large company's graph: whom a dropped column hurts, and an inbox
	@$(BIN)/python -m bench load

soak: $(STAMP) ## ten minutes of mixed use on each database: nothing fails, and memory does not grow
	@$(BIN)/python -m bench soak

bench: $(STAMP) ## every benchmark, each figure beside its target, kept in bench/RESULTS.md; PEERS=1: PostGraphile too (needs npm)
	@$(BIN)/python -m bench all $(if $(PEERS),--peers)

lock: ## pin the dependencies anew (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --extra tracing --group dev pyproject.toml -o requirements-dev.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links -c requirements-dev.lock --extra tracing pyproject.toml -o requirements.lock

clean: ## remove the environment and caches, never a database
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
