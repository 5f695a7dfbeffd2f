# One-word commands; each is a plain script in script/ as well.
#
#   make run     the demo: a living simulated estate on http://127.0.0.1:8645
#   make test    style, types, layers and every test that this machine can run
#   make lint    style, types and layers alone
#   make bench   the figures, printed
#   make coverage  the tests of money, which must pass through every line and branch of it
#   make docs    the tables of the docs, written anew from the code
#   make clean   take away what the others made
#
# PYTHON=python3.12 make test takes another Python.
PYTHON ?= python3
VENV := .venv
MADE_FROM := constraints.txt pyproject.toml script/setup

.PHONY: run test lint bench coverage docs setup clean

run: $(VENV)/.ready
	@$(VENV)/bin/meterhub demo

test: $(VENV)/.ready-dev
	@script/test

lint: $(VENV)/.ready-dev
	@script/lint

bench: $(VENV)/.ready-dev
	@script/bench

coverage: $(VENV)/.ready-dev
	@script/coverage

docs: $(VENV)/.ready-dev
	@script/docs

setup: $(VENV)/.ready-dev

# .venv is set up once, and again when what it is made from changes.
$(VENV)/.ready: $(MADE_FROM)
	@PYTHON="$(PYTHON)" script/setup run

$(VENV)/.ready-dev: $(MADE_FROM)
	@PYTHON="$(PYTHON)" script/setup dev

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
