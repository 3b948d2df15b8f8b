# Two commands do all their own set-up: `make demo` and `make test`.
.PHONY: help demo test sim scorecard scorecard-real fuzz bench http-load clean
.DEFAULT_GOAL := help

SEED ?= 1
SEEDS ?= 20000
FUZZ_SECONDS ?= 60
export FUZZ_SECONDS

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-14s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## share the left half of this screen and watch it in the right half (DEMO_SECONDS=N to end by itself)
	@scripts/demo

test: ## every check: format, lints, documentation, tests, fuzz corpus, real sockets and displays
	@scripts/test

sim: ## simulate a swarm of SEEDS scenarios, from SEED on
	cargo run --release --locked -p sim -- --seed $(SEED) --seeds $(SEEDS)

scorecard: ## measure what loss costs a viewer, over a table of impaired paths
	cargo run --release --locked -p sim --bin scorecard

fuzz: ## fuzz every target for FUZZ_SECONDS each, with a nightly compiler
	@scripts/fuzz

bench: ## measure the core
	cargo bench --locked -p nalcast-core --benches

http-load: ## put load on the status page's server and on a minimal hyper server, and compare
	@scripts/http-load

scorecard-real: ## share a video over impaired paths and hold what arrives against other programs (ARGS="--profiles P1,P3 --jobs 2")
	@scripts/scorecard-real $(ARGS)

clean: ## delete everything that was built
	cargo clean
