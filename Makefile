# Every target stands on .venv, which is made from the locks with nothing but Python 3.11+ (uv is used where it is at hand).
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help run test check bench faults fuzz lock clean

help: ## Show what there is to make
	@grep -hE '^[a-z-]+:.*## ' Makefile | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

run: .venv/run.stamp ## Start the whole console on this machine; Ctrl-C stops it
	@exec $(PYTHON) -m deploy

test: .venv/test.stamp check ## Lint, types, layering and all tests, with branch coverage
	@$(PYTHON) -m tests.chromium
	$(PYTHON) -m coverage erase
	$(PYTHON) -m coverage run -m pytest --numprocesses 2 --dist loadfile
	$(PYTHON) -m coverage combine --quiet
	$(PYTHON) -m coverage report

check: .venv/test.stamp ## Lint, types and layering only
	@$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	$(PYTHON) -m pytest -q tests/test_layering.py

bench: .venv/test.stamp ## Measure speed (ONLY=ingest|page_data|pages|jobs|ai|analyses|sitewide|ask, SIZE=1000000) into build/bench.json
	@$(PYTHON) -m tests.chromium
	$(PYTHON) -m tests.benchmarks $(ONLY)

faults: .venv/test.stamp ## Hurt every part under load, in full (ONLY=kills|redis|postgres|lease|rolling|poison|hosts|million, SEED=20261), into build/faults.json
	@FAULTS=full $(PYTHON) -m tests.faults $(ONLY)

fuzz: .venv/test.stamp ## Send damaged and invented traces (FUZZ_S=600 seconds): no crash, no 500, no growth
	@$(PYTHON) -m tests.fuzz

lock: .venv/test.stamp ## Resolve requirements.txt and tests/requirements.txt into their locks
	@for lock in requirements tests/requirements; do
		$(PYTHON) -m uv pip compile $$lock.txt --universal --python-version 3.11 --generate-hashes \
			--no-header --no-annotate --no-emit-index-url --quiet --output-file $$lock.lock
	done

clean: ## Remove the environment, caches and build results; the data folder stays
	@rm -rf .venv build htmlcov .coverage .coverage.* .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/run.stamp: requirements.lock
	@$(call install,requirements.lock)

.venv/test.stamp: tests/requirements.lock
	@$(call install,tests/requirements.lock)
	touch .venv/run.stamp

# Hashes are required and the lock is whole, so nothing but what was locked gets in. Byte-compiling is left to first use.
define install
	python=""
	for candidate in python3.13 python3.12 python3.11 python3 python; do
		if command -v $$candidate >/dev/null && $$candidate -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; then
			python=$$candidate
			break
		fi
	done
	if [ -z "$$python" ]; then
		echo "Binnacle needs Python 3.11, 3.12 or 3.13 on PATH; found none." >&2
		exit 2
	fi
	echo "Installing $(1) into .venv …"
	if command -v uv >/dev/null; then
		[ -x $(PYTHON) ] || uv venv --quiet --seed --python "$$(command -v $$python)" .venv
		uv pip install --quiet --python $(PYTHON) --require-hashes --no-deps -r $(1)
	else
		[ -x $(PYTHON) ] || $$python -m venv .venv || { rm -rf .venv; echo "This Python cannot make an environment: install its 'venv' module." >&2; exit 2; }
		$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes --no-deps -r $(1)
	fi
	touch $@
endef
