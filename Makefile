# Needs Python 3.11 or newer and make, nothing else.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: help demo test test-backends test-browser screenshots frontend frontend-check lint types docs files bench lock wheel clean

help:
	@echo "make demo            make the environment and show the demo network's maps"
	@echo "make test            make the environment and run the tests (TensorFlow)"
	@echo "make test-backends   the contract suite on JAX and torch"
	@echo "make test-browser    the explorer in a real browser (chromium, node)"
	@echo "make screenshots     the documentation's pictures of the explorer, anew"
	@echo "make frontend        rebuild the explorer's page from frontend/ (node)"
	@echo "make lint types docs the other checks"
	@echo "make files           the tests that the table of files in the documentation is made from"
	@echo "make bench           measure against the plain forward pass (ONLY=part: one part alone)"

$(STAMP): requirements/dev.txt requirements/oracle.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/oracle.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(STAMP)

demo: $(STAMP)
	$(BIN)/layerscope demo

test: $(STAMP)
	$(BIN)/python -m pytest -q -m "not browser"

frontend/node_modules/.package-lock.json: frontend/package.json frontend/package-lock.json
	cd frontend && npm ci --silent

frontend: frontend/node_modules/.package-lock.json
	cd frontend && npm run --silent check && npm run --silent build

frontend-check: frontend/node_modules/.package-lock.json
	cd frontend && npm run --silent check
	rm -rf build/frontend && mkdir -p build/frontend && cd frontend && node build.mjs ../build/frontend
	for file in explorer.js explorer.css NOTICE; do \
		cmp build/frontend/$$file src/layerscope/faces/explorer/static/$$file || exit 1; done

test-browser: $(STAMP) frontend/node_modules/.package-lock.json
	$(BIN)/python -m pytest -q -m browser

# The documentation's pictures of the explorer: those that are there are made anew.
screenshots: $(STAMP) frontend/node_modules/.package-lock.json
	rm -rf build/screenshots
	LAYERSCOPE_SCREENSHOTS=build/screenshots $(BIN)/python -m pytest -q -m browser
	for file in docs/images/explorer/*.webp; do cp build/screenshots/$$(basename $$file) $$file; done

$(VENV)/.torch: $(STAMP) requirements/torch.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements/torch.txt
	touch $@

test-backends: $(VENV)/.torch
	KERAS_BACKEND=jax $(BIN)/python -m pytest -q -m backend
	KERAS_BACKEND=torch $(BIN)/python -m pytest -q -m backend

lint: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(STAMP)
	$(BIN)/mypy

# What the page "Which files open" tells of the tests; every whole run of them writes it too.
files: $(STAMP)
	$(BIN)/python -m pytest -q -m opens

docs/generated/files.json:
	$(MAKE) files

docs: $(STAMP) docs/generated/files.json
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html

# One part of it alone: make bench ONLY=recording (start-up, view, extracting, drawing,
# explaining, recording, browser).
bench: $(STAMP)
ifneq ($(ONLY),browser)
	$(BIN)/python benchmarks/run.py $(if $(ONLY),--only $(ONLY))
endif
ifeq ($(filter-out browser,$(ONLY)),)
	$(BIN)/python benchmarks/browser.py
endif

wheel: $(STAMP)
	$(BIN)/python -m build --no-isolation --wheel --outdir dist .

lock: $(STAMP)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml requirements/dev.in --extra dev --extra notebook --quiet \
		--generate-hashes --universal --python-version 3.11 --no-header --no-emit-index-url \
		--no-annotate --output-file requirements/dev.txt
	$(BIN)/uv pip compile requirements/oracle.in --no-deps --quiet \
		--generate-hashes --universal --python-version 3.11 --no-header --no-emit-index-url \
		--no-annotate --output-file requirements/oracle.txt

clean:
	rm -rf $(VENV) dist docs/_build docs/generated .pytest_cache .mypy_cache .ruff_cache layerscope-demo
