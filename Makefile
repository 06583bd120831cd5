# make run ARGS="..."     the suites on the bench; without ARGS on the simulated one
# make test [STRICT=1]    every check; with STRICT=1 a missing tool is a failure
# make peers ARGS="..."   drivers of PyMeasure and QCoDeS against the served bench, in .venv-peers
# make clean              remove what can be made again; runs/ is evidence and stays
PYTHON ?= python3
STRICT ?= 0
BIN := .venv/bin
PEERS := .venv-peers
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install

.PHONY: run test peers clean

run: .venv/installed
	@$(BIN)/hil run $(ARGS)

test: .venv/installed
	@$(BIN)/python .ci/checks.py $(if $(filter-out 0,$(STRICT)),--strict)

# The project is not installed there: its packages lie on the path, beside those of the peers, whose
# own warnings are no failures of ours.
peers: $(PEERS)/locked
	@PYTHONPATH=.:instruments:fixtures:reports $(PEERS)/bin/python -m pytest \
	    -p no:cacheprovider -W default test_suites/peers $(ARGS)

$(PEERS)/locked: test_suites/peers/requirements.lock
	@echo "creating $(PEERS) with $$($(PYTHON) --version) and the packages of $<"
	@rm -rf $(PEERS)
	@if $(PYTHON) -c 'import ensurepip' 2>/dev/null; then $(PYTHON) -m venv $(PEERS); else \
	    $(PYTHON) -m venv --without-pip $(PEERS) && \
	    $(PYTHON) -m pip --disable-pip-version-check --quiet --python $(PEERS)/bin/python install pip; fi
	@$(PEERS)/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes \
	    --requirement $<
	@touch $@

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
	rm -rf .venv $(PEERS) dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
