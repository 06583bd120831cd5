# make run ARGS="..."     the suites on the bench; without ARGS on the simulated one
# make test [STRICT=1]    every check; with STRICT=1 a missing tool is a failure
# make clean              remove what can be made again; runs/ is evidence and stays
PYTHON ?= python3
STRICT ?= 0
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install

.PHONY: run test clean

run: .venv/installed
	@$(BIN)/hil run $(ARGS)

test: .venv/installed
	@$(BIN)/python .ci/checks.py $(if $(filter-out 0,$(STRICT)),--strict)

# A stamp is the last line of its recipe: what failed half-way is done again.
.venv/installed: .venv/locked pyproject.toml
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/locked: requirements.lock
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("stimproof needs Python 3.11 or newer: make PYTHON=...")'
	@echo "creating .venv with $$($(PYTHON) --version) and the packages of requirements.lock"
	@rm -rf .venv
	@if $(PYTHON) -c 'import ensurepip' 2>/dev/null; then $(PYTHON) -m venv .venv; else \
	    $(PYTHON) -m venv --without-pip .venv && \
	    $(PYTHON) -m pip --disable-pip-version-check --quiet --python $(BIN)/python install pip; fi
	@$(PIP) --require-hashes --requirement requirements.lock
	@touch $@

clean:
	rm -rf .venv dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
