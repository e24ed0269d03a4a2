# Two commands for a newcomer: `make demo` and `make test`. Neither needs root rights or a system compiler.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: demo test lint install clean

demo: install
	@# Without an emulator the ARM binaries are still built; running them is then listed as not run.
	-$(BIN)/python tools/fetch_qemu.py
	$(BIN)/edgeprune run recipes/lenet5-mnist.toml --target host --target rpi3 --target cortex-a7

test: install
	-$(BIN)/python tools/fetch_qemu.py
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@# A process per core, each with whole files, so that what a file sets up is made once.
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not alone" -n logical --dist loadfile --durations=15
	$(BIN)/python -m pytest -m alone

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) runs build dist
