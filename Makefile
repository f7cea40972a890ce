# Every target sets up the virtual environments that it needs; where they stand already that takes no time.

PYTHON ?= python3
BIN := .venv/bin
SOURCES := __main__.py components callroute policy tests benchmarks

.PHONY: demo test check format lint types flows bench lock clean help

help:  ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 10

demo: .venv/.local  ## simulated callers through the whole chain on this machine
	@$(BIN)/python -m callroute demo

test: .venv/.dev policy/.venv/.made  ## all tests
	@# Many tests wait for an emulator, so that more workers than cores pay.
	@$(BIN)/python -m pytest --numprocesses 4 --dist loadfile

check: lint types flows test  ## what CI runs: format, lint, types, our own flows, tests

format: .venv/.dev  ## formats the sources
	@$(BIN)/ruff format $(SOURCES)
	@$(BIN)/ruff check --fix $(SOURCES)

lint: .venv/.dev
	@$(BIN)/ruff format --check $(SOURCES)
	@$(BIN)/ruff check $(SOURCES)
	@$(BIN)/actionlint -shellcheck $(BIN)/shellcheck -pyflakes ""
	@$(BIN)/zizmor --offline --strict-collection --collect=all --persona=auditor --no-progress --quiet .github

types: .venv/.dev
	@$(BIN)/mypy

flows: .venv/.dev
	@$(BIN)/python -m callroute check flow_definitions/*.json

bench: .venv/.dev policy/.venv/.made  ## measures the numbers that docs/benchmarks.md quotes
	@$(BIN)/python -m benchmarks

# uv resolves for every supported Python and platform at once; pip, which installs, checks the hashes.
COMPILE := UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --universal \
	--python-version 3.10 --generate-hashes --no-annotate
lock: .venv/.dev  ## resolves requirements/*.in anew
	$(COMPILE) --upgrade requirements/dev.in --output-file requirements/dev.txt
	$(COMPILE) requirements/local.in --constraints requirements/dev.txt --output-file requirements/local.txt
	$(COMPILE) requirements/policy.in --constraints requirements/dev.txt --output-file requirements/policy.txt
	$(COMPILE) requirements/deploy.in --constraints requirements/dev.txt --output-file requirements/deploy.txt

clean:  ## removes the virtual environments and all caches
	rm -rf .venv policy/.venv .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.created:
	@# The locked libraries have nothing to install for a Python that came out after them.
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 15))' \
		|| { echo "$$($(PYTHON) --version) will not do: Python 3.10 to 3.14 is needed (make PYTHON=python3.12 …)" >&2; exit 1; }
	@echo "Setting up .venv …" >&2
	@$(PYTHON) -m venv .venv
	@touch $@

.venv/.local: requirements/local.txt | .venv/.created
	@echo "Installing requirements/local.txt …" >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@touch $@

.venv/.dev: requirements/dev.txt | .venv/.created
	@echo "Installing requirements/dev.txt …" >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@touch $@ .venv/.local

# The policy pack's own, which PulumiPolicy.yaml names: made anew, so that it holds what is locked and nothing else.
policy/.venv/.made: requirements/policy.txt | .venv/.created
	@echo "Setting up policy/.venv …" >&2
	@$(BIN)/python -m venv --clear policy/.venv
	@policy/.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@touch $@
