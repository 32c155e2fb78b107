# One word for each thing to do. Every target sets up what it needs in .venv; nothing else on the machine is touched.
#
#   make mnist    install, then train a network on the handwritten digits
#   make test     install, then run the tests
#   make check    lint and types
#   make oracle   every number against Keras, PyTorch and Optax, in an environment of their own
#   make browser  reports looked at in a browser: needs Debian's chromium and nodejs with npm
#   make bench    the benchmarks and their plots, against pinned peers in an environment of their own
#   make clean    remove all that make made

PYTHON ?= python3
VENV := .venv
BENCH_VENV := .venv-bench
ORACLE_VENV := .venv-oracle
PIP_FLAGS := --quiet --disable-pip-version-check

INSTALLED := $(VENV)/.stamp-installed
DEVELOPED := $(VENV)/.stamp-developed
BENCH_READY := $(BENCH_VENV)/.stamp-installed
ORACLE_READY := $(ORACLE_VENV)/.stamp-installed

.PHONY: mnist test check oracle browser bench clean

mnist: $(INSTALLED)
	$(VENV)/bin/chainrule train mnist

test: $(DEVELOPED)
	$(VENV)/bin/python -m pytest

check: $(DEVELOPED)
	$(VENV)/bin/python -m ruff check .
	$(VENV)/bin/python -m mypy

oracle: $(ORACLE_READY)
	$(ORACLE_VENV)/bin/python oracle/run.py

browser: $(DEVELOPED)
	$(VENV)/bin/python tests/browser/make_reports.py build/reports
	cd tests/browser && npm install --no-audit --no-fund --no-package-lock --silent
	node tests/browser/check_reports.mjs build/reports --shots build/shots

bench: $(BENCH_READY)
	$(BENCH_VENV)/bin/python benchmarks/all.py --plots docs/images
	$(BENCH_VENV)/bin/python benchmarks/page.py benchmarks/results.json docs/performance.md README.md

clean:
	rm -rf $(VENV) $(BENCH_VENV) $(ORACLE_VENV) build tests/browser/node_modules *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(INSTALLED): $(VENV)/bin/python pyproject.toml
	$(VENV)/bin/python -m pip install $(PIP_FLAGS) --editable .
	@touch $@

$(DEVELOPED): $(INSTALLED)
	$(VENV)/bin/python -m pip install $(PIP_FLAGS) --editable '.[dev,images,report]'
	@touch $@

$(BENCH_READY): pyproject.toml benchmarks/requirements.txt
	$(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/python -m pip install $(PIP_FLAGS) --editable . --requirement benchmarks/requirements.txt
	@touch $@

$(ORACLE_READY): pyproject.toml oracle/requirements.txt
	$(PYTHON) -m venv $(ORACLE_VENV)
	$(ORACLE_VENV)/bin/python -m pip install $(PIP_FLAGS) --editable . --requirement oracle/requirements.txt
	@touch $@
