# make run    install into .venv, then a whole run on this machine (about 7 minutes on two cores, no GPU)
# make test   install what the tests need, and run them
# make lint   ruff and mypy
#
# VENV=folder, PYTHON=interpreter, TORCH=requirement and ARGS="flags" change what is used.

PYTHON ?= $(shell for each in python3.11 python3; do \
	$$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$each && break; done)
TORCH ?= torch==2.13.0
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq install

.PHONY: run test lint format clean
.DEFAULT_GOAL := run

run: $(VENV)/.agentr
	@$(BIN)/agentr run --env textcraft --searcher mcts $(ARGS)

test: $(VENV)/.dev
	@$(BIN)/python -m pytest $(ARGS)

lint: $(VENV)/.dev
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

format: $(VENV)/.dev
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

clean:
	@rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache

# Each stamp is one step of the install, done again only when what it depends on has changed.
$(VENV)/.python:
	@test -n "$(PYTHON)" || { echo "agentr needs Python 3.11 or newer: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "install  $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) --upgrade pip
	@touch $@

$(VENV)/.torch: $(VENV)/.python
	@echo "install  $(TORCH)"
	@$(PIP) "$(TORCH)"
	@touch $@

$(VENV)/.agentr: $(VENV)/.torch pyproject.toml
	@echo "install  agentr and what its plugins need"
	@$(PIP) --editable '.[all]' "$(TORCH)"
	@touch $@

$(VENV)/.dev: $(VENV)/.agentr
	@echo "install  test tools"
	@$(PIP) --group dev
	@touch $@
