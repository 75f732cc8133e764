# Two commands: `make sync` publishes, `make test` checks. `make help` lists the rest.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STORE ?= hub-store
NAMESPACE ?= medimg
PORT ?= 8765
PORTAL_PORT ?= 8766
VIEWER := cards/portal/node_modules/.made
# What pip says of itself is nothing that the user of a command here asked for.
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

.PHONY: help sync hub portal shell test floor check peers bench golden mutants fuzz docs catalogue lock clean
help:
	@echo "make sync [SOURCE=<root>|official] [ONLY=\"hc18 lits\"] [HUB=<address>] [NAMESPACE=<org>] [STORE=<folder>]"
	@echo "make hub  [STORE=<folder>] [PORT=8765]   serve what was published"
	@echo "make portal [STORE=<folder>] [PORT=8766] [OUT=<folder>]   open the portal, or only write it"
	@echo "make shell                              a shell with python and medimg of .venv"
	@echo "make test                               run the tests"
	@echo "make floor                              the tests marked clients, with the oldest supported Hub clients"
	@echo "make check                              lint, types, generated files"
	@echo "make catalogue [FROM=../shared]         the table of all known datasets, from the lists that name them"
	@echo "make peers [ONLY=\"hc18 lits\"]           other projects' loaders read our miniatures"
	@echo "make bench [ONLY=\"2d-pil build-3d\"] [RUNS=5] [JSON=1]   speed and memory, as ratios; writes docs/performance.md"
	@echo "make fuzz [SECONDS=300] [SEED=0] [JSON=1]  requests of all kinds against every route of an embedded Hub"
	@echo "make golden [ONLY=\"hc18 lits\"] [UPDATE=1] [ROWS=1]  all that the builders give, against the record of it"
	@echo "make mutants [ONLY=\"hc18 rows.py\"] [ALL=1] [FRESH=1] [JSON=1]   small changes of the source that no test notices"

sync: $(VENV)/.sync $(VIEWER)
	@$(BIN)/medimg sync $(ONLY) --store "$(STORE)" --namespace "$(NAMESPACE)" \
	  $(if $(SOURCE),--source "$(SOURCE)") $(if $(HUB),--hub "$(HUB)")

hub: $(VENV)/.sync
	@$(BIN)/medimg hub --store "$(STORE)" --port $(PORT)

portal: $(VENV)/.sync $(VIEWER)
	@$(BIN)/medimg portal $(if $(wildcard $(STORE)),--store "$(STORE)") $(if $(OUT),--out "$(OUT)",--port $(PORTAL_PORT))

# The portal's volume viewer (and axe-core, for its tests) come from npm. Where npm is not there, the portal is whole
# but for that viewer, and says so.
$(VIEWER): cards/portal/package.json cards/portal/package-lock.json cards/portal/vendor.mjs
	@if command -v npm > /dev/null && npm ci --silent --prefix cards/portal && \
	    npm run --silent --prefix cards/portal vendor > /dev/null; then touch $@; \
	  else echo "the portal has no volume viewer: npm is not there, or did not get it" >&2; fi

shell: $(VENV)/.sync
	@PATH="$(CURDIR)/$(BIN):$$PATH" VIRTUAL_ENV="$(CURDIR)/$(VENV)" $${SHELL:-/bin/bash}

# The order is that of tests/conftest.py: what takes long begins first.
SPREAD := -n 2 --dist loadfile --no-loadscope-reorder
# TORCH=<version> also installs torch and torchdata and runs the training examples, which are skipped without it.
test: $(VENV)/.dev $(VIEWER)
	$(if $(TORCH),$(BIN)/python -m pip install -q --disable-pip-version-check torch==$(TORCH) torchdata)
	$(BIN)/python -m pytest $(SPREAD) $(PYTEST)

# The oldest supported clients of the Hub, as pyproject.toml names them, in an environment of their own. Where they do
# not get along with a locked version (LOOSE), pip chooses. Only what these clients decide is tested with them, the tests
# marked `clients`: uploads, copies, downloads, and what plain `datasets` reads. All else is the same code with either.
FLOOR := $(VENV)-floor
CLIENTS := datasets huggingface_hub
LOOSE := fsspec s3fs dill multiprocess typer
TRIED := $(addprefix tests/test_,$(addsuffix .py,hub load static_spaces sync sync_hub sync_faults fused))
floor: $(FLOOR)/.test
	$(FLOOR)/bin/python -m pip list --disable-pip-version-check | grep -E "^($(subst $() ,|,$(CLIENTS))) "
	$(FLOOR)/bin/python -m pytest $(SPREAD) -m clients $(TRIED) $(PYTEST)

$(FLOOR)/.test: pyproject.toml requirements.lock
	test -x $(FLOOR)/bin/python || $(PYTHON) -m venv $(FLOOR)
	grep -vE "^($(subst $() ,|,$(CLIENTS) $(LOOSE)))==" requirements.lock > $(FLOOR)/constraints.txt
	sed -nE 's/^  "($(subst $() ,|,$(CLIENTS)))>=([0-9.]+)".*/\1==\2/p' pyproject.toml >> $(FLOOR)/constraints.txt
	$(FLOOR)/bin/python -m pip install -q --disable-pip-version-check -c $(FLOOR)/constraints.txt -e ".[test]"
	@touch $@

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m medimg.hub_sync.docs.tables --check
	$(BIN)/python benchmarks/run.py --check
	# Type checkers do not follow the package-dir mapping, so an installed copy is checked.
	rm -rf build/types && $(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --target build/types .
	cd build/types && ../../$(BIN)/python -m mypy --config-file ../../pyproject.toml -p medimg

docs: $(VENV)/.sync
	$(BIN)/python -m medimg.hub_sync.docs.tables

# The catalogue's vendored table and ledger, from the folder of the lists.
FROM ?= ../shared
catalogue: $(VENV)/.sync
	$(BIN)/python -m medimg.catalogue.making --from "$(FROM)"

# Other projects' loaders read our miniatures, in an environment of their own; writes docs/peers.md.
peers: $(VENV)-peers/.done
	TQDM_DISABLE=1 $(VENV)-peers/bin/python tests/peers/run.py $(or $(ONLY),--table docs/peers.md)

# torch comes first: nothing after it may bring another one, so the peers come without their dependencies.
$(VENV)-peers/.done: pyproject.toml requirements.lock tests/peers/requirements.txt tests/peers/peers.txt
	$(PYTHON) -m venv $(VENV)-peers
	$(VENV)-peers/bin/python -m pip install -q --disable-pip-version-check torch==2.13.0
	$(VENV)-peers/bin/python -m pip install -q --disable-pip-version-check -c requirements.lock -e ".[all]" -r tests/peers/requirements.txt
	$(VENV)-peers/bin/python -m pip install -q --disable-pip-version-check --no-deps -r tests/peers/peers.txt
	@touch $@

# Speed, requests and memory beside other loaders, in an environment of their own; all figures together write docs/performance.md.
bench: $(VENV)-bench/.done
	HF_UPDATE_DOWNLOAD_COUNTS=0 HF_HUB_DISABLE_PROGRESS_BARS=1 HF_DATASETS_DISABLE_PROGRESS_BARS=1 \
	  $(VENV)-bench/bin/python benchmarks/run.py $(ONLY) $(if $(RUNS),--runs $(RUNS)) $(if $(JSON),--json)

$(VENV)-bench/.done: pyproject.toml requirements.lock benchmarks/requirements.txt benchmarks/peers.txt
	$(PYTHON) -m venv $(VENV)-bench
	$(VENV)-bench/bin/python -m pip install -q torch==2.13.0
	$(VENV)-bench/bin/python -m pip install -q -c requirements.lock -e ".[all]" -r benchmarks/requirements.txt
	$(VENV)-bench/bin/python -m pip install -q --no-deps -r benchmarks/peers.txt
	@touch $@

# Which mistakes the tests would not notice: half an hour on two cores, and an interrupted run goes on where it was.
mutants: $(VENV)/.dev
	$(BIN)/python tests/mutants/run.py $(ONLY) $(if $(ALL),--all) $(if $(FRESH),--fresh) $(if $(JSON),--json)

# Rows, skipped files, manifests and cards of every miniature against tests/golden.jsonl.
golden: $(VENV)/.dev
	$(BIN)/python tests/golden.py $(ONLY) $(if $(UPDATE),--update) $(if $(ROWS),--rows)

# Requests of all kinds against every route of an embedded Hub, in a process of its own.
SEED ?= 0
fuzz: $(VENV)/.dev
	$(BIN)/python tests/fuzz/fuzz_hub.py --seconds $(or $(SECONDS),300) --seed $(SEED) $(if $(JSON),--json)

# The environment. Only a change of the declared or locked dependencies installs anew.
$(VENV)/bin/python:
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.sync: pyproject.toml requirements.lock | $(VENV)/bin/python
	@echo "installing medimg and what it needs into $(VENV), once"
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c requirements.lock -e ".[all]"
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
	rm -rf $(VENV) $(VENV)-* hub-store build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
