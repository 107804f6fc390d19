# Everything lives in .venv/; each target sets up what it needs, on a fresh machine too.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# mypy reads no editable installs: here the sources stand under their import names.
TREE := compiled

# What mypyc makes of the modules that a job goes through: in the path, daemons use it.
COMPILED := $(CURDIR)/$(VENV)/compiled
SOURCES := $(wildcard compiled/*.* compiled/botod/compiled/*.py pool/*.py ipc/*.py daemon/*.py daemon/*/*.py)

.PHONY: demo test test-long test-compiled boto-suite compiled bench bench-micro flame fuzz docs \
	screens deb lint types clean

demo: $(VENV)/.demo
	$(BIN)/botod demo

test: $(VENV)/.test
	$(BIN)/pytest -m "not long"

test-long: $(VENV)/.test $(VENV)/.boto-suite
	.ci/interpreters
	$(BIN)/pytest
	$(MAKE) test-compiled

# The same on compiled modules; docs/install.md says what they are for.
test-compiled: $(VENV)/.test compiled
	PYTHONPATH=$(COMPILED) $(BIN)/pytest -m "not long"

# boto's own unit tests over stock boto and over the pool, compared.
boto-suite: $(VENV)/.boto-suite
	PYTHONPATH=tests $(BIN)/python -m boto_suite

# botod beside its peers: all works, for some 40 minutes, or WORK=get (bench/README.md has the list);
# QUICK=1: two short rounds, under three minutes a work, and nothing is kept.
bench: $(VENV)/.bench compiled
	COMPILED=$(COMPILED) $(BIN)/python bench/run.py $(WORK) $(if $(QUICK),--quick)

# The pieces of the hot path, each alone.
bench-micro: $(VENV)/.bench
	PYTHONPATH=bench $(BIN)/python -m micro $(if $(QUICK),--quick)

# Where the daemon's time goes while it is asked for small objects: docs/performance/flame.svg.
flame: $(VENV)/.bench
	$(BIN)/python bench/flame.py $(WORK)

# What reads the wire, under a fuzzer for a while; a crash leaves the input that made it.
FUZZ_S := 60
fuzz: $(VENV)/.fuzz
	mkdir -p $(VENV)/fuzz
	PYTHONPATH=tests $(BIN)/python tests/fuzz/fuzz_wire.py -max_total_time=$(FUZZ_S) -timeout=20 \
		-rss_limit_mb=1024 -artifact_prefix=$(VENV)/fuzz/crash- $(VENV)/fuzz tests/fuzz/corpus

# Pages that are made from the tables in the code.
# Each is moved into its place whole: what fails leaves the old one.
made = $(BIN)/python -m botod.daemon.$(1) > $(2).new && mv $(2).new $(2)
docs: $(VENV)/.test
	$(call made,operation_table,docs/operations.md)
	$(call made,setting_pages toml,etc/botod.toml)
	$(call made,setting_pages markdown,docs/settings.md)
	$(call made,metrics.page,docs/metrics.md)
	$(call made,manual_pages botod.1,docs/man/botod.1)
	$(call made,manual_pages botod.toml.5,docs/man/botod.toml.5)
	$(call made,manual_pages botod.8,docs/man/botod.8)
	$(call made,completions bash,etc/completions/botod)
	$(call made,completions zsh,etc/completions/_botod)
	$(call made,completions fish,etc/completions/botod.fish)

# Pictures of a daemon at work, in some minutes; wants Debian's chromium-headless-shell.
screens: $(VENV)/.test
	PYTHONPATH=tests $(BIN)/python docs/screens.py

# A Debian package, for Debian's own Python; packaging/make-deb says what is in it.
DEB_PYTHON := /usr/bin/python3
deb: $(VENV)/.test
	PATH="$(CURDIR)/$(BIN):$$PATH" packaging/make-deb $(DEB_PYTHON) build

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test
	MYPYPATH=$(TREE) $(BIN)/mypy -p botod.pool -p botod.ipc -p botod.daemon -p botod.compiled

clean:
	rm -rf $(VENV) build compiled/build *.egg-info compiled/*.egg-info

# A hundred seconds; wants a C compiler.
compiled: $(COMPILED)/.made
$(COMPILED)/.made: $(SOURCES)
	test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	command -v cc >/dev/null || { echo "a C compiler is wanted: apt-get install gcc libc6-dev" >&2; exit 1; }
	rm -rf $(COMPILED) compiled/build
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --target $(COMPILED) ./compiled
	rm -rf compiled/build
	touch $@

$(VENV)/.%: pyproject.toml daemon/botod
	test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[$*]'
	touch $@
