# Everything lives in .venv/; each target sets up what it needs, on a fresh machine too.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# mypy reads no editable installs: this tree shows it the sources under their import names.
TREE := $(VENV)/tree
PACKAGES := pool ipc daemon

.PHONY: demo test test-long boto-suite bench fuzz docs deb lint types clean

demo: $(VENV)/.demo
	$(BIN)/botod demo

test: $(VENV)/.test
	$(BIN)/pytest -m "not long"

test-long: $(VENV)/.test $(VENV)/.boto-suite
	.ci/interpreters
	$(BIN)/pytest

# boto's own unit tests over stock boto and over the pool, compared.
boto-suite: $(VENV)/.boto-suite
	PYTHONPATH=tests $(BIN)/python -m boto_suite

# The hot path beside its peers, in under three minutes; bench/README.md lists the others.
bench: $(VENV)/.bench
	$(BIN)/python bench/hot_path.py --quick

# What reads the wire, under a fuzzer for a while; a crash leaves the input that made it.
FUZZ_S := 60
fuzz: $(VENV)/.fuzz
	mkdir -p $(VENV)/fuzz
	PYTHONPATH=tests $(BIN)/python tests/fuzz/fuzz_wire.py -max_total_time=$(FUZZ_S) -timeout=20 \
		-rss_limit_mb=1024 -artifact_prefix=$(VENV)/fuzz/crash- $(VENV)/fuzz tests/fuzz/corpus

# Pages that are made from the tables in the code.
docs: $(VENV)/.test
	$(BIN)/python -m botod.daemon.operation_table > docs/operations.md
	$(BIN)/python -m botod.daemon.setting_pages toml > etc/botod.toml
	$(BIN)/python -m botod.daemon.setting_pages markdown > docs/settings.md
	for page in botod.1 botod.toml.5 botod.8; do \
		$(BIN)/python -m botod.daemon.manual_pages $$page > docs/man/$$page || exit; done
	$(BIN)/python -m botod.daemon.completions bash > etc/completions/botod
	$(BIN)/python -m botod.daemon.completions zsh > etc/completions/_botod
	$(BIN)/python -m botod.daemon.completions fish > etc/completions/botod.fish

# A Debian package, for Debian's own Python; packaging/make-deb says what is in it.
DEB_PYTHON := /usr/bin/python3
deb: $(VENV)/.test
	PATH="$(CURDIR)/$(BIN):$$PATH" packaging/make-deb $(DEB_PYTHON) build

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test
	mkdir -p $(TREE)/botod
	for package in $(PACKAGES); do ln -sfn ../../../$$package $(TREE)/botod/$$package; done
	MYPYPATH=$(TREE) $(BIN)/mypy -p botod.pool -p botod.ipc -p botod.daemon

clean:
	rm -rf $(VENV) build *.egg-info

$(VENV)/.%: pyproject.toml daemon/botod
	test -x $(BIN)/pip || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[$*]'
	touch $@
