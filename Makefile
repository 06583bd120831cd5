# make run ARGS="..."     the suites on the bench; without ARGS on the simulated one
# make test [STRICT=1]    every check; with STRICT=1 a missing tool is a failure
# make peers ARGS="..."   PyMeasure and QCoDeS on the served bench; a sealed run in the eyes of others; in .venv-peers
# make qualify            every fault that a suite is said to catch, caught again (some minutes)
# make devices            devices that differ from the reference: none is accused, none hides a fault (some minutes)
# make seeds ARGS="..."   a healthy device over many seeds, which the suites must not accuse; goes on where it was
#                         (ARGS="smoke:100 standard:20 full:4", some hours)
# make crash ARGS="..."   kill -9 of the runner at 200 moments of its life (some 10 minutes)
# make links ARGS="..."   2 000 faults of links and instruments, each at a moment that is drawn, of every driver;
#                         then 441 of them while current flows, through whole runs (ARMED="...": of these)
# make bench              the benchmarks, each figure beside its peer
# make tamper ARGS="--trials 2000"  tampers with a sealed run in every way we know: each is found
# make chaos ARGS="..."   kills 1 000 runners on a served bench, then strikes 200 real runs at random
#                         (ROUNDS="...": of the second part; an hour)
# make paths ARGS="..."   every way a run can stop, driven five times on a served bench; with
#                         ARGS="--write docs/sentinel.md" the table there is made anew
# make fuzz SECONDS=60    coverage-guided fuzzing of SCPI, HiSLIP and VXI-11, in .venv-fuzz
# make nightly            qualify, devices, seeds, crash, tamper, chaos, paths, links, peers, fuzz and bench
# make clean              remove what can be made again; runs/ is evidence and stays
PYTHON ?= python3
STRICT ?= 0
BIN := .venv/bin
PEERS := .venv-peers
FUZZ := .venv-fuzz
SECONDS ?= 60
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install

.PHONY: run test peers qualify devices seeds crash tamper chaos paths links bench fuzz nightly clean

# What these register is no evidence: the memory of this machine is not filled with it.
test peers qualify devices seeds crash tamper chaos paths links bench fuzz: export STIMPROOF_STATE =

run: .venv/installed
	@$(BIN)/hil run $(ARGS)

test: .venv/installed
	@$(BIN)/python .ci/checks.py $(if $(filter-out 0,$(STRICT)),--strict)

qualify: .venv/installed
	@$(BIN)/python -m qualify.matrix $(ARGS)

devices: .venv/installed
	@$(BIN)/python -m qualify.devices

seeds: .venv/installed
	@$(BIN)/python -m qualify.seeds $(ARGS)

crash: .venv/installed
	@$(BIN)/python test_suites/crash/crash.py $(ARGS)

tamper: .venv/installed
	@$(BIN)/python -m tamper.campaign $(ARGS)

chaos: .venv/installed
	@$(BIN)/python -m chaos.campaign $(ARGS)
	@$(BIN)/python -m chaos.rounds $(ROUNDS)

paths: .venv/installed
	@$(BIN)/python -m chaos.paths $(ARGS)

links: .venv/installed
	@$(BIN)/python -m framework.link_trials $(ARGS)
	@$(BIN)/python -m framework.armed_links $(ARMED)

bench: .venv/installed $(PEERS)/locked
	@for each in benchmarks/*.py; do echo "== $$each"; case $$each in \
	    */visa_query.py|*/served_query.py) PYTHONPATH=.:instruments:fixtures:reports $(PEERS)/bin/python $$each;; \
	    *) $(BIN)/python $$each;; esac || exit 1; done

fuzz: .venv/installed $(FUZZ)/locked
	@for each in test_suites/fuzz/fuzz_*.py; do echo "== $$each"; \
	    mkdir -p $(FUZZ)/corpus/$$(basename $$each .py) && \
	    PYTHONPATH=$(FUZZ)/packages $(BIN)/python $$each -max_total_time=$(SECONDS) -print_final_stats=1 \
	    $(FUZZ)/corpus/$$(basename $$each .py) || exit 1; done

$(FUZZ)/locked: test_suites/fuzz/requirements.lock .venv/locked
	@rm -rf $(FUZZ)/packages && mkdir -p $(FUZZ)
	@$(PIP) --no-deps --require-hashes --target $(FUZZ)/packages --requirement $<
	@touch $@

nightly: qualify devices seeds crash tamper chaos paths links peers fuzz bench

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
	rm -rf .venv $(PEERS) $(FUZZ) dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
