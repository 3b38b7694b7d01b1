# Every target makes the environment it needs, from PYTHON; a second call finds it made and is quick.
PYTHON ?= python3
# What is imported is compiled when it is imported, and kept; pip would compile all of it, one file after the other.
PIP_FLAGS ?= -q --disable-pip-version-check --no-compile
unexport PYTHONDONTWRITEBYTECODE
PYTEST_FLAGS ?=
# Tests run side by side, as many as there are cores; WORKERS=0 for one after the other, as a debugger wants them.
WORKERS ?= auto
TORCH := torch==2.13.0

# Four environments: what a user has, what the tests need (no PyTorch) with the tools of lint, the same and PyTorch, and
# that of the benchmarks, with all peers. `make bench BENCH=.venv-live` makes do with PyTorch.
DEMO := .venv-demo
TEST := .venv
LIVE := .venv-live
BENCH ?= .venv-bench

.DEFAULT_GOAL := help
.PHONY: help demo test parity record lint bench environments clean

help: ## show this text
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 20

# The fast preset, so that CI has an answer in a minute; the time limit is for machines on which it would take three.
demo: $(DEMO)/.made ## train on the diamonds table from the command line and print the report
	$(DEMO)/bin/fanin train data/diamonds.csv.gz --target price --preset fast --time-limit 90s --out $(DEMO)/diamonds.fanin

test: $(TEST)/.made ## run every test, without PyTorch: parity is against recorded values
	$(TEST)/bin/python -m pytest -n $(WORKERS) --dist worksteal $(PYTEST_FLAGS)

parity: $(LIVE)/.made ## run what compares with PyTorch against PyTorch itself
	$(LIVE)/bin/python -m pytest -n $(WORKERS) --dist worksteal --live $(PYTEST_FLAGS)

record: $(LIVE)/.made ## record anew what PyTorch answers to the parity cases and programs
	$(LIVE)/bin/python -m tests.parity.torch_samples
	$(LIVE)/bin/python -m tests.parity.record
	$(LIVE)/bin/python -m tests.programs.record

lint: $(TEST)/.made ## check style, types and the rooms' imports
	$(TEST)/bin/ruff check .
	$(TEST)/bin/ruff format --check .
	$(TEST)/bin/mypy
	$(TEST)/bin/lint-imports

bench: $(BENCH)/.made ## run the benchmarks, beside PyTorch, JAX and scikit-learn
	@set -e; for program in benchmarks/*.py; do echo "== $$program"; $(BENCH)/bin/python $$program $(BENCH_FLAGS); done

environments: $(DEMO)/.made $(TEST)/.made $(LIVE)/.made ## make the environments of demo, test, parity and lint

clean: ## remove the environments
	rm -rf $(DEMO) $(TEST) $(LIVE) $(BENCH)

# Editable, so that an environment outlives changes of the source; it is made anew when the dependencies change.
define new_environment
	@echo "making $(@D) ($(1))"
	@$(PYTHON) -m venv --clear $(@D)
	@$(@D)/bin/pip install $(PIP_FLAGS) $(2)
	@touch $@
endef

$(DEMO)/.made: pyproject.toml
	$(call new_environment,fanin and what it needs,-e '.[tabular]')

$(TEST)/.made: pyproject.toml
	$(call new_environment,fanin with its tests and development tools,-e '.[dev]')

# PyTorch alone is added: for everything else, pip included, Python looks into the environment of the tests.
PACKAGES := -c 'import sysconfig; print(sysconfig.get_path("purelib"))'
$(LIVE)/.made: $(TEST)/.made
	@echo "making $(@D) ($(TORCH) beside the packages of $(TEST))"
	@$(PYTHON) -m venv --clear --without-pip $(@D)
	@echo "import site; site.addsitedir('$$($(TEST)/bin/python $(PACKAGES))')" > "$$($(@D)/bin/python $(PACKAGES))/tests.pth"
	@$(@D)/bin/python -m pip install $(PIP_FLAGS) $(TORCH) expecttest
	@touch $@

ifneq ($(BENCH),$(LIVE))
$(BENCH)/.made: pyproject.toml
	$(call new_environment,fanin beside its peers,-e '.[test]' $(TORCH) jax scikit-learn)
endif
