# Two commands: `make sync` publishes, `make test` checks. `make help` lists the rest.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STORE ?= hub-store
NAMESPACE ?= medimg
PORT ?= 8765

.PHONY: help sync hub test check docs lock clean
help:
	@echo "make sync [SOURCE=<root>|official] [ONLY=\"hc18 lits\"] [HUB=<address>] [NAMESPACE=<org>] [STORE=<folder>]"
	@echo "make hub  [STORE=<folder>] [PORT=8765]   serve what was published"
	@echo "make test                               run the tests"
	@echo "make check                              lint, types, generated files"

sync: $(VENV)/.sync
	$(BIN)/medimg sync $(ONLY) --store "$(STORE)" --namespace "$(NAMESPACE)" \
	  $(if $(SOURCE),--source "$(SOURCE)") $(if $(HUB),--hub "$(HUB)")

hub: $(VENV)/.sync
	$(BIN)/medimg hub --store "$(STORE)" --port $(PORT)

# TORCH=<version> also installs torch and runs the training examples, which are skipped without it.
test: $(VENV)/.dev
	$(if $(TORCH),$(BIN)/python -m pip install -q --disable-pip-version-check torch==$(TORCH))
	$(BIN)/python -m pytest -n 2 --dist loadfile $(PYTEST)

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m medimg.hub_sync.tables --check
	# Type checkers do not follow the package-dir mapping, so an installed copy is checked.
	rm -rf build/types && $(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --target build/types .
	cd build/types && ../../$(BIN)/python -m mypy --config-file ../../pyproject.toml -p medimg

docs: $(VENV)/.sync
	$(BIN)/python -m medimg.hub_sync.tables

# The environment. Only a change of the declared or locked dependencies installs anew.
$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.sync: pyproject.toml requirements.lock | $(VENV)/bin/python
	$(BIN)/python -m pip install -q --disable-pip-version-check -c requirements.lock -e ".[all]"
	@touch $@

$(VENV)/.dev: pyproject.toml requirements.lock $(VENV)/.sync
	$(BIN)/python -m pip install -q --disable-pip-version-check -c requirements.lock -e ".[dev]"
	@touch $@

# Plain name==version pins, without addresses.
lock:
	rm -rf $(VENV)-lock && $(PYTHON) -m venv $(VENV)-lock
	$(VENV)-lock/bin/python -m pip install -q --disable-pip-version-check -e ".[dev]"
	$(VENV)-lock/bin/python -m pip freeze --exclude-editable > requirements.lock
	rm -rf $(VENV)-lock

clean:
	rm -rf $(VENV) hub-store build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
