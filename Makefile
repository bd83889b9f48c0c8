# Every command of this repository. CI runs the same ones: .ci/run.

.DEFAULT_GOAL := help
.PHONY: help tools build dist image packages test test-kube soak oracle drills lint advisories fuzz bench
.PHONY: demo demo-break demo-damage demo-repair demo-drill

tools := $(shell scripts/install-tools --where)
FUZZ_SECONDS ?= 15
SOAK_SECONDS ?= 600
SOAK_SEED ?= 1
ORACLE_ARCHIVES ?= 200000
ORACLE_SEED ?= $(shell date +%s)000000
DRILLS ?= 60
DRILLS_SEED ?= $(shell date +%s)
scripts := $(filter-out %.txt %/lib %/npm %/requirements %/sbom,$(wildcard scripts/*))
shell_scripts := .ci/run $(scripts) $(wildcard scripts/lib/* packaging/*.sh tests/smoke/*.sh)

help: ## Lists the commands.
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

tools: ## Installs PostgreSQL, barman-cloud, the S3 server, Prometheus, Chromium (root or sudo).
	scripts/install-tools servers
	scripts/install-tools browser

build: ## Builds the daemon for this machine.
	cargo build --locked --release

dist: ## Builds the binary that ships for this architecture, and looks at what it needs to run.
	scripts/install-tools dist
	scripts/check-binary "$$(scripts/build-dist)"

image: ## Builds the image for this architecture, with docker.
	docker build --build-arg VERSION="$$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml)" \
		--build-arg REVISION="$$(git rev-parse HEAD)" --tag cnpg-backup-verifier .

packages: ## Packs what the tests run as deb, rpm and archive, and looks at them; tries a release.
	scripts/install-tools packages
	cargo test --workspace --locked --no-run --test it
	scripts/try-packages
	scripts/check-release

test: tools ## Runs all tests, the ones against real servers included.
	cargo test --workspace --locked

test-kube: ## Tests against the API server of KUBECONFIG, as its administrator: no controllers, CRDs installed.
	@test -n "$(KUBECONFIG)" || { echo "make test-kube KUBECONFIG=FILE" >&2; exit 2; }
	BACKUP_VERIFIER_KUBECONFIG="$(abspath $(KUBECONFIG))" cargo test --locked --test it -- \
		kubernetes:: operator_drills:: --test-threads=1 --skip kubernetes::faults:: \
		--skip operator_drills::failures:: --skip operator_drills::sizes:: --skip logs_may_be_forbidden

soak: ## Lets storms pass over thirty archives, seed after seed, for SOAK_SECONDS (600), from SOAK_SEED on (1).
	BACKUP_VERIFIER_SOAK_SECONDS=$(SOAK_SECONDS) BACKUP_VERIFIER_SOAK_SEED=$(SOAK_SEED) \
		cargo test --workspace --locked --test it -- storm:: --nocapture

oracle: ## Holds fresh random archives to a plain replay: ORACLE_ARCHIVES of them (200000), from ORACLE_SEED on.
	BACKUP_VERIFIER_ORACLE_ARCHIVES=$(ORACLE_ARCHIVES) BACKUP_VERIFIER_ORACLE_SEED=$(ORACLE_SEED) \
		cargo test --workspace --locked --test it -- oracle:: --nocapture

drills: ## Restores random archives as they were promised, DRILLS (60) times, from DRILLS_SEED on.
	BACKUP_VERIFIER_DRILLS=$(DRILLS) BACKUP_VERIFIER_DRILLS_SEED=$(DRILLS_SEED) \
		cargo test --workspace --locked --test it -- drills::what_is_promised --nocapture

lint: ## Checks format, code, documentation, dependencies, scripts, workflows and the Dockerfile.
	scripts/install-tools lint
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- --deny warnings
	cargo fmt --manifest-path fuzz/Cargo.toml --all --check
	cargo clippy --manifest-path fuzz/Cargo.toml --bins --locked -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --no-deps --document-private-items --locked
	$(tools)/cargo/bin/cargo-deny --workspace --locked check bans licenses sources
	shellcheck --external-sources $(shell_scripts)
	$(tools)/venv/bin/hadolint Dockerfile
	scripts/check-workflows

advisories: ## Looks for known weaknesses of dependencies: the database comes from the network.
	scripts/install-tools lint
	$(tools)/cargo/bin/cargo-deny --workspace --locked check advisories
	$(tools)/cargo/bin/cargo-deny --manifest-path fuzz/Cargo.toml --locked check --config .cargo/deny.toml advisories

fuzz: ## Feeds arbitrary bytes to every parser, FUZZ_SECONDS each (15).
	scripts/install-tools fuzz
	scripts/fuzz $(FUZZ_SECONDS)

bench: ## Measures what docs/performance.md promises.
	cargo bench --workspace --locked

demo: ## Starts the daemon on a real archive: PostgreSQL, barman-cloud, S3. Ctrl-C ends it.
	@scripts/demo

demo-break: ## Deletes a WAL object of the running demo.
	@scripts/demo-break

demo-damage: ## Flips a bit in a WAL object and in the base backup of the running demo.
	@scripts/demo-damage

demo-repair: ## Takes a new base backup in the running demo.
	@scripts/demo-repair

demo-drill: ## Restores the archive of the running demo on this machine, and removes it again.
	@scripts/demo-drill
