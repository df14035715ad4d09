# What a person does with this repository. `make` alone lists it.

TARGET  := $(or $(CARGO_TARGET_DIR),target)
TESTBED := $(TARGET)/debug/testbed

# For `make demo`: how the Live API misbehaves (refuse-start, lose-stop); KEEP=1 leaves everything running.
SABOTAGE ?=
KEEP     ?=
DEMO     := $(if $(SABOTAGE),--sabotage $(SABOTAGE)) $(if $(filter-out 0 no,$(KEEP)),--keep)

# For `make bench`.
FULL     ?=
SCENARIO ?=
PAGES    := --page docs/performance.md --readme README.md --json docs/performance.json
BENCH    := $(if $(filter-out 0 no,$(FULL)),--full) $(if $(SCENARIO),$(addprefix --only ,$(SCENARIO)),$(PAGES))

.DEFAULT_GOAL := help
.PHONY: help demo test test-null generate check bench

help: ## List the targets
	@sed -n 's/^\([a-z-]*\): .*## \(.*\)/  make \1#\2/p' $(firstword $(MAKEFILE_LIST)) | \
		awk -F'#' '{ printf "%-16s %s\n", $$1, $$2 }'

demo: ## See it work, live, in half a minute; SABOTAGE=refuse-start or lose-stop to see it fail, KEEP=1 to try it yourself
	@echo 'Building; the first time takes minutes.'
	cargo build --package jobstartstop --package simulator --package testbed --bins
	@$(TESTBED) binaries >/dev/null
	@$(TESTBED) demo $(DEMO)

test: ## Build all there is and run every test, against a real kube-apiserver
	cargo build --workspace --all-targets
	@$(TESTBED) binaries --with controller-manager,promtool,openmetrics,verdicts >/dev/null
	cargo test --workspace --no-fail-fast

test-null: ## Show that the tests bite: every case has to fail against an operator that does nothing
	@$(TESTBED) binaries --with controller-manager,verdicts >/dev/null
	@tests/null/run.sh

generate: ## Write crds/ anew, from src/api/
	cargo run --quiet -- crds --directory crds

check: ## Check formatting, lints, and that crds/ is what src/api/ generates
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	@mkdir -p $(TARGET)/generated/crds && rm -f $(TARGET)/generated/crds/*
	cargo run --quiet -- crds --directory $(TARGET)/generated/crds
	@diff -r crds $(TARGET)/generated/crds || { echo 'crds/ is out of date: run `make generate`'; exit 1; }

# SCENARIO="idle takeover" measures those only and writes no page; FULL=1 measures with 100,000 windows, too.
bench: ## Measure with release builds, about 25 minutes, and write the figures into docs/ and README.md; FULL=1 for more
	cargo build --release --workspace --bins
	@$(TARGET)/release/testbed binaries >/dev/null
	@$(TARGET)/release/testbed bench $(BENCH)
