# make run and make test do everything on a fresh machine; the rest is for developing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?= ../shared/analyser

.PHONY: help run install format lint types test evaluate bench soak check clean

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

run: $(VENV)/ready  ## install what is missing, migrate, and serve on http://127.0.0.1:8000
	@$(BIN)/python run.py

install: $(VENV)/ready-dev  ## make the virtual environment with what tests and checks need

test: $(VENV)/ready-dev  ## provide what the tests need, and run all of them
	@tests/provide
	$(BIN)/python -m pytest

evaluate: $(VENV)/ready-dev  ## measure the embedded analyser on labelled texts: make evaluate DATA=folder
	$(BIN)/python training/evaluate.py $(DATA)

bench: $(VENV)/ready-dev  ## measure what this machine can take, for planning: make bench WORKERS=2
	@$(BIN)/python -W ignore -m tests.bench

soak: $(VENV)/ready-dev  ## use it hard while everything around it fails: make soak MINUTES=10
	CASES=20000 $(BIN)/python -m pytest -s tests/test_schema.py
	@$(BIN)/python -W ignore -m tests.soak

format: $(VENV)/ready-dev  ## write the code in the house's form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(VENV)/ready-dev  ## look for mistakes and other forms
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/ready-dev  ## check the types
	$(BIN)/mypy

check: lint types test  ## all of the above

clean:  ## remove the virtual environment and what tools have left; data/ stays
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'RiskScan needs Python 3.11 or newer: make PYTHON=/path/to/python3' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
		rm -rf $(VENV); echo 'Python has no venv here: apt-get install python3-venv' >&2; exit 1; }

$(VENV)/ready: pyproject.toml constraints.txt | $(VENV)/bin/pip
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@$(BIN)/python -m compileall -q run.py riskscan migrations
	@touch $@

$(VENV)/ready-dev: pyproject.toml constraints.txt | $(VENV)/bin/pip
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@ $(VENV)/ready
