# Two commands: `make demo` and `make test`. Both make .venv first; nothing but Python 3.11+, make and pip is needed.
PYTHON ?= python3
BIN := .venv/bin
PROGRAM := .venv/.program
STAMP := .venv/.installed
PYTEST := OMP_NUM_THREADS=1 .venv/bin/python -m pytest -n 3 --dist loadfile
FIRST := $(addprefix tests/test_,app.py contract.py states.py search_database.py by_the_clock.py relations.py)  # take longest
REST := $(filter-out $(FIRST),$(wildcard tests/*.py))
SHAPES := --jaxtyping-packages=dowgan,beartype.beartype
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: demo test browser docs lint bench check-full founding founding-quick clean

demo: $(PROGRAM)
	$(BIN)/dowgan demo $(DATA)

test: $(STAMP) browser lint  # the shape of every array is checked in tests of single parts; in long ones it takes half of the time
	$(PYTEST) -n 2 tests/unit tests/metrics tests/table $(SHAPES)  # each worker looks at all of them first
	$(PYTEST) --no-loadscope-reorder $(FIRST) $(REST)  # some wait for other processes: three for two cores

browser:  # the page and the report are tested in a Chromium; where there is none those tests are skipped and say so
	@command -v chromium > /dev/null || command -v chromium-browser > /dev/null || command -v google-chrome > /dev/null \
	|| { command -v apt-get > /dev/null && [ "$$(id -u)" = 0 ] \
	&& apt-get install --yes -qq --no-install-recommends chromium > /dev/null; } || true

docs: $(STAMP)  # the site, into build/site
	$(BIN)/mkdocs build --strict

lint: $(STAMP)
	$(BIN)/ruff check src tests
	$(BIN)/ruff format --check src tests
	$(BIN)/mypy
	$(BIN)/lint-imports

founding: $(STAMP)  # the founding study, what other code has measured again: DATA=hungary_chickenpox.csv, or a checked download
	OMP_NUM_THREADS=1 $(BIN)/python bench/founding.py $(DATA) --fresh

founding-quick: $(STAMP)  # the same in a minute, on a small simulated table, into build/founding
	OMP_NUM_THREADS=1 $(BIN)/python bench/founding.py --quick -o build/founding

bench: $(STAMP)  # all figures of the README and docs, about four hours: DATA=folder of the tables
	OMP_NUM_THREADS=1 $(BIN)/python bench/main_job.py $(DATA)
	OMP_NUM_THREADS=1 $(BIN)/python bench/protocol.py $(DATA) --recipes flagship,prior,adversarial
	OMP_NUM_THREADS=1 $(BIN)/python bench/protocol.py $(DATA) --blocks --sets stocks,etth,energy,chickenpox,cstr,nylon,tep
	OMP_NUM_THREADS=1 $(BIN)/python bench/ablations.py $(DATA)
	OMP_NUM_THREADS=1 $(BIN)/python bench/damage.py $(DATA)
	OMP_NUM_THREADS=1 $(BIN)/python bench/speed.py $(DATA)
	rm -f bench/results/transfer.json bench/results/noises.json  # they go on with what is there
	OMP_NUM_THREADS=1 $(BIN)/python bench/transfer.py $(DATA)
	OMP_NUM_THREADS=1 $(BIN)/python bench/noises.py $(DATA)
	$(BIN)/python bench/readme.py

check-full: $(STAMP)  # every test, also the longest, with the shape of every array; every table through every verb: DATA=folder of the tables
	$(PYTEST) $(SHAPES) -m ""
	OMP_NUM_THREADS=1 $(BIN)/python bench/contract.py $(DATA)

$(PROGRAM): pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $(PROGRAM)

$(STAMP): $(PROGRAM)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $(STAMP)

clean:
	rm -rf .venv demo
