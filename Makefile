# Every target sets up what it needs; the only requirements are make and Python 3.12 or newer.
#   make test PYTHON=/path/to/python3.13        chooses another interpreter
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOWEST := .venv-lowest

# Tests are shared among the cores; one that is done takes work over from the others.
SHARED := --numprocesses auto --maxprocesses 4 --dist worksteal

# Wheels only: nothing here may need a compiler.
PIP_FLAGS := --quiet --quiet --disable-pip-version-check --only-binary :all:

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow test-lowest docs coverage wheel lint format clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.stamp-run ## fit cbpp by maximum likelihood, sample its posterior, compare the two
	@$(BIN)/python -m mixedlm_pt.demo

test: lint ## lint, then the tests (without the slow ones)
	$(BIN)/pytest $(SHARED)

test-slow: $(VENV)/.stamp-dev ## recovery simulations and sampling runs
	$(BIN)/pytest -m slow

test-lowest: $(LOWEST)/.stamp ## the tests with the oldest dependencies that pyproject.toml allows
	$(LOWEST)/bin/pytest $(SHARED)

docs: $(VENV)/.stamp-docs ## the documentation, with outputs of all its code: docs/_build/html/index.html
	$(BIN)/python -m sphinx -b html --fail-on-warning docs docs/_build/html

coverage: $(VENV)/.stamp-dev ## which lines and branches the tests run: docs/coverage.md
	$(BIN)/pytest $(SHARED) --cov --cov-report=json:$(VENV)/coverage.json
	$(BIN)/python tests/coverage_page.py $(VENV)/coverage.json docs/coverage.md

wheel: $(VENV)/.stamp-dev ## sdist and wheel, in dist/
	rm -rf dist
	$(BIN)/python -m build --outdir dist .

lint: $(VENV)/.stamp-dev ## ruff, mypy --strict, import-linter
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.stamp-dev ## sort imports, mend what ruff can mend, format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean: ## remove the virtual environments and the tools' caches
	rm -rf $(VENV) $(LOWEST) dist docs/_build docs/notebooks .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

# What running needs; the developer's tools come on top, so that `make demo` does not wait for them.
$(VENV)/.stamp-run: pyproject.toml
	$(call venv,$(VENV))
	@echo "Installing mixedlm_pt into $(VENV) (once, about a minute) ..."
	@$(BIN)/python -m pip install $(PIP_FLAGS) --editable .
	@touch $@

$(VENV)/.stamp-dev: pyproject.toml
	$(call venv,$(VENV))
	@echo "Installing mixedlm_pt and its development tools into $(VENV) (once, a minute or two) ..."
	@$(BIN)/python -m pip install $(PIP_FLAGS) --editable '.[dev]'
	@touch $@ $(VENV)/.stamp-run

$(VENV)/.stamp-docs: pyproject.toml
	$(call venv,$(VENV))
	@echo "Installing mixedlm_pt and what builds its documentation into $(VENV) (once, a minute or two) ..."
	@$(BIN)/python -m pip install $(PIP_FLAGS) --editable '.[docs]'
	@touch $@ $(VENV)/.stamp-run

$(LOWEST)/.stamp: pyproject.toml
	$(call venv,$(LOWEST))
	@echo "Installing the lower bounds of pyproject.toml into $(LOWEST) (once, a minute or two) ..."
	@$(LOWEST)/bin/python -c "$$LOWER_BOUNDS" > $(LOWEST)/constraints.txt
	@$(LOWEST)/bin/python -m pip install $(PIP_FLAGS) --editable '.[plots,polars]' \
		pytest pytest-xdist hypothesis hatchling nbclient ipykernel \
		--constraint $(LOWEST)/constraints.txt
	@touch $@

define LOWER_BOUNDS
import tomllib
project = tomllib.load(open("pyproject.toml", "rb"))["project"]
extras = project["optional-dependencies"]
for bound in project["dependencies"] + extras["plots"] + extras["polars"]:
    print(bound.replace(">=", "=="))
endef
export LOWER_BOUNDS

# venv(directory): a virtual environment there, unless there is one.
define venv
@command -v $(PYTHON) > /dev/null || { echo "mixedlm_pt needs Python 3.12 or newer; there is no '$(PYTHON)' on the PATH."; exit 1; }
@$(PYTHON) -c 'import sys; v = sys.version.split()[0]; sys.version_info < (3, 12) and sys.exit("mixedlm_pt needs Python 3.12 or newer; $(PYTHON) is " + v + ". Try: make PYTHON=/path/to/python3.13")'
@test -x $(1)/bin/python || $(PYTHON) -m venv $(1)
endef
