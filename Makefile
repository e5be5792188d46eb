.DEFAULT_GOAL := help
.PHONY: help run bootstrap run-api refresh serve simulator tests lint format bench bench-refresher bench-catalogue bench-walk proofs fuzz chaos dump openapi lock clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What is started finds the environment's programs first, and its output is seen at once.
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHONUNBUFFERED := 1

help: ## Lists the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: export OFFERS_MS_ADDRESS := $(or $(OFFERS_MS_ADDRESS),http://127.0.0.1:$(or $(SIMULATOR_PORT),6607)/api/v1)
run: export API_PORT := $(PORT)# honcho gives every process a PORT of its own choice
run: bootstrap ## Starts simulator, API and refresher together, with demo products; Ctrl-C stops all
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

run-api: bootstrap ## The API on Flask's development server
	productator migrate --wait 30
	exec productator serve --development

refresh: bootstrap ## The refresher
	productator migrate --wait 30
	exec python -m refresher

serve: bootstrap ## The API under uWSGI, as in production
	productator migrate --wait 30
	exec productator serve

simulator: bootstrap ## The stand-in for the Offers service
	exec python -m simulator

tests: bootstrap ## The whole test suite, on every database that can be had
	pytest

lint: bootstrap ## Format check, linter, types
	ruff format --check .
	ruff check .
	lint-imports --no-logo
	mypy

format: bootstrap ## Formats the code
	ruff format .
	ruff check --fix .

bench: bench-refresher ## All benchmarks that take minutes only

bench-refresher: bootstrap ## How fast the refresher is, on MariaDB, beside the obvious loops
	python -m lab.benchmarks.refresher compare

bench-catalogue: bootstrap ## Plans and times of lists, searches and reads among a million products in DATABASE_URL
	python -m lab.benchmarks.catalogue --database-url "$(DATABASE_URL)"

bench-walk: bootstrap ## Walks all pages of 100,000 products in DATABASE_URL while others come and go
	python -m lab.benchmarks.walk --database-url "$(DATABASE_URL)"

proofs: bootstrap ## What the API promises, put to the proof at length: writers, keys, stops
	python -m lab.proofs writers
	python -m lab.proofs keys
	python -m lab.proofs stops

EXAMPLES ?= 400
CASES ?= 20000
fuzz: bootstrap ## Schemathesis against the running API; EXAMPLES=50 CASES=1000 for a shorter run
	python -m lab.proofs fuzz --examples $(EXAMPLES) --cases $(CASES)

CHAOS ?=
chaos: bootstrap ## Kills refreshers and the database again and again, with every fault of the service; some ten minutes
	python -m lab.chaos $(CHAOS)

dump: bootstrap ## Rewrites dump.sql from the models
	productator dump > dump.sql.new
	mv dump.sql.new dump.sql

openapi: bootstrap ## Writes the API's OpenAPI document to var/openapi.json
	@mkdir -p var
	productator openapi > var/openapi.json.new
	mv var/openapi.json.new var/openapi.json

LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
lock: bootstrap ## Pins the newest versions of all dependencies, with hashes
	$(LOCK) --upgrade requirements-build.in -o requirements-build.txt
	$(LOCK) --upgrade requirements.in -o requirements.txt
	$(LOCK) --upgrade -c requirements.txt requirements-simulator.in -o requirements-simulator.txt
	$(LOCK) --upgrade -c requirements.txt -c requirements-simulator.txt requirements-dev.in -o requirements-dev.txt

clean: ## Removes the environment and the embedded database
	rm -rf $(VENV) var
