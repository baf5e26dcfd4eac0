# Everything a developer types. `make` alone lists it.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

cache  := $(CURDIR)/deploy/local/.cache
lint_version := v2.15.0
lint   := $(cache)/bin/golangci-lint-$(lint_version)
venv   := $(cache)/venv
# How long each fuzz target runs.
FUZZTIME ?= 5s
# Which tests and seeds make chaos runs, how many faults each seed has, and the first of the 60 ports it takes. make simulate-faults and
# make truth take FROM and SEEDS too.
RUN ?= .
FROM ?= 1
SEEDS ?= 3
FAULTS ?= 70
CHAOS_PORT ?= 21000
CHAOS_DIR ?= $(or $(XDG_STATE_HOME),$(HOME)/.local/state)/leadline-chaos
# What `make bench` measures, where the figures go, and rows of a comparison of engines for `make report`.
MEASURE ?= drain drain-sparse drain-b1 drain-b1-sparse latency latency-20000 growth recovery
RESULTS ?= internal/bench/performance
COMPARISON ?= $(wildcard $(RESULTS)/comparison.jsonl)
# Which Go benchmarks run.
BENCH ?= .
# Where the engine only learns: files, a function, and the encoding of what was learned.
LEARNING := internal/engine/(holdings|touched|buyers|tally|sums|itemsums|examples|channels)\.go|Shard\)\.teach|Encoder\)\.AppendTally

.PHONY: help build demo test simulate-faults downturn truth integration chaos verify format lint generated race fuzz bench report microbench learning-share clients servers-start servers-stop

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/leadline
	@go build -o bin/leadline ./cmd/leadline

demo: build ## the main job on real sample data, nothing to install; stays up until Ctrl-C
	@bin/leadline demo

test: ## all tests that need no server (only Go)
	@go test ./...
	@go test -tags synctests -run '^TestMishapsInVirtualTime$$' ./internal/stream

simulate-faults: SEEDS := 2000
simulate-faults: ## orders of mishaps in virtual time, each compared with the reference; prints seeds a minute; FROM=1 SEEDS=2000
	@GOGC=400 go test -count=1 -v -timeout 24h -tags synctests -run '^TestMishapsInVirtualTime$$' ./internal/stream \
		-seed $(FROM) -seeds $(SEEDS) | grep -v -e '^=== ' -e '^ *--- PASS'

truth: SEEDS := 100
truth: ## worlds with planted links, and the same with all items dealt anew: what is found, false discoveries, how often intervals hold the truth; FROM=1 SEEDS=100
	@GOGC=400 go test -count=1 -v -timeout 24h -run '^TestTruth$$' ./internal/affinity -seed $(FROM) -seeds $(SEEDS) | grep -v -e '^=== ' -e '^ *--- PASS'
downturn: ## simulated worlds in which business goes down by 30 in a hundred: alerts and decliners found, beside the undisturbed ones
	@go test -count=1 -v -timeout 2h -run '^TestADownturnIsNobodysDecline$$' ./internal/engine -downturn-customers 3000 -downturn-worlds 5

integration: build clients ## the built binary against the real Kafka, registry and Redis of deploy/local/servers (start them first), the pages in Chromium
	@eval "$$(deploy/local/servers env)" && LEADLINE_TEST_REDIS="$$LEADLINE_REDIS_ADDRS" \
		PYTHON=$(venv)/bin/python go test -count=1 -p 1 -timeout 15m -tags integration ./internal/integration/ ./internal/state/... ./internal/stream/ ./internal/deadletter/ ./internal/desk/

chaos: ## kill, tear and freeze servers and engines under load, then compare all decisions; FROM=1 SEEDS=3 FAULTS=70
	@CHAOS_DIR='$(CHAOS_DIR)' CHAOS_PORT=$(CHAOS_PORT) CHAOS_FROM=$(FROM) CHAOS_SEEDS=$(SEEDS) CHAOS_FAULTS=$(FAULTS) \
		go test -count=1 -v -timeout $$(( $(SEEDS) * 20 ))m -tags integration -run '$(RUN)' ./internal/integration/chaos/

verify: format lint generated race ## what must be quiet before a commit: format, vet, lint, generated files, race tests

format: # fails when a file is not as gofmt writes it
	@files=$$(gofmt -s -l $$(git ls-files --cached --others --exclude-standard '*.go')); \
		if [ -n "$$files" ]; then printf 'not formatted (gofmt -s -w):\n%s\n' "$$files"; exit 1; fi

lint: $(lint) # go vet and the linters of .golangci.yml, integration tests included
	@go vet -tags integration,synctests ./...
	@$(lint) run --build-tags integration,synctests

generated: # fails when a generated file is not what its generator writes now
	@before=$$(git diff | sha1sum); go generate ./...; \
		if [ "$$before" != "$$(git diff | sha1sum)" ]; then echo 'generated files changed: commit what go generate wrote'; git diff --stat; exit 1; fi

race: # all tests under the race detector
	@go test -race ./...

fuzz: ## every fuzz target for FUZZTIME (5s) each
	@grep -rlE '^func Fuzz' --include='*_test.go' . | sort | while read -r file; do \
		grep -oE '^func Fuzz[A-Za-z0-9_]+' "$$file" | cut -c6- | while read -r target; do \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "./$$(dirname "$$file")"; \
		done; \
	done

bench: build ## MEASURE (drain drain-sparse drain-b1 drain-b1-sparse latency latency-20000 growth recovery) on the servers of deploy/local/servers (start them first, Redis must be empty); BENCH_ARGS adds flags
	@eval "$$(deploy/local/servers env)" && for what in $(MEASURE); do \
		case $$what in drain-sparse) set -- drain --sparse;; drain-b1) set -- drain --job=b1;; drain-b1-sparse) set -- drain --job=b1 --sparse;; latency-20000) set -- latency --rate=20000;; *) set -- $$what;; esac; \
		bin/leadline bench "$$@" --json '$(RESULTS)'/$$what.json $(BENCH_ARGS) || exit 1; \
	done

report: build ## tables and pictures of what make bench measured into internal/bench/performance; COMPARISON=results.jsonl adds other engines
	@bin/leadline bench report '$(RESULTS)'/*.json $(COMPARISON) --page internal/bench/performance/README.md

microbench: ## Go benchmarks with allocations; BENCH=regexp chooses
	@go test -run '^$$' -bench '$(BENCH)' -benchmem ./...

learning-share: ## what learning adds to the CPU of the engine's step, by a profile: BENCH=Step$ (the default here) or Sample$; BENCH=drain: of the whole engine in a drain, on the servers of deploy/local/servers
	@mkdir -p bin; case '$(BENCH)' in \
	drain) go build -o bin/leadline ./cmd/leadline; eval "$$(deploy/local/servers env)"; program=bin/leadline all=. of=engine; \
		bin/leadline bench drain --rounds=1 --orders=1000000 --customers=50000 --profile=bin/step.prof $(BENCH_ARGS);; \
	*) program=bin/engine.test all='Shard\).Step$$' of=step; \
		go test -run '^$$' -bench '$(if $(filter .,$(BENCH)),Step$$,$(BENCH))' -o bin/engine.test -cpuprofile bin/step.prof ./internal/engine;; \
	esac; \
	share() { go tool pprof -top -unit=ms -nodefraction=0 -nodecount=10000 -focus="$$1" "$$program" bin/step.prof 2>/dev/null | sed -n 's/^Showing nodes accounting for \([0-9]*\)ms.*/\1/p'; }; \
	all=$$(share "$$all") && learning=$$(share '$(LEARNING)') && \
	echo "learning $$learning ms of $$all ms: adds $$((100 * learning / (all - learning))) in 100 to the rest of the $$of"

servers-start: ## start a real Kafka, registry and Redis on loopback (deploy/local/servers)
	@deploy/local/servers start

servers-stop: ## stop them
	@deploy/local/servers stop

clients: $(venv)/complete deploy/clients/node/node_modules/.package-lock.json # the Python and Node clients of the tests

$(venv)/complete: deploy/clients/python/requirements.txt
	@python3 -m venv $(venv)
	@$(venv)/bin/pip install -q -r $<
	@touch $@

deploy/clients/node/node_modules/.package-lock.json: deploy/clients/node/package-lock.json
	@cd deploy/clients/node && npm ci --silent --no-audit --no-fund

$(lint):
	@mkdir -p $(@D)
	@GOBIN=$(@D)/tmp go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(lint_version)
	@mv $(@D)/tmp/golangci-lint $@
