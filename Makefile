# What people run. Each target is one script or one cargo call; the scripts say what they do and why.

.DEFAULT_GOAL := help
.PHONY: help build ui demo test lint fmt walls doc deny tools fuzz-smoke

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ui ## the release binary with the web console, target/release/palisade
	cargo build --release --locked -p palisade

ui: ## the web console, crates/console/ui/dist, which the next cargo build takes in; installs Node where it is too old
	scripts/build-ui

demo: ui ## YAO Bank behind palisade on loopback, with live traffic, attacks and the console; Ctrl-C ends it
	cargo build --release --locked -p palisade
	target/release/palisade demo --crs "$$(scripts/find-crs)"

test: tools ui lint ## everything that CI checks; installs what it needs on Debian
	scripts/test

lint: walls ## formatting, clippy, walls, dependencies, documentation; warnings are errors
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	$(MAKE) --no-print-directory doc

fmt: ## formats the sources
	cargo fmt --all

walls: ## which crate may know which, and what may be depended on at all
	scripts/check-walls --self-test
	scripts/check-walls
	scripts/check-dependencies --self-test
	scripts/check-dependencies

doc: ## the documentation of our crates
	RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --document-private-items --locked

deny: ## the full cargo-deny run (installs it, minutes the first time); `make walls` has the quick form
	scripts/deny

tools: ## what the tests need from Debian, installed when missing
	scripts/install-test-tools

fuzz-smoke: ## every fuzz target for half a minute
	scripts/fuzz all 30
