# Two commands: `make demo` shows the main job on a Prefect of its own, `make test` passes all tests. Both set up what
# they need. Environments are top-level folders, because Fivetran's CLI knows virtual environments only there.

PYTHON ?= python3
# Prefect has an environment, and where it must an interpreter, of its own: Prefect 2 does not install on every Python.
PREFECT_PYTHON ?= $(PYTHON)
# How many tests run at a time.
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup demo test reliability bench lint validate generate lock clean

help: ## list these targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 20

setup: ## make the environments, once
	@$(MAKE) --no-print-directory --jobs 3 .venv/.done .venv-prefect-3/.done .venv-prefect-2/.done

demo: .venv/.done .venv-prefect-3/.done ## show the main job on an embedded Prefect 3
	@.venv/bin/python -m dev.demo

test: setup ## run all tests
	@.venv/bin/python -m pytest --numprocesses $(WORKERS) --dist loadgroup --no-loadscope-reorder $(ARGS)

reliability: setup ## run the tests that count what was tried and lost, and write docs/reliability.md
	@.venv/bin/python -m pytest --numprocesses $(WORKERS) --dist loadgroup --no-loadscope-reorder --reliability $(ARGS)

bench: .venv/.done .venv-prefect-3/.done .venv-bench/.done ## measure the engine, and write docs/performance.md
	@.venv/bin/python -m dev.benchmarks $(ARGS)

lint: .venv/.done ## ruff and mypy
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

validate: .venv/.done ## check streams.yaml and the generated files
	.venv/bin/python -m engine validate
	.venv/bin/python -m engine generate --check

generate: .venv/.done ## write the generated files anew
	.venv/bin/python -m engine generate

lock: .venv/.done ## write tests/requirements.txt anew, from tests/requirements.in and pyproject.toml
	.venv/bin/uv pip compile --quiet --universal --python-version 3.10 --generate-hashes --no-header --no-annotate \
	  --no-emit-index-url tests/requirements.in pyproject.toml --output-file tests/requirements.txt

clean: ## remove the environments and what a sync wrote here
	rm -rf .venv .venv-prefect-2 .venv-prefect-3 .venv-bench files crash-reports .mypy_cache .pytest_cache .ruff_cache .hypothesis

# $(call environment,FOLDER,INTERPRETER,WHAT pip INSTALLS,WORDS): .done is written last, so that an interrupted
# installation is begun anew.
define environment
@$(2) -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null || \
  { echo "$(2) is not Python 3.10 or newer; name one: make PYTHON=python3.12" >&2; exit 1; }
@$(2) -c 'import ensurepip, venv' 2>/dev/null || \
  { echo "$(2) cannot make virtual environments; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
@echo "Installing $(4) into $(1) ..."
@rm -rf $(1)
@$(2) -m venv $(1)
@$(1)/bin/python -m pip install --quiet --disable-pip-version-check $(3)
@touch $(1)/.done
endef

.venv/.done: tests/requirements.txt
	$(call environment,.venv,$(PYTHON),--require-hashes -r $<,the connector's needs and tools)

.venv-prefect-3/.done: dev/testbed/requirements-prefect-3.txt
	$(call environment,.venv-prefect-3,$(PREFECT_PYTHON),-r $<,Prefect 3)

.venv-prefect-2/.done: dev/testbed/requirements-prefect-2.txt
	$(call environment,.venv-prefect-2,$(PREFECT_PYTHON),-r $<,Prefect 2)

.venv-bench/.done: dev/benchmarks/requirements-peers.txt
	$(call environment,.venv-bench,$(PYTHON),-r $<,the tools that the engine is compared with)
