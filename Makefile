# Every target creates or updates the virtual environment that it needs.

PYTHON ?= python3
BIN := .venv/bin
SOURCES := __main__.py components callroute policy tests benchmarks

.PHONY: demo test check format lint types flows docs package bench faults lock clean help

help:  ## Show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 10

demo: .venv/.local  ## Run simulated callers through the whole system on this machine
	@$(BIN)/callroute demo

test: .venv/.dev  ## Run the tests
	@# Many tests wait for an emulator, so four workers are faster than two even on two cores.
	@# The workers take the files in the order of tests/conftest.py.
	@$(BIN)/python -m pytest --numprocesses 4 --dist loadfile --no-loadscope-reorder

check: lint types docs flows test package  ## Run everything that CI runs

format: .venv/.dev  ## Format the sources and fix what ruff can fix
	@$(BIN)/ruff format $(SOURCES)
	@$(BIN)/ruff check --fix $(SOURCES)

lint: .venv/.dev  ## Check format, lint rules and workflows
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/actionlint -shellcheck $(BIN)/shellcheck -pyflakes ""
	@$(BIN)/zizmor --offline --strict-collection --collect=all --persona=auditor --no-progress --quiet .github

types: .venv/.dev  ## Check types
	@$(BIN)/mypy

docs: .venv/.dev  ## Check that the generated parts of the documentation are up to date
	@$(BIN)/cog --check README.md README.ja.md

flows: .venv/.dev  ## Check the flows in flow_definitions/
	@$(BIN)/callroute check flow_definitions

package: .venv/.dev  ## Build the wheel and the sdist, and try the wheel in an empty virtual environment
	@CALLROUTE_TEST_INSTALL=1 $(BIN)/python -m pytest tests/packaging

bench: .venv/.dev  ## Measure the figures in docs/benchmarks.md
	@$(BIN)/python -m benchmarks

faults: .venv/.dev  ## Play a campaign of faults against the local chain (docs/benchmarks.md)
	@$(BIN)/python -m tests.faults $(ARGS)

# uv resolves for every supported Python and platform at once. pip, which installs, checks the hashes.
COMPILE := UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --universal \
	--python-version 3.11 --generate-hashes --no-annotate pyproject.toml requirements/build.in
lock: .venv/.dev  ## Update the locked dependencies in requirements/
	$(COMPILE) --upgrade --all-extras requirements/dev.in --output-file requirements/dev.txt
	$(COMPILE) --extra local --constraints requirements/dev.txt --output-file requirements/local.txt
	$(COMPILE) --extra pulumi --extra policy --constraints requirements/dev.txt --output-file requirements/deploy.txt

clean:  ## Remove the virtual environment, build results and caches
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.created:
	@# Newer versions of Python have no wheels yet for some of the locked libraries.
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' \
		|| { echo "$$($(PYTHON) --version) is not supported. Use Python 3.11 to 3.14, for example: make PYTHON=python3.12 demo" >&2; exit 1; }
	@echo "Creating .venv …" >&2
	@$(PYTHON) -m venv .venv
	@touch $@

# pip cannot check hashes of an editable install, so the project itself follows in a second step, without dependencies.
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
.venv/.%: requirements/%.txt pyproject.toml | .venv/.created
	@echo "Installing $< …" >&2
	@$(INSTALL) --require-hashes --requirement $<
	@$(INSTALL) --no-deps --no-build-isolation --editable .
	@touch $@
	@# The development environment contains everything that the local cloud needs.
	@if [ $* = dev ]; then touch .venv/.local; fi
