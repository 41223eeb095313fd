# make train           train digits-cnn in the deck; without a terminal, print progress
# make test            run all tests except the benchmarks; takes minutes
# make check           check style, types and import rules
# make test-all        run make test with many more seeds and documents, then test-faults and mutations; takes hours
# make test-faults     kill runs two hundred times and resume them
# make mutations       change ten thousand presets and five thousand runs at random; none may cause a traceback
# make test-elsewhere  run the tests as on other machines: CPU, cores, load, time zone, language, date, user
# make clean           remove all generated files except runs
#
# The environment in .venv is set up on first use, and again when its sources change.

PYTHON ?= python3
PRESET ?= digits-cnn

VENV := .venv
BIN := $(VENV)/bin
# The environment depends on these sections, the pins and the path of the clone. The name of the stamp is their checksum.
# So a touched file or a change of a linter's settings does not set it up again.
SECTIONS := awk '/^\[/ { on = /^\[(build-system|project|tool[.]hatch)/ } on' pyproject.toml
READY := $(VENV)/.ready-$(shell ($(SECTIONS); cat constraints.txt; pwd -P) | cksum | cut -d ' ' -f 1)

# More processes than the expected two cores, because tests spend much time waiting in terminals.
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
