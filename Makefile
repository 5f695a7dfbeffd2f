# One-word commands; each is a plain script in script/ as well.
PYTHON ?= python3
VENV := .venv
READY := $(VENV)/.ready

.PHONY: test lint setup clean

setup: $(READY)

# Sets up .venv once, and again when what it is made from changes.
$(READY): constraints.txt pyproject.toml script/setup
	@PYTHON="$(PYTHON)" script/setup

test: $(READY)
	@script/test

lint: $(READY)
	@script/lint

clean:
	rm -rf $(VENV)
