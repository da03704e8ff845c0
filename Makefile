# make demo   set up this machine, fetch the model, build, audit it, write the report
# make test   set up, fetch what the tests need, run all tests in release
# make bench  measure against PyTorch and llama.cpp (makes a Python environment of 1.3 GB once)
# make lint   formatting, unused or undeclared imports
SWIFT   := swift
FLAGS   := -c release --explicit-target-dependency-import-check error
TOOL    := .build/release/fedsea-audit
# A Python with h5py, for the tests that exchange files with it and run the example of an external attack.
PYTHON  := .build/test-python/bin/python
# Flags for the audit of `make demo`, for example DEMO="--limit 4".
DEMO    :=

.PHONY: demo test bench lint setup build fetch clean

demo: build fetch
	$(TOOL) run attacks/quickstart.yaml $(DEMO)

test: setup fetch $(PYTHON)
	$(TOOL) fetch dataset presidio-pii
	$(TOOL) fetch dataset chitchat
	$(SWIFT) build $(FLAGS) --build-tests
	FEDSEA_PYTHON=$(abspath $(PYTHON)) OMP_WAIT_POLICY=passive $(SWIFT) test $(FLAGS) --skip-build --no-parallel

# Packages beside a wrapper, not a virtual environment: Debian's python3 has no venv of its own.
$(PYTHON):
	python3 -m pip install --quiet --disable-pip-version-check --root-user-action ignore --target .build/test-python/site numpy h5py pandas
	mkdir -p $(dir $@)
	printf '#!/bin/sh\nPYTHONPATH="%s" exec python3 "$$@"\n' "$(abspath .build/test-python/site)" >$@
	chmod +x $@

bench: build fetch
	$(SWIFT) build $(FLAGS) --product fedsea-bench
	bash Sources/fedsea-bench/bench.sh

lint:
	$(SWIFT) format lint --strict --recursive --parallel Sources Tests Package.swift

build: setup
	$(SWIFT) build $(FLAGS) --product fedsea-audit

# Model and text come from the package index, by pinned name, version and SHA-256; what is there already is only checked.
fetch: build
	$(TOOL) fetch checkpoint smollm2-135m-instruct
	$(TOOL) fetch dataset state-of-the-union

# System libraries, as root or with sudo; nothing happens when they are there.
APT := libopenblas-dev libhdf5-dev libdnnl-dev pkg-config
setup:
	@dpkg -s $(APT) >/dev/null 2>&1 || { \
	  sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	  echo "installing $(APT)" >&2; \
	  $$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends $(APT) >/dev/null; }
	@python3 -m pip --version >/dev/null || { echo "python3 with pip is needed to fetch the model" >&2; exit 69; }

clean:
	rm -rf .build
