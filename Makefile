# Two commands: `make demo` shows the main job on an embedded Prefect, `make test` passes all tests. Both set up what they
# need. Environments are top-level folders, the only place where Fivetran's CLI recognizes virtual environments.

PYTHON ?= python3
# Prefect has an environment of its own, and an interpreter of its own if need be: Prefect 2 does not install on every
# Python. dbt, which is as slow to support the newest Python, runs on the same.
PREFECT_PYTHON ?= $(PYTHON)
UV_VERSION = 0.13.9
# How many tests run at a time. Those that need no Prefect wait more than they compute.
WORKERS ?= 3
UNIT_WORKERS ?= 6
PYTEST = .venv/bin/python -m pytest --dist loadgroup --no-loadscope-reorder
# Those that need neither the Connector SDK nor a server.
ENGINE_TESTS = tests/fuzz tests/http tests/pagination tests/reading tests/rows tests/spec tests/state tests/sync
ENVIRONMENTS = .venv/.done .venv-prefect-3/.done .venv-prefect-2/.done .venv-dbt/.done

# Compiled modules are kept, so that the thousand processes of the tests do not compile them again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo report unit fuzz test test-lowest test-highest test-versions test-spark test-models environments coverage reliability bench comparison lint validate generate lock clean

help: ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

setup: .venv/.done ## create .venv: the connector's dependencies and tools

demo: ## show the main job on an embedded Prefect 3
	@$(MAKE) --no-print-directory --jobs 3 .venv/.done .venv-prefect-3/.done .venv-dbt/.done
	@.venv/bin/python -m dev.demo

report: .venv/.done .venv-dbt/.done ## write files/report.html from a warehouse: make report ARGS="--warehouse FILE"
	@.venv/bin/python -m engine report $(ARGS)

unit: setup ## run the tests that need no Prefect, with a fortieth of the random cases
	@.venv/bin/python -m pytest --forks $(UNIT_WORKERS) --quick -m "not prefect and not dbt" $(ARGS)

fuzz: setup ## try many more damaged inputs of each parser, and hostile servers, than the other tests do
	@$(PYTEST) --numprocesses $(WORKERS) --times 20 tests/fuzz tests/hostile/test_hostile.py $(ARGS)

test: environments ## run all tests, on real Prefect 2 and 3 servers
	@$(PYTEST) --numprocesses $(WORKERS) --all $(ARGS)

test-lowest: .venv-lowest/.done ## run the engine's tests with the lowest versions that pyproject.toml allows
	@.venv-lowest/bin/python -m pytest --quick -m "not prefect" $(ENGINE_TESTS) $(ARGS)

test-highest: .venv-highest/.done ## run the engine's tests with the highest versions that pyproject.toml allows
	@.venv-highest/bin/python -m pytest --quick -m "not prefect" $(ENGINE_TESTS) $(ARGS)

# One server at a time. Python 3.11 runs every release: make test-versions PREFECT_PYTHON=python3.11
test-versions: setup ## sync every table of many releases of Prefect, and write docs/compatibility.md
	@PREFECT_PYTHON="$(PREFECT_PYTHON)" .venv/bin/python -m pytest -p no:xdist --versions $(or $(VERSIONS),all) tests/versions $(ARGS)

# On a real Prefect 3. With ARGS=--record, it writes the figures of docs/scale.md.
test-spark: .venv/.done .venv-prefect-3/.done .venv-spark/.done ## run the tests of spark/, on Spark 4; minutes
	@command -v java >/dev/null || { echo "Spark needs Java 17; on Debian and Ubuntu: apt install openjdk-17-jre-headless" >&2; exit 1; }
	@.venv-spark/bin/mypy spark tests/spark/*.py
	@.venv-spark/bin/python -m pytest tests/spark $(ARGS)

test-models: environments ## build the dbt package on a history of 200,000 flow runs, in DuckDB and PostgreSQL
	@.venv/bin/python -m pytest -p no:xdist -s --runs $(or $(RUNS),200000) tests/dbt/test_package.py -k long_history $(ARGS)

environments:
	@$(MAKE) --no-print-directory --jobs 3 $(ENVIRONMENTS)

coverage: environments ## run all tests and print branch coverage
	@$(PYTEST) --numprocesses $(WORKERS) --all --cov --cov-report=term:skip-covered $(ARGS)

reliability: environments ## run the tests that count failure scenarios, and write docs/reliability.md
	@$(PYTEST) --numprocesses $(WORKERS) --all --reliability $(ARGS)

bench: .venv/.done .venv-prefect-3/.done .venv-bench/.done ## measure the engine, and write docs/performance.md
	@.venv/bin/python -m dev.benchmarks $(ARGS)

comparison: .venv/.done .venv-bench/.done ## let other tools read the examples' APIs, and write docs/comparison.md
	@.venv/bin/python -m dev.comparison $(ARGS)

lint: setup ## ruff and mypy
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

validate: setup ## validate streams.yaml, and check that the generated files are fresh
	.venv/bin/python -m engine validate
	.venv/bin/python -m engine generate --check

generate: setup ## rewrite the generated files
	.venv/bin/python -m engine generate

# Followed by the oldest Python.
LOCK = .venv-uv/bin/uv pip compile --quiet --universal --generate-hashes --no-header --no-annotate --no-emit-index-url \
	  --python-version

lock: .venv-uv/.done ## resolve each requirements.in, and pyproject.toml, into a requirements.txt with hashes
	$(LOCK) 3.10 tests/requirements.in pyproject.toml --output-file tests/requirements.txt
	$(LOCK) 3.10 dev/testbed/requirements-prefect-3.in --output-file dev/testbed/requirements-prefect-3.txt
	$(LOCK) 3.10 dev/testbed/requirements-prefect-2.in --output-file dev/testbed/requirements-prefect-2.txt
	$(LOCK) 3.11 spark/requirements.in pyproject.toml --output-file spark/requirements.txt
	$(LOCK) 3.10 dbt/requirements.in --output-file dbt/requirements.txt
	$(LOCK) 3.10 --no-deps dbt/requirements-dialects.in --output-file dbt/requirements-dialects.txt

clean: ## remove the environments and what a sync wrote here
	rm -rf .venv .venv-uv .venv-prefect-* .venv-lowest .venv-highest .venv-bench .venv-dbt .venv-spark dbt/target dbt/logs files crash-reports .coverage .mypy_cache .pytest_cache \
	  .ruff_cache .hypothesis

# $(call environment,FOLDER,INTERPRETER,WHAT uv INSTALLS,WORDS): .done is written last, so an interrupted installation
# starts over.
define environment
@$(2) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || \
  { echo "$(2) is not Python 3.10 or newer; name one: make PYTHON=python3.12" >&2; exit 1; }
@echo "Installing $(4) into $(1) ..."
@rm -rf $(1)
@.venv-uv/bin/uv venv --quiet --seed --python "$$(command -v $(2))" $(1)
@.venv-uv/bin/uv pip install --quiet --python $(1)/bin/python $(3)
@touch $(1)/.done
endef

# uv makes the environments, ten times as fast as pip; pip installs uv.
.venv-uv/.done:
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "$(PYTHON) cannot create virtual environments; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@rm -rf .venv-uv
	@$(PYTHON) -m venv .venv-uv
	@.venv-uv/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@

.venv/.done: tests/requirements.txt | .venv-uv/.done
	$(call environment,.venv,$(PYTHON),--require-hashes -r $<,the connector's dependencies and tools)

# The tools come from tests/requirements.in, at their versions.
ENGINE_TOOLS = $(shell sed -nE 's/^((pytest|hypothesis|duckdb|jsonschema)==[^ ]+).*/\1/p' tests/requirements.in)

.venv-lowest/.done .venv-highest/.done: .venv-%/.done: pyproject.toml tests/requirements.in | .venv-uv/.done
	$(call environment,.venv-$*,$(PYTHON),--resolution $(if $(filter lowest,$*),lowest-direct,highest) \
	  --group preinstalled -r pyproject.toml $(ENGINE_TOOLS),the $* versions that pyproject.toml allows)

.venv-prefect-3/.done: dev/testbed/requirements-prefect-3.txt | .venv-uv/.done
	$(call environment,.venv-prefect-3,$(PREFECT_PYTHON),--require-hashes -r $<,Prefect 3)

.venv-prefect-2/.done: dev/testbed/requirements-prefect-2.txt | .venv-uv/.done
	$(call environment,.venv-prefect-2,$(PREFECT_PYTHON),--require-hashes -r $<,Prefect 2)

.venv-dbt/.done: dbt/requirements.txt dbt/requirements-dialects.txt | .venv-uv/.done
	$(call environment,.venv-dbt,$(PREFECT_PYTHON),--require-hashes --no-deps $(patsubst %,-r %,$(filter %.txt,$^)),dbt and the \
	  tools of reports)

# Spark 4.3 needs Python 3.11.
.venv-spark/.done: spark/requirements.txt | .venv-uv/.done
	$(call environment,.venv-spark,$(PYTHON),--require-hashes -r $<,Spark)

.venv-bench/.done: dev/benchmarks/requirements-peers.txt | .venv-uv/.done
	$(call environment,.venv-bench,$(PYTHON),-r $<,the tools that the engine is compared with)
