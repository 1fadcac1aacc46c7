# Python 3.11 or newer and make are all it takes; `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# The packages of a server, and those of developers on top of them. Each set is installed once, and again when its lock changes.
SERVER := $(VENV)/.server
DEVELOPER := $(VENV)/.developer
# `make prove SEED=7` repeats the generated cases of that seed; by default each day has its own.
SEED ?= $(shell date +%Y%m%d)

FAST := tests/auth tests/diff tests/executor tests/formats tests/policy tests/store tests/workflows
PROOFS := tests/diff/test_search_effort.py tests/diff/test_laws.py tests/diff/test_mode_laws.py tests/diff/test_soundness.py tests/executor tests/workflows/test_laws.py tests/workflows/test_ask_model.py tests/workflows/test_ask_races.py tests/workflows/test_change_set_races.py tests/workflows/test_lineage_races.py tests/ops

.DEFAULT_GOAL := help
.PHONY: help serve demo dev test test-fast test-long prove coverage lint docs schema reference screenshots lock release \
  diff-score fuzz conformance chaos attack load soak bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(SERVER): requirements-build.lock requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Tessera GQL needs Python 3.11 or newer; $(PYTHON) is `$(PYTHON) -V`. Try: make PYTHON=python3.12 ..."; exit 1; }
	@echo "Installing the server into $(VENV) (once; less than a minute) ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) install --quiet --require-hashes -r requirements.lock
	@$(PIP) install --quiet --require-hashes -r requirements-build.lock
	@$(PIP) install --quiet --no-build-isolation --no-deps --editable .
	@touch $@

$(DEVELOPER): $(SERVER) requirements-dev.lock
	@echo "Installing the tools of developers into $(VENV) (once; about a minute) ..."
	@$(PIP) install --quiet --require-hashes -r requirements-dev.lock
	@touch $@

serve: $(SERVER) ## run the server on SQLite with the console in the browser
	@$(BIN)/tessera serve --open

demo: $(SERVER) ## run the server with a small shop in it: teams, contracts, open proposals, observed reads
	@$(BIN)/tessera serve --open --demo

dev: $(SERVER) ## run the demo server, and restart it when a source file changes
	@$(BIN)/python scripts/reload.py --demo

test: $(DEVELOPER) ## run the tests, on SQLite and on PostgreSQL
	@$(BIN)/python -m pytest -q -n auto -m "not long and not dbt"

test-long: $(DEVELOPER) ## run the tests that take long: servers and commands as processes, faults, attacks, recipes
	@$(BIN)/python -m pytest -q -n auto -m long

test-fast: $(DEVELOPER) ## run the tests of the pure layers, and those of the store and the workflows on SQLite
	@$(BIN)/python -m pytest -q -n auto --database sqlite $(FAST)

prove: $(DEVELOPER) ## run what takes long: generated schemas and queries, random walks, faults, attacks (SEED=N repeats)
	@echo "Seed $(SEED)."
	@TESSERA_FUZZ=long $(BIN)/python -m pytest -q -n auto --hypothesis-seed=$(SEED) $(PROOFS)
	@$(BIN)/python -m bench chaos
	@$(BIN)/python -m bench attack
	@tests/conformance/run --attack || [ $$? -eq 2 ]

coverage: $(DEVELOPER) ## run every test and report the lines and branches that none reaches
	@$(BIN)/python -m pytest -q -n auto --cov --cov-report=term:skip-covered --cov-report=html

lint: $(DEVELOPER) ## check style, types, layers, dead code and dependencies
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/basedpyright
	@$(BIN)/lint-imports
	@$(BIN)/vulture
	@$(BIN)/deptry .

docs: $(DEVELOPER) reference ## build the documentation into site/, without a network
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "Open site/index.html"

schema: $(SERVER) ## write schema.graphql
	@$(BIN)/tessera schema > schema.graphql

reference: $(SERVER) ## write docs/reference, and the modes in docs/compatibility.md, from the code
	@$(BIN)/python scripts/reference.py

screenshots: $(DEVELOPER) ## take the pictures of the console in docs/images anew (needs chromium)
	@$(BIN)/python scripts/screenshots.py

diff-score: $(DEVELOPER) ## score the diff engine on every public pair of schemas beside this checkout
	@$(BIN)/python -m bench.diff_score

fuzz: $(DEVELOPER) ## check the laws of the diff engine on many thousand generated pairs
	@TESSERA_FUZZ=long $(BIN)/python -m pytest -q tests/diff/test_laws.py

conformance: $(DEVELOPER) ## run public audits and GraphQL clients against the server (needs node and npm)
	@tests/conformance/run

chaos: $(DEVELOPER) ## kill servers, cut connections, drop sockets, and check that nothing is lost
	@$(BIN)/python -m bench chaos

attack: $(DEVELOPER) ## send hostile requests, and check that a second client is served meanwhile
	@$(BIN)/python -m bench attack

load: $(DEVELOPER) ## measure a large company's graph: the impact of a dropped column, and an inbox
	@$(BIN)/python -m bench load

soak: $(DEVELOPER) ## run twenty minutes of mixed use on both databases at once: nothing fails, and memory does not grow
	@$(BIN)/python -m bench soak

bench: $(DEVELOPER) ## run every benchmark, and keep the figures in bench/RESULTS.md; PEERS=1: PostGraphile too (needs npm)
	@$(BIN)/python -m bench all $(if $(PEERS),--peers)

UV_COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links
DBT_BUILD := tests/conformance/dbt_build
lock: ## pin the dependencies anew (needs uv)
	$(UV_COMPILE) --extra tracing --extra parquet --extra mcp --group dev pyproject.toml -o requirements-dev.lock
	$(UV_COMPILE) -c requirements-dev.lock --extra tracing --extra mcp pyproject.toml -o requirements.lock
	$(UV_COMPILE) -c requirements-dev.lock --group build -o requirements-build.lock
	$(UV_COMPILE) --no-strip-extras $(DBT_BUILD)/requirements.in -o $(DBT_BUILD)/requirements.lock

release: ## set the version, date its changelog section, commit and tag: make release VERSION=1.2.3
	@$(PYTHON) scripts/release.py "$(VERSION)"

clean: ## remove the environment, caches and built pages, never a database
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage htmlcov site
