# make train      the deck, training digits-cnn; without a terminal, progress as plain lines
# make test       every test but the benchmarks, in minutes
# make check      style, types, and who may import whom
# make test-all   what make test does, over many more seeds and documents; then test-faults and mutations; takes hours
# make test-faults  runs killed two hundred times, and gone on with
# make mutations  ten thousand presets and five thousand runs changed at random, none of which may end in a traceback
# make test-elsewhere  the tests as another machine runs them: CPU, cores, load, zone, language, date, user
# make clean      remove what the others made, runs excepted
#
# The environment in .venv is set up on first use, and again only when what it is made from changes.

PYTHON ?= python3
PRESET ?= digits-cnn

VENV := .venv
BIN := $(VENV)/bin
# What is installed depends on these sections and pins, and on where the clone lies. The stamp's name tells them all, so
# that neither a touched file nor a change to a linter's settings sets anything up again.
SECTIONS := awk '/^\[/ { on = /^\[(build-system|project|tool[.]hatch)/ } on' pyproject.toml
READY := $(VENV)/.ready-$(shell ($(SECTIONS); cat constraints.txt; pwd -P) | cksum | cut -d ' ' -f 1)

# More processes than the two cores that are expected: tests wait in terminals for much of their time.
TESTS := $(BIN)/python -m pytest -n 3 --dist worksteal

SAY := echo >&2 "torchdeck needs Python 3.11 or newer, and"
FIX := . Name one: make PYTHON=/path/to/python3.11

.PHONY: help train test check test-all test-faults mutations test-elsewhere clean
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# make/make/p' Makefile

train: $(READY)
	@$(BIN)/torchdeck train $(PRESET)

test: $(READY)
	@$(TESTS)

check: $(READY)
	@$(BIN)/python -m ruff check
	@$(BIN)/python -m ruff format --check
	@$(BIN)/python -m mypy
	@$(BIN)/lint-imports

test-all: $(READY)
	@TORCHDECK_THOROUGH=1 $(TESTS) --timeout 3600
	@$(MAKE) --no-print-directory test-faults mutations

mutations: $(READY)
	@TORCHDECK_MUTATIONS=10000 $(BIN)/python -m pytest --timeout 3600 tests/engine/plan/test_mutations.py
	@TORCHDECK_MUTATIONS=5000 $(BIN)/python -m pytest tests/engine/runs/test_damaged_runs.py
	@TORCHDECK_MUTATED_RUNS=1000 $(BIN)/python -m pytest --timeout 7200 tests/faults/test_mutated_runs.py

test-faults: $(READY)
	@TORCHDECK_KILLS=200 $(TESTS) tests/faults

test-elsewhere: $(READY)
	@$(BIN)/python tests/elsewhere.py $(ONLY)

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

$(READY):
	@if ! { grep -qsF '$(CURDIR)/$(VENV)' $(BIN)/activate && $(BIN)/python -c ''; } 2>/dev/null; then \
	  command -v $(PYTHON) >/dev/null || { $(SAY) "there is no $(PYTHON) here$(FIX)"; exit 1; }; \
	  $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    $(SAY) "this one is `$(PYTHON) --version 2>&1`$(FIX)"; exit 1; }; \
	  echo "Setting up $(VENV), once; torch is large, so this takes a few minutes." >&2; \
	  $(PYTHON) -m venv --clear $(VENV); \
	fi
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@rm -f $(VENV)/.ready-*
	@touch $@
