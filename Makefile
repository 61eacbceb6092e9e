# Everything runs in .venv, made on first use; a second call finds it ready. Needs make and Python 3.11 or newer.

VENV := .venv
BIN := $(VENV)/bin
# Where to look for Python; `make PYTHON=/path/to/python3.12 test` says which one to take.
PYTHON ?= python3.13 python3.12 python3.11 python3.14 python3 python
TEST_ARGS ?=
TWINS ?=
BENCH_ARGS ?=
SUITE_ARGS ?=

INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

.PHONY: help demo test faults sklearn-suite distributed flavors mutations lint bench interop models-interop docs clean twins oldest

help:  ## Say what there is.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' $(MAKEFILE_LIST)

demo: $(VENV)/.demo  ## Fit, search, register and load models on real data; shows the record. About a minute the first time.
	$(BIN)/python examples/quickstart.py
	@echo "          (fitbook is $(BIN)/fitbook here)"

test: $(VENV)/.test  ## Run the whole test suite.
	$(BIN)/python -m pytest -n 2 $(TEST_ARGS)

faults: $(VENV)/.test  ## Faults at every place, 200 kill -9, 32 racing processes, 8,000 runs at once. Half an hour.
	FITBOOK_TEST_FAULTS=1 $(BIN)/python -m pytest -n 2 tests/faults tests/store/test_writers.py $(TEST_ARGS)

mutations: $(VENV)/.test  ## A million damaged pickles of models: each is refused or loaded. Quarter of an hour.
	FITBOOK_TEST_MUTATIONS=1000000 $(BIN)/python -m pytest tests/flavors/test_mutations.py $(TEST_ARGS)

twins: $(VENV)/.test  ## Run 65 scripts with and without autologging, on a full disk and with a locked store: equal output. Half an hour.
	$(BIN)/python tests/twins/twin.py $(TWINS)

sklearn-suite: $(VENV)/.test  ## scikit-learn's own tests, without and with autologging, case by case. Two hours; goes on where it was.
	$(BIN)/python -m fitbook.testing.suite_run .sklearn-suite $(SUITE_ARGS)

distributed: .venv-distributed/.made  ## Fits on real local clusters of Dask's and Ray's, in an environment of their own.
	.venv-distributed/bin/python -m pytest -o filterwarnings=default -s tests/distributed $(TEST_ARGS)

.venv-distributed/.made: $(VENV)/.made pyproject.toml constraints.txt
	$(BIN)/python -m venv .venv-distributed
	.venv-distributed/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
	  --editable . pytest pytest-timeout 'dask[distributed]' ray
	@touch $@

flavors: .venv-flavors/.made  ## Every flavor with its library, PyTorch too, and with the real MLflow, both ways. A large download.
	.venv-flavors/bin/python -m pytest -o filterwarnings=default tests/flavors $(TEST_ARGS)

.venv-flavors/.made: $(VENV)/.made pyproject.toml constraints.txt
	$(BIN)/python -m venv .venv-flavors
	.venv-flavors/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
	  --editable '.[test,torch]' 'mlflow==3.*' skops
	@touch $@

lint: $(VENV)/.test $(VENV)/.lint  ## Check style, types and layers.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.demo  ## Measure what recording costs; writes benchmarks/RESULTS.md.
	$(BIN)/python benchmarks/run.py $(BENCH_ARGS)

docs: $(VENV)/.demo  ## Write the pages that are made from the code.
	$(BIN)/python docs/generate.py

# MLFLOW=2 for MLflow 2; PEER=/path/to/python for one that is there already.
MLFLOW ?= 3
PEER ?= .venv-mlflow/$(MLFLOW)/bin/python

# The oldest have no wheels for newer Pythons.
OLDEST_PYTHON ?= python3.11
OLDEST_TESTS ?= tests

oldest: .venv-oldest/.test  ## Run the test suite with the oldest versions of everything that pyproject.toml allows. Needs Python 3.11.
	.venv-oldest/bin/python -m pytest -n 2 $(OLDEST_TESTS) $(TEST_ARGS)

.venv-oldest/.test: pyproject.toml constraints-oldest.txt
	$(OLDEST_PYTHON) -m venv --clear .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints-oldest.txt --editable '.[test]'
	@touch $@

interop: $(VENV)/.test $(PEER) models-interop  ## Imports and models, both ways, with the real MLflow 3 and 2.8. A quarter of an hour.
	$(BIN)/python tests/interop/compare_with_mlflow.py $(PEER)

# Both libraries run in these, so that they have one scikit-learn; MLflow 2.8 with that of its time.
models-interop: $(VENV)/.test .venv-mlflow/3/.models .venv-mlflow/2.8/.models  ## Models only, both ways, with the real MLflow 3 and 2.8.
	$(BIN)/python tests/interop/models_with_mlflow.py .venv-mlflow/3/bin/python
	$(BIN)/python tests/interop/models_with_mlflow.py .venv-mlflow/2.8/bin/python

NEEDED = wrapt lark tqdm skops

.venv-mlflow/3/.models: .venv-mlflow/3/bin/python
	$< -m pip install --quiet --disable-pip-version-check $(NEEDED) xgboost-cpu lightgbm
	@touch $@

.venv-mlflow/2.8/.models:
	$(OLDEST_PYTHON) -m venv .venv-mlflow/2.8
	.venv-mlflow/2.8/bin/python -m pip install --quiet --disable-pip-version-check 'mlflow==2.8.*' 'sqlalchemy<2.1' \
	  'scikit-learn==1.3.*' 'setuptools<81' $(NEEDED) 'xgboost-cpu<3' 'lightgbm<4.6'
	@touch $@

.venv-mlflow/$(MLFLOW)/bin/python:
	$(BIN)/python -m venv .venv-mlflow/$(MLFLOW)
	$@ -m pip install --quiet --disable-pip-version-check 'mlflow==$(MLFLOW).*' $(if $(filter 2,$(MLFLOW)),'sqlalchemy<2.1')

clean:  ## Remove the environment, caches and what building leaves.
	rm -rf $(VENV) .venv-distributed .venv-flavors .venv-mlflow .venv-oldest build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .sklearn-suite
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.demo: $(VENV)/.made pyproject.toml constraints.txt
	$(INSTALL) .
	@touch $@

$(VENV)/.test: $(VENV)/.made pyproject.toml constraints.txt
	$(INSTALL) '.[test]'
	@touch $@ $(VENV)/.demo

$(VENV)/.lint: $(VENV)/.made pyproject.toml constraints.txt
	$(INSTALL) '.[lint]'
	@touch $@

$(VENV)/.made:
	@for python in $(PYTHON); do \
	  if $$python -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "Making $(VENV) with $$($$python --version)"; \
	    $$python -m venv --clear $(VENV) && touch $@; exit; \
	  fi; \
	done; \
	echo "fitbook needs Python 3.11 or newer, with venv and ensurepip. Looked for: $(PYTHON)." >&2; \
	echo "Install one (on Debian and Ubuntu also its package python3-venv), or say where it is:" >&2; \
	echo "  make PYTHON=/path/to/python3.12 $(MAKECMDGOALS)" >&2; \
	exit 1
