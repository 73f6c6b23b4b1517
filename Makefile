# Every target works on a bare machine with Python 3.11 or newer, git, make and a C compiler.
# What else they need goes into .venv and into the user's cache.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Two workers: the embedded cluster and the stores want the rest of a small machine.
WORKERS ?= 2
PYTEST_ARGS ?=
# For example `--only publish --mebibytes 256 --rounds 3`; benchmarks/README.md has them all.
BENCH_ARGS ?=
# Of NVIDIA, large, and needed by one format of export alone; an empty value installs them, too.
LEFT_OUT ?= onnxruntime-ep-nv-tensorrt-rtx-cu13 tensorrt-rtx-cu13-bindings
# What of the demo outlives it; it can be stopped without the environment that started it.
DEMO_CLUSTER := .demo/cluster
FUZZ_TARGETS ?= header manifest keyring secret open annotation
# For each of them.
FUZZ_SECONDS ?= 300
LOAD_SECONDS ?= 30

export PYTHONPATH := local

.DEFAULT_GOAL := help
.PHONY: help bench demo demo-stop test test-gpu fuzz fuzz-api load-api verify generate lock cluster clean

help: ## Say what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

demo: setup ## From YAML to an opened model on an embedded cluster; leaves it running
	@$(BIN)/python -m sealyard_local.demo up

demo-stop: ## Stop what the demo started, and delete its folder
	@if [ -e $(VENV)/.ready ]; then $(BIN)/python -m sealyard_local.demo down; \
	elif [ -d $(DEMO_CLUSTER) ]; then \
	  PYTHONPATH=local:operator $(PYTHON) -m sealyard_local.cluster down --dir $(DEMO_CLUSTER) \
	  && rm -rf .demo; \
	fi

test: setup ## All tests: units, real servers, the embedded cluster, the main job end to end
	$(BIN)/pytest -n $(WORKERS) --ignore=tests/e2e $(PYTEST_ARGS)
	$(if $(PYTEST_ARGS),,$(BIN)/pytest tests/e2e) # one after the other: they share one installation

test-gpu: $(VENV)/.ready ## What needs an NVIDIA GPU; the rest of the tests skip it where there is none
	$(BIN)/pytest -m gpu --log-cli-level=INFO tests/gpu $(PYTEST_ARGS)

fuzz: $(VENV)/.ready ## Search longer for input that breaks a reader (FUZZ_SECONDS for each target)
	@for target in $(FUZZ_TARGETS); do \
	  echo "fuzz: $$target" && \
	  PYTHONPATH=tests $(BIN)/python -m fuzz $$target .fuzz/$$target \
	    -max_total_time=$(FUZZ_SECONDS) || exit 1; \
	done

fuzz-api: $(VENV)/.ready ## Send the release API more requests that nobody thought of (five times FUZZ_SECONDS)
	SEALYARD_FUZZ_SECONDS=$(FUZZ_SECONDS) SEALYARD_FUZZ_SEED=$$(date +%s) \
	  $(BIN)/pytest --log-cli-level=INFO tests/integration/release_api/test_fuzz.py

load-api: $(VENV)/.ready ## Say how much the release API bears (LOAD_SECONDS for each database)
	SEALYARD_LOAD_SECONDS=$(LOAD_SECONDS) \
	  $(BIN)/pytest --log-cli-level=INFO tests/integration/release_api/test_load.py

verify: $(VENV)/.ready ## Style, types, import rules, generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy benchmarks
	$(BIN)/lint-imports
	$(BIN)/python -m sealyard.api.generate --check
	$(BIN)/python -m sealyard.sealing.manifest_schema | diff -u docs/manifest.schema.json -
	$(BIN)/python -m sealyard.annotations.message_schema | diff -u docs/annotation.schema.json -

bench: $(VENV)/.ready ## How fast, against other programs; fails where a bound is missed (BENCH_ARGS)
	@PYTHONPATH=.:local:tests $(BIN)/python -m benchmarks $(BENCH_ARGS)

generate: $(VENV)/.ready ## Write what is generated: crds/, docs/reference.md, two schemas, ultralytics' arguments
	$(BIN)/python -m sealyard.api.generate
	$(BIN)/python -m sealyard.sealing.manifest_schema > docs/manifest.schema.json
	$(BIN)/python -m sealyard.annotations.message_schema > docs/annotation.schema.json
	$(BIN)/python images/trainer/generate_known_arguments.py
	$(BIN)/ruff format .

lock: $(VENV)/.ready ## Resolve requirements.lock anew from pyproject.toml
	$(BIN)/uv pip compile --quiet pyproject.toml --all-extras --generate-hashes --universal \
	  --python-version 3.11 --no-emit-index-url --no-header --no-annotate --upgrade \
	  --output-file requirements.lock

clean: demo-stop ## Remove the environment and everything that was built here
	rm -rf $(VENV) .demo .fuzz .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist

# The environment and the embedded Kubernetes are built side by side: one waits for the network,
# the other for the processor.
.PHONY: setup
setup:
	@$(MAKE) --no-print-directory --quiet -j2 $(VENV)/.ready cluster

cluster: ## Build the embedded Kubernetes into the user's cache, once
	@PYTHONPATH=local:operator $(PYTHON) -m sealyard_local.cluster build

# With bytecode, as in the images: pods, and programs that tests run as pods, write none, and
# compiling PyTorch takes each of them as long as a short training.
$(VENV)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed; name it with PYTHON=…" >&2; exit 69; }
	@echo "environment: installing into $(VENV) (several GB with PyTorch; a few minutes the first time)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check 'uv==0.13.9'
	@printf '%s\n' $(LEFT_OUT) | $(BIN)/uv pip install --quiet --python $(BIN)/python \
	  --compile-bytecode --require-hashes -r requirements.lock --excludes -
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $@
	@echo "environment: ready"
