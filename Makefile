# Two commands start everything: `make demo` and `make test`.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.setup
PORT   ?= 3000
WORKSPACE ?= demo-workspace
# xdist workers: the two-core laptop is the reference machine
JOBS   ?= 2

export BENTOML_DO_NOT_TRACK = True
export MLFLOW_DISABLE_TELEMETRY = true
export DO_NOT_TRACK = 1

.PHONY: help setup demo serve test test-slow bench lint clean

help:            ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

setup: $(STAMP)  ## the virtual environment in .venv, from the lock

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -q -r requirements.lock
	$(BIN)/python -m pip install --disable-pip-version-check -q --no-deps --no-build-isolation -e .
	@$(BIN)/python -c "import lightgbm" || { echo "LightGBM needs the OpenMP runtime: apt-get install libgomp1 (macOS: brew install libomp)"; exit 1; }
	touch $(STAMP)

demo: setup      ## the whole circle on real data
	$(BIN)/tactful demo --workspace $(WORKSPACE)

serve: setup     ## the service over the demo's workspace: make serve PORT=3000
	$(BIN)/tactful serve --workspace $(WORKSPACE) --port $(PORT)

test: setup      ## the tests, under eight minutes on two cores
	$(BIN)/python -m pytest -n $(JOBS)

test-slow: setup ## the long tests: whole demo, notebooks, README commands, kill -9
	$(BIN)/python -m pytest -m slow -n $(JOBS)

bench: setup     ## the measurements, printed as ratios
	$(BIN)/python -m pytest -m bench -s

lint: setup      ## linters, type checker, import contract
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf $(VENV) build *.egg-info demo-workspace
