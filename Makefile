# From a fresh clone both `make demo` and `make test` do all the set-up: a virtual environment in .venv with
# the versions of docker/constraints.txt, which are the ones that were tested together.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO ?= demo
PYTEST_ARGS ?=

# Nothing may install or fetch anything while a command runs.
export YOLO_AUTOINSTALL := false
export YOLO_OFFLINE := true
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Links and pages that are not there are errors. The notice of the theme's successor is left out.
MKDOCS := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

.PHONY: demo test test-fast lint schemas docs constraints lock format bench clean install

demo: $(STAMP) ## The main job: a sample workspace, from its pack to a verified release bundle
	@test -f $(DEMO)/repath.toml || $(BIN)/repath init $(DEMO) --sample > /dev/null
	@$(BIN)/repath run --workspace $(DEMO)

# One process per core; the tests of a file stay together, since they share what is slow to make.
test: $(STAMP) ## The whole test suite, the slow tests too
	$(BIN)/python -m pytest -n auto --dist loadfile $(PYTEST_ARGS)

test-fast: $(STAMP) ## The tests that take seconds
	$(BIN)/python -m pytest -m "not slow" $(PYTEST_ARGS)

lint: $(STAMP) ## Style, types, floors between the rooms, published schemas, the guide
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/generate_schemas.py --check
	$(BIN)/mypy --strict docs/guide
	$(MKDOCS) --site-dir $(VENV)/site
	$(BIN)/nbstripout --verify notebooks/*.ipynb

schemas: $(STAMP) ## Write docs/schemas from the contracts
	$(BIN)/python docs/generate_schemas.py

docs: $(STAMP) ## The guide, into site/: open site/index.html, or serve it for its search field
	$(MKDOCS)

constraints: $(STAMP) ## Record the installed versions, once the tests pass with them
	{ echo "# The versions that were tested together; pip reads this with -c. Written by: make constraints"; \
	  $(BIN)/python -m pip freeze --exclude-editable; } > docker/constraints.txt

lock: $(STAMP) ## Write docker/lock-*.txt, the image's libraries with their hashes, from the constraints
	$(BIN)/python docker/make_locks.py

format: $(STAMP) ## Let ruff format and sort, and take outputs out of the notebooks
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/nbstripout notebooks/*.ipynb

bench: $(STAMP) ## The benchmarks, each beside its peer in the same run
	@status=0; for script in benchmarks/bench_*.py; do \
	  echo "== $$script"; $(BIN)/python $$script || status=1; done; exit $$status

clean: ## Remove the virtual environment and the demo
	rm -rf $(VENV) $(DEMO)

install: $(STAMP) ## Only the set-up

$(STAMP): pyproject.toml docker/constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 …" >&2; exit 1; }
	@echo "Setting up .venv (once; several GB with PyTorch and TensorFlow, about five minutes)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade pip
	@$(BIN)/python -m pip install --quiet -c docker/constraints.txt -e '.[all]'
	@touch $@
