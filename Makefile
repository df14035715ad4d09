# What a person does with this repository. `make` alone lists it.

TARGET  := $(or $(CARGO_TARGET_DIR),target)
TESTBED := $(TARGET)/debug/testbed

# For `make demo`: how the Live API misbehaves (refuse-start, lose-stop); who makes the calls (Operator, LiveScheduler);
# KEEP=1 leaves everything running.
SABOTAGE ?=
EXECUTOR ?=
KEEP     ?=
DEMO     := $(if $(SABOTAGE),--sabotage $(SABOTAGE)) $(if $(EXECUTOR),--executor $(EXECUTOR))
DEMO     += $(if $(filter-out 0 no,$(KEEP)),--keep)

# For `make bench`.
FULL     ?=
SCENARIO ?=
PAGES    := --page docs/performance.md --readme README.md --json docs/performance.json
BENCH    := $(if $(filter-out 0 no,$(FULL)),--full) $(if $(SCENARIO),$(addprefix --only ,$(SCENARIO)),$(PAGES))

# For `make image`: where it goes, and what it says that it was made from. The same three give the same bytes.
DIST              ?= dist
REVISION          ?= $(or $(shell git describe --always --dirty --abbrev=40 --exclude='*' 2>/dev/null),unknown)
SOURCE_DATE_EPOCH ?= $(or $(shell git log -1 --format=%ct 2>/dev/null),0)
# The files of the image in a folder of their own, too: for the Dockerfile.
ROOT              ?=
PACKAGING         ?= cargo run --locked --quiet --package packaging --
PROFILE           ?= release
TRIPLE    := $(shell uname -m)-unknown-linux-gnu
STATIC    := $(TARGET)/$(TRIPLE)/$(PROFILE)/jobstartstop
# The C library is linked in; where this machine keeps its sources shows nowhere.
RUSTFLAGS_STATIC := -C target-feature=+crt-static --remap-path-prefix=$(CURDIR)=/src \
	--remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)=/cargo

.DEFAULT_GOAL := help
.PHONY: help demo test test-null generate check bench static image

help: ## List the targets
	@sed -n 's/^\([a-z-]*\): .*## \(.*\)/  make \1#\2/p' $(firstword $(MAKEFILE_LIST)) | \
		awk -F'#' '{ printf "%-16s %s\n", $$1, $$2 }'

demo: ## See it work, live, in half a minute; EXECUTOR=LiveScheduler: by the Live API's own scheduler; SABOTAGE=refuse-start or lose-stop to see it fail, KEEP=1 to try it yourself
	@echo 'Building; the first time takes minutes.'
	cargo build --package jobstartstop --package simulator --package testbed --bins
	@$(TESTBED) binaries >/dev/null
	@$(TESTBED) demo $(DEMO)

test: ## Build all there is and run every test, against a real kube-apiserver
	cargo build --workspace --all-targets
	@$(TESTBED) binaries --with controller-manager,helm,promtool,openmetrics,verdicts >/dev/null
	cargo test --workspace --no-fail-fast

test-null: ## Show that the tests bite: every case has to fail against an operator that does nothing
	@$(TESTBED) binaries --with controller-manager,verdicts >/dev/null
	@tests/null/run.sh

generate: ## Write crds/ and the chart's definitions anew, from src/api/, and docs/chart-values.md from the chart's values
	cargo run --quiet -- crds --directory crds
	cargo run --quiet --example generate

check: ## Check formatting, lints, and that generated files are current
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	@mkdir -p $(TARGET)/generated/crds && rm -f $(TARGET)/generated/crds/*
	cargo run --quiet -- crds --directory $(TARGET)/generated/crds
	@diff -r crds $(TARGET)/generated/crds || { echo 'crds/ is out of date: run `make generate`'; exit 1; }
	cargo run --quiet --example generate -- --check

static: ## Build the program of the image: everything is linked in, for this machine's processor
	RUSTFLAGS='$(RUSTFLAGS_STATIC)' JOBSTARTSTOP_REVISION='$(REVISION)' \
		cargo build --locked --profile $(PROFILE) --target $(TRIPLE) --package jobstartstop --bin jobstartstop

image: static ## Write the container image and its bill of materials into dist/, without a container engine
	@mkdir -p $(DIST)
	@SOURCE_DATE_EPOCH='$(SOURCE_DATE_EPOCH)' $(PACKAGING) --binary $(STATIC) --revision '$(REVISION)' \
		--folder $(DIST)/image --archive $(DIST)/image.tar --sbom $(DIST)/sbom.cdx.json $(if $(ROOT),--root $(ROOT))

# SCENARIO="idle takeover" measures those only and writes no page; FULL=1 measures with 100,000 windows, too.
bench: ## Measure with release builds, about 25 minutes, and write the figures into docs/ and README.md; FULL=1 for more
	cargo build --release --workspace --bins
	@$(TARGET)/release/testbed binaries >/dev/null
	@$(TARGET)/release/testbed bench $(BENCH)
