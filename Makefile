# make run and make test install what is missing and need nothing else; the other targets are for developers.
PYTHON ?= python3
# a virtual environment for each Python: PYTHON=python3.13 uses .venv-python3.13
VENV := .venv$(addprefix -,$(filter-out python3,$(notdir $(PYTHON))))
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check
LOCK := $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.11 --generate-hashes \
	--annotation-style line --custom-compile-command 'make lock' $(UPGRADE)

.PHONY: help run install test test-failed test-fast model evaluate sample bench soak messages format lint types check lock audit clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

run: $(VENV)/ready  ## install, migrate and serve on http://127.0.0.1:8000
	@$(BIN)/python run.py

install: $(VENV)/ready-dev  ## create the virtual environment with all that tests and checks need

test: $(VENV)/ready-dev  ## run all tests; make test PYTHON=python3.13 runs them on another Python
	@tests/provide
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test-failed: $(VENV)/ready-dev  ## run the tests that failed last once more, one after another
	$(BIN)/python -m pytest --last-failed --last-failed-no-failures none

test-fast: $(VENV)/ready-dev  ## run the fast tests, three minutes on two cores: SQLite, no browser, no processes
	$(BIN)/python -m pytest -n logical -m 'not slow and not postgresql'

model:  ## make the analyser's model anew, in an hour and a half: make model DATA=folder of documents that others wrote
	$(PYTHON) -m venv .venv-model
	.venv-model/bin/pip install --quiet --require-hashes --requirement requirements.txt
	.venv-model/bin/pip install --quiet --requirement training/requirements.txt
	.venv-model/bin/python -m training.train
	.venv-model/bin/python -m training.public $(DATA)
	.venv-model/bin/python -m training.encoder $(or $(DATA),$(error Name the folder of documents: make model DATA=folder))

evaluate: $(VENV)/ready-dev  ## measure the embedded analyser on labelled texts: make evaluate DATA=folder
	$(BIN)/python -m training.evaluate $(or $(DATA),$(error Name the folder of labelled texts: make evaluate DATA=folder))

sample: $(VENV)/ready-dev  ## store the result of the sample contract anew, after a change of the analyser
	$(BIN)/python -m tests.ai_service.sample

bench: $(VENV)/ready-dev  ## measure the capacity of this machine: make bench WORKERS=2
	@$(BIN)/python -W ignore -m tests.bench

soak: $(VENV)/ready-dev  ## load while parts fail, then beside an abusive user: make soak MINUTES=10; ABUSE=1 is only that
	$(if $(ABUSE)$(PREVIOUS),,CASES=20000 $(BIN)/python -m pytest -s tests/test_schema.py)
	$(if $(ABUSE)$(PREVIOUS),,@$(BIN)/python -W ignore -m tests.soak)
	@$(BIN)/python -W ignore -m tests.soak_$(if $(PREVIOUS),upgrade,abuse)

format: $(VENV)/ready-dev  ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lint: $(VENV)/ready-dev  ## lint, and check the formatting
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/ready-dev  ## check the types
	$(BIN)/mypy

check: lint types test  ## lint, check the types and run all tests

lock: $(VENV)/ready-dev  ## lock the dependencies of pyproject.toml; make lock UPGRADE=--upgrade takes the newest
	$(LOCK) --output-file requirements.txt
	$(LOCK) --output-file requirements-dev.txt --group dev --constraint requirements.txt

audit: $(VENV)/ready-dev  ## look up known vulnerabilities of the locked dependencies
	$(BIN)/uv tool run pip-audit@2.10.1 --strict --disable-pip --require-hashes --requirement requirements-dev.txt

messages: $(VENV)/ready-dev  ## add new messages of the pages to the catalogues in riskscan/locale, remove old ones
	@$(BIN)/python -m tests.messages

clean:  ## remove the virtual environments and the files of tools; data/ stays
	rm -rf .venv .venv-* build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo 'RiskScan needs Python 3.11 or newer: make PYTHON=/path/to/python3' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
		rm -rf $(VENV); echo 'Python has no venv here: apt-get install python3-venv' >&2; exit 1; }

$(VENV)/ready: requirements.txt | $(VENV)/bin/pip
	$(PIP_INSTALL) --require-hashes --requirement requirements.txt
	@$(BIN)/python -m compileall -q run.py riskscan migrations
	@touch $@

# the editable install is for scripts in tests/ and training/; the program itself runs from the checkout as it is
$(VENV)/ready-dev: pyproject.toml requirements-dev.txt | $(VENV)/bin/pip
	$(PIP_INSTALL) --require-hashes --requirement requirements-dev.txt
	$(PIP_INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@ $(VENV)/ready
