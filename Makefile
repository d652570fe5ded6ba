# Baro. `make help` lists the targets. Outside the platform of DESIGN 2 (Debian 13 with our packages)
# every target runs through deploy/local/root, which makes that platform first.
MAKEFLAGS += --no-builtin-rules
# `make V=1` shows whole commands.
show = $(if $(V),,@printf '  %-5s %s\n' $(1) $@; )
.DEFAULT_GOAL := build

ifeq ($(BARO_ROOT_SETS),)
NEED_RUN_ONLY := help build run up down clean
$(or $(MAKECMDGOALS),build): through-root ; @:
.PHONY: through-root
through-root:
	@deploy/local/root $(if $(filter-out $(NEED_RUN_ONLY),$(MAKECMDGOALS)),--with test) \
		$(if $(filter bench,$(MAKECMDGOALS)),--with bench) \
		$(if $(filter images test-images,$(MAKECMDGOALS)),--with images) \
		$(if $(filter test-cluster test-images,$(MAKECMDGOALS)),--with cluster) \
		$(if $(filter fault fault-short,$(MAKECMDGOALS)),--with fault) \
		$(if $(filter failover test-pgbouncer,$(MAKECMDGOALS)),--with failover) \
		$(MAKE) --no-print-directory $(MAKECMDGOALS)
else

CORES := $(shell nproc)
ifeq ($(filter -j%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(CORES)
endif
CC       ?= cc
BUILD    ?= build
SERVICES := user product order coupon
# A row of a table says what it has: the rest is zero by the language, so missing fields are no fault.
# Instrumented code makes gcc warn of what cannot happen: there warnings are no errors.
SANITIZE ?=
COVERAGE ?=
OPTIMIZE ?= -O2 -D_FORTIFY_SOURCE=3
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
            -Wcast-qual -Wformat=2 -Wvla -Wswitch-enum -Wno-missing-field-initializers $(if $(SANITIZE),,-Werror)
HARDEN   := -fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE
PACKAGES := libprotobuf-c libpq hiredis libmicrohttpd jansson libjwt libsodium libssl libcrypto libcurl rdkafka
CFLAGS   := -std=c17 -D_GNU_SOURCE -g $(OPTIMIZE) $(HARDEN) $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer) \
            $(if $(COVERAGE),--coverage -fprofile-update=atomic) \
            -I. -I$(BUILD) $(shell pkg-config --cflags $(PACKAGES))
LDFLAGS  := -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(if $(SANITIZE),-fsanitize=$(SANITIZE)) $(if $(COVERAGE),--coverage)
LDLIBS   := -lnng $(shell pkg-config --libs $(PACKAGES)) -lpthread -lm

PROTO   := $(wildcard proto/*.proto)
PB_OBJ  := $(PROTO:%.proto=$(BUILD)/%.pb-c.o)
PB_H    := $(PROTO:%.proto=$(BUILD)/%.pb-c.h)
objects  = $(patsubst %.c,$(BUILD)/%.o,$(wildcard $(1)))
LIB_OBJ := $(call objects,lib/*/*.c) $(patsubst %,$(BUILD)/%.o,$(wildcard lib/*/migrations))
LIB     := $(BUILD)/libbaro.a
BIN     := $(SERVICES:%=$(BUILD)/baro-%) $(BUILD)/baro-gateway $(BUILD)/baroctl
AREAS   := $(notdir $(patsubst %/,%,$(wildcard tests/unit/*/ tests/integration/*/)))
UNIT    := $(patsubst tests/unit/%/,$(BUILD)/tests/unit-%,$(wildcard tests/unit/*/))
INTEGRATION := $(patsubst tests/integration/%/,$(BUILD)/tests/integration-%,$(wildcard tests/integration/*/))
E2E     := $(BUILD)/tests/e2e-shop
SIMULATE := $(BUILD)/tests/simulate

.PHONY: build
build: $(BIN) ## Build the five processes and baroctl

$(BUILD)/proto/%.pb-c.c $(BUILD)/proto/%.pb-c.h &: proto/%.proto $(PROTO)
	@mkdir -p $(@D)
	$(call show,PROTO)protoc --c_out=$(BUILD) $<

$(BUILD)/proto/%.pb-c.o: $(BUILD)/proto/%.pb-c.c
	$(call show,CC)$(CC) $(CFLAGS) -w -c -o $@ $<

$(BUILD)/%.o: %.c | $(PB_H)
	@mkdir -p $(@D)
	$(call show,CC)$(CC) $(CFLAGS) $(WARNINGS) -MMD -MP -c -o $@ $<

$(LIB): $(LIB_OBJ) $(PB_OBJ)
	@rm -f $@
	$(call show,AR)ar rcs $@ $^

.SECONDEXPANSION:
# X/migrations/*.sql become X_migrations[] of X/migrations.o, with the last folder's name for X.
$(BUILD)/%/migrations.c: deploy/local/embed $$*/migrations $$(sort $$(wildcard $$*/migrations/*.sql))
	@mkdir -p $(@D)
	$(call show,EMBED)deploy/local/embed $(notdir $*) $(filter %.sql,$^) > $@.new
	@mv $@.new $@

$(BUILD)/%/migrations.o: $(BUILD)/%/migrations.c
	$(call show,CC)$(CC) $(CFLAGS) $(WARNINGS) -Wno-overlength-strings -c -o $@ $<

# What librdkafka's threads need to live under ThreadSanitizer.
SANITIZED_THREADS = $(if $(filter thread,$(SANITIZE)),$(BUILD)/tests/support/tsan_threads.o)
service_objects = $(call objects,services/$(1)/*.c) $(BUILD)/services/$(1)/migrations.o
$(SERVICES:%=$(BUILD)/baro-%): $(BUILD)/baro-%: $$(call service_objects,$$*) $(SANITIZED_THREADS) $(LIB)
	$(call show,LINK)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Made for the gateway: the comments of the .proto files, and the files that browsers read, with
# Swagger UI and uPlot out of their npm packages.
GATEWAY_MADE := $(BUILD)/gateway/made/comments.o $(BUILD)/gateway/made/web.o
WEB     := $(BUILD)/gateway/web
WEB_OWN := $(wildcard $(addprefix gateway/web/*/*.,html js css svg))
TOOLS   := $(BUILD)/gateway/tools

$(BUILD)/source_info.pb-c.c $(BUILD)/source_info.pb-c.h &: gateway/tools/source_info.proto
	@mkdir -p $(@D)
	$(call show,PROTO)protoc -Igateway/tools --c_out=$(BUILD) $<

$(BUILD)/source_info.pb-c.o: $(BUILD)/source_info.pb-c.c
	$(call show,CC)$(CC) $(CFLAGS) -w -c -o $@ $<

$(TOOLS)/comments.o: | $(BUILD)/source_info.pb-c.h
$(TOOLS)/comments: $(TOOLS)/comments.o $(BUILD)/source_info.pb-c.o
	$(call show,LINK)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(BUILD)/gateway/made/comments.c: $(TOOLS)/comments $(PROTO)
	@mkdir -p $(@D)
	$(call show,MAKE)protoc --include_source_info --descriptor_set_out=/dev/stdout $(PROTO) | $< > $@.new
	@mv $@.new $@

$(BUILD)/gateway/made/comments.o: $(BUILD)/gateway/made/comments.c
	$(call show,CC)$(CC) $(CFLAGS) $(WARNINGS) -c -o $@ $<

$(WEB)/node_modules: gateway/web/package.json gateway/web/package-lock.json gateway/web/.npmrc
	@mkdir -p $(@D)
	@cp $^ $(@D)
	$(call show,NPM)npm ci --prefix $(@D) --loglevel error > /dev/null
	@touch $@

# The bytes of each file, between _binary_FOLDER_NAME_start and _binary_FOLDER_NAME_end.
$(BUILD)/gateway/made/web.o: $(WEB_OWN) $(WEB)/node_modules
	@mkdir -p $(@D) $(WEB)/docs $(WEB)/console
	@cp -t $(WEB)/docs $(wildcard gateway/web/docs/*) $(WEB)/node_modules/swagger-ui-dist/swagger-ui.css \
		$(WEB)/node_modules/swagger-ui-dist/swagger-ui-bundle.js
	@cp -t $(WEB)/console $(wildcard gateway/web/console/*) $(WEB)/node_modules/uplot/dist/uPlot.min.css \
		$(WEB)/node_modules/uplot/dist/uPlot.iife.min.js
	$(call show,EMBED)cd $(WEB) && ld -r -z noexecstack -b binary -o $(abspath $@) docs/* console/*

$(BUILD)/baro-gateway: $$(call objects,gateway/*.c) $(GATEWAY_MADE) $(LIB)
	$(call show,LINK)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# What load-demo makes is made with the services' own rules, which do no I/O.
RULES := order/order order/payment order/pay_saga order/refund_saga order/release_saga order/give_back \
         order/wire user/wallet user/password product/stock coupon/coupon \
         order/law_orders $(SERVICES:%=%/laws)
RULE_OBJ := $(RULES:%=$(BUILD)/services/%.o)

$(BUILD)/baroctl: $$(call objects,deploy/baroctl/*.c) $(RULE_OBJ) $(LIB)
	$(call show,LINK)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Tests of area X link everything of X but its main. Criterion brings nanomsg, whose names nng has
# too: libnanomsg comes first, so that the harness talks through its own library.
CRITERION = -Wl,--no-as-needed -lnanomsg -Wl,--as-needed -lcriterion
area_objects = $(filter-out %/main.o,$(if $(filter gateway,$(1)),$(call objects,gateway/*.c) $(GATEWAY_MADE),\
    $(if $(filter baroctl,$(1)),$(call objects,deploy/baroctl/*.c) $(RULE_OBJ) $(SERVICES:%=$(BUILD)/services/%/migrations.o),\
    $(if $(filter $(SERVICES),$(1)),$(call service_objects,$(1))))))
SUPPORT = $(call objects,tests/support/*.c)

export BARO_TEST_CERTIFICATES := $(abspath $(BUILD)/tests/certificates)
CERTIFICATES := $(BUILD)/tests/certificates/baro.pem
$(CERTIFICATES): tests/support/certificates
	@mkdir -p $(@D)
	$(call show,CERT)$< $(@D)

$(BUILD)/tests/unit-%: $$(call objects,tests/unit/%/*.c) $$(call objects,tests/unit/%/*/*.c) $$(call area_objects,%) $$(SUPPORT) $(LIB) | $(CERTIFICATES)
	@mkdir -p $(@D)
	$(call show,LINK)$(CC) $(LDFLAGS) -o $@ $(CRITERION) $^ $(CRITERION) $(LDLIBS)

$(BUILD)/tests/integration-%: $$(call objects,tests/integration/%/*.c) $$(call area_objects,%) $$(SUPPORT) $(LIB)
	@mkdir -p $(@D)
	$(call show,LINK)$(CC) $(LDFLAGS) -o $@ $(CRITERION) $^ $(CRITERION) $(LDLIBS)

# These start the processes themselves.
$(BUILD)/tests/integration-start: | $(BIN)

# Programs for node with packages of their own: the check of the API's description and of answers
# against it, of the manifests, the customer and operator who use the console, a client in TypeScript,
# and what looks at scripts.
CHECK     := $(BUILD)/tests/openapi
MANIFESTS := $(BUILD)/tests/kubernetes
CONSOLE   := $(BUILD)/tests/console
CLIENT    := $(BUILD)/tests/client
LINT      := $(BUILD)/tests/lint
NODE_CHECKS := $(CHECK) $(MANIFESTS) $(CONSOLE)
$(NODE_CHECKS:%=%/node_modules) $(CLIENT)/node_modules $(LINT)/node_modules: $(BUILD)/tests/%/node_modules: \
    tests/%/package.json tests/%/package-lock.json tests/%/.npmrc
	@mkdir -p $(@D)
	@cp $^ $(@D)
	$(call show,NPM)npm ci --prefix $(@D) --loglevel error > /dev/null
	@touch $@

$(NODE_CHECKS:%=%/check.mjs): $(BUILD)/tests/%/check.mjs: $$(wildcard tests/%/*.mjs) $(BUILD)/tests/%/node_modules
	@cp $(filter %.mjs,$^) $(@D)

# What they share.
$(BUILD)/tests/support/buyers.mjs: tests/support/buyers.mjs
	@mkdir -p $(@D)
	@cp $< $@
$(CONSOLE)/check.mjs: | $(BUILD)/tests/support/buyers.mjs

# The local cluster reads manifests as their check does, and with its packages.
CLUSTER := $(MANIFESTS)/cluster
$(CLUSTER)/check.mjs: $(wildcard tests/cluster/*.mjs) tests/cluster/container $(MANIFESTS)/check.mjs
	@mkdir -p $(@D)
	@cp -t $(@D) tests/cluster/*.mjs tests/cluster/container

.PHONY: test-manifests test-monitoring test-backup test-upgrade test-upgrade-short test-cluster test-images test-console
test-manifests: build $(MANIFESTS)/check.mjs ## Render the Kubernetes overlays and check them; test the alert rules
	@node --test-reporter=spec $(MANIFESTS)/check.mjs $(BUILD)
	@promtool test rules tests/monitoring/rules_test.yaml
	@node --test-reporter=spec tests/monitoring/check.mjs

test-monitoring: build ## A real Prometheus scrapes a stack; an alert comes and goes; every metric that is named is there
	@tests/monitoring/run .local/monitoring

test-backup: build ## Back up a stack under load, lose it, restore it to a moment: nothing promised is missing
	@tests/backup/run .local/backup

test-cluster: build $(CLUSTER)/check.mjs $(CERTIFICATES) ## Scale, roll and cut the pods of an overlay in network namespaces, under load; COMPONENTS=mutual-tls
	@tests/cluster/run .local/cluster $(CLUSTER)/check.mjs $(COMPONENTS)

test-images: images $(CLUSTER)/check.mjs ## Build the images, start each by buildah, order and pay
	@tests/cluster/run .local/test-images $(CLUSTER)/smoke.mjs .local/images

test-upgrade: build ## Roll out a next version beside this one under load, and half the way back; FROM=COMMIT: this one beside that
	@tests/upgrade/run .local/upgrade $(FROM)

test-upgrade-short: build ## One replica of each beside one of the version before the last change of the programs, or of FROM
	@tests/upgrade/run .local/upgrade --short $(FROM)

.PHONY: reference test-docs
reference: build ## Write the tables of docs/reference from what the programs say of themselves
	@tests/docs/run .local/reference $(BUILD) write

test-docs: build $(CLIENT)/node_modules ## Run every command of docs/, check the reference, use the API from TypeScript
	@tests/docs/run .local/docs $(BUILD)

test-console: build $(CONSOLE)/check.mjs ## A customer and an operator use the console in Chromium
	@tests/console/run .local/console $(CONSOLE)/check.mjs

$(E2E): $$(call objects,tests/e2e/*.c) $$(SUPPORT) $(LIB) | $(CHECK)/check.mjs
	@mkdir -p $(@D)
	$(call show,LINK)$(CC) $(LDFLAGS) -o $@ $(CRITERION) $^ $(CRITERION) $(LDLIBS)

# Running
STACK := deploy/local/stack
UP    ?= .local/up
export BUILD

.PHONY: run up down
run: build ## Start everything, take a short tour, print the addresses; Ctrl-C stops all
	@deploy/local/run $(UP)

up: build ## The same in the background; REPLICAS=2 for two of each
	@$(STACK) up $(UP) $(REPLICAS)
	@$(STACK) addresses $(UP)

down: ## Stop what `up` started; the data stays
	@$(STACK) down $(UP)

.PHONY: images
images: build ## Build one container image for each program, into .local/images
	@deploy/images/build .local/images

# Testing
SERVERS := deploy/local/servers
CRITERION_FLAGS ?= --jobs 4 --timeout 120

.PHONY: test check lint asan tsan
test: test-manifests $(UNIT) $(INTEGRATION) $(E2E) $(BUILD)/tests/churn $(BUILD)/tests/confine $(SIMULATE)/simulate ## Unit, integration, simulated, end-to-end and console tests, and those of the documents, on private servers
	@tests/lint/hardening $(LIB) $(BIN)
	@tests/lint/units $(BUILD)
	@SEED=1 SAGAS=60000 tests/simulate/run $(SIMULATE)/simulate
	@SAGAS=60000 tests/simulate/run $(SIMULATE)/simulate
	@$(MAKE) --no-print-directory sweep EVERY=101
	@$(MAKE) --no-print-directory plants
	@tests/run-all .local/test $(UNIT) $(INTEGRATION) tests/lint/statements
	@$(MAKE) --no-print-directory --output-sync=target test-stacks

# Several at once, each on a stack of its own: most of their time is waiting.
.PHONY: test-stacks test-tls test-local
test-stacks: end-to-end test-console test-docs test-tls test-monitoring churn test-backup test-local

test-tls: build $(E2E) $(BUILD)/tests/confine
	@CERTIFICATES=$(BARO_TEST_CERTIFICATES) CONFINE=$(BUILD)/tests/confine tests/e2e/run .local/e2e-tls $(E2E) --jobs 1 --timeout 180 --filter 'journey/a_c*'

test-local: build
	@tests/local/run .local/interrupt

ONE_HALF := abuse|audit|baroctl|faults|follow|hostile|journey|limits
.PHONY: end-to-end end-to-end-one end-to-end-other
end-to-end: end-to-end-one end-to-end-other ## The end-to-end tests on private servers
end-to-end-one: build $(E2E)
	@tests/e2e/run .local/e2e-one $(E2E) --jobs 1 --timeout 180 --filter '@($(ONE_HALF))/*'
end-to-end-other: build $(E2E)
	@tests/e2e/run .local/e2e-other $(E2E) --jobs 1 --timeout 180 --filter '!($(ONE_HALF))/*'

.PHONY: test-pgbouncer failover
test-pgbouncer: build $(E2E) ## The end-to-end tests with PgBouncer before PostgreSQL
	@POOLER=pgbouncer tests/e2e/run .local/e2e-pgbouncer $(E2E) --jobs 1 --timeout 180

failover: build ## Customers shop while PostgreSQL's primary is lost, ROUNDS=3 times; see tests/failover/README.md
	@tests/failover/run .local/failover

# Without optimisation compiling takes less than half as long; races want the tests to be quick.
ASAN_BUILD := BUILD=build-asan SANITIZE=address,undefined OPTIMIZE=-O0
TSAN_BUILD := BUILD=build-tsan SANITIZE=thread OPTIMIZE=-O1

asan: ## Unit and integration tests under AddressSanitizer and UBSan
	@$(MAKE) --no-print-directory $(ASAN_BUILD) check

tsan: ## The same under ThreadSanitizer
	@$(MAKE) --no-print-directory $(TSAN_BUILD) check

# What the sanitizer has to say goes into files, of which there must be none.
RACES := $(CURDIR)/.local/e2e-tsan.races

.PHONY: tsan-end-to-end sanitized-end-to-end
tsan-end-to-end: ## The end-to-end tests with every process under ThreadSanitizer
	@$(MAKE) --no-print-directory $(TSAN_BUILD) sanitized-end-to-end

sanitized-end-to-end: build $(E2E)
	@rm -rf $(RACES); mkdir -p $(RACES)
	@TSAN_OPTIONS="suppressions=$(CURDIR)/tests/lint/tsan.supp:die_after_fork=0:log_path=$(RACES)/race" \
	    tests/e2e/run .local/e2e-tsan $(E2E) --jobs 1 --timeout 600 $(E2E_FLAGS); failed=$$?; \
	    ! cat $(RACES)/* 2> /dev/null && exit $$failed

# A process of its own for each test, so that valgrind sees each from its beginning to its end.
VALGRIND := valgrind --quiet --error-exitcode=99 --trace-children=yes --leak-check=full \
    --show-leak-kinds=definite,indirect --errors-for-leak-kinds=definite,indirect \
    --suppressions=tests/lint/valgrind.supp

.PHONY: valgrind
valgrind: $(UNIT) ## Unit tests under valgrind: no error, nothing leaks
	@failed=; for program in $(UNIT); do echo "-- $$program"; \
	    $(VALGRIND) $$program --jobs $(CORES) --timeout 600 || failed="$$failed $$program"; done; \
	[ -z "$$failed" ] || { echo "failed:$$failed"; exit 1; }

# Where rules are: every branch of these is taken by a test (tests/cover/floor). An assert is no branch of
# theirs: what it forbids has no way on.
COVER_DOMAIN := $(shell sed -n 's/^[0-9]* *\([^ ]*\)\.c$$/\1/p' tests/cover/floor)
COVER_BUILD  := BUILD=build-cover COVERAGE=1 OPTIMIZE=-O0

.PHONY: cover covered
cover: ## Print lines and branches that unit and integration tests reach; fail below tests/cover/floor
	@$(MAKE) --no-print-directory $(COVER_BUILD) covered

covered: $(UNIT) $(INTEGRATION)
	@find $(BUILD) -name '*.gcda' -delete
	@tests/run-all .local/test $(UNIT) $(INTEGRATION); failed=$$?; \
	    node tests/cover/report.mjs $(BUILD) tests/cover/floor && exit $$failed

ifneq ($(COVERAGE),)
$(COVER_DOMAIN:%=$(BUILD)/%.o): CFLAGS += -DNDEBUG -Wno-error
endif

check: $(UNIT) $(INTEGRATION)
	@tests/run-all .local/check-$(notdir $(BUILD)) $(UNIT) $(INTEGRATION)

# The fuzz targets, one program each: clang's libFuzzer is their main. They link what they need of the
# gateway and of what the services know without a database.
FUZZ         := $(BUILD)/tests/fuzz
FUZZ_TARGETS := $(patsubst tests/fuzz/targets/%.c,%,$(wildcard tests/fuzz/targets/*.c))
FUZZ_PARTS   := order/webhook order/public_address order/signature order/event_body order/delivery \
                product/wire product/catalogue product/popularity user/account user/token user/signing_key
FUZZ_BUILD   := BUILD=build-fuzz CC=clang SANITIZE=fuzzer-no-link,address,undefined OPTIMIZE=-O2

$(FUZZ)/parts.a: $$(call area_objects,gateway) $(sort $(RULE_OBJ) $(FUZZ_PARTS:%=$(BUILD)/services/%.o))
	@mkdir -p $(@D)
	@rm -f $@
	$(call show,AR)ar rcs $@ $^

$(FUZZ_TARGETS:%=$(FUZZ)/%): $(FUZZ)/%: $(FUZZ)/targets/%.o $(FUZZ)/fuzz.o $(FUZZ)/parts.a $(LIB)
	$(call show,LINK)$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)

.PHONY: fuzz fuzz-short fuzzers
fuzz: ## Fuzz every target for SECONDS (60), or TARGET=x
	@$(MAKE) --no-print-directory $(FUZZ_BUILD) fuzzers
	@tests/fuzz/run build-fuzz/tests/fuzz $(or $(SECONDS),60) $(or $(TARGET),$(FUZZ_TARGETS))

fuzz-short: ## The same for 2 seconds each, from the seeds alone
	@rm -rf .local/fuzz/short
	@$(MAKE) --no-print-directory $(FUZZ_BUILD) fuzzers
	@CORPORA=.local/fuzz/short tests/fuzz/run build-fuzz/tests/fuzz 2 $(FUZZ_TARGETS)

fuzzers: $(FUZZ_TARGETS:%=$(FUZZ)/%)

BENCH := load record replay buyers constant rpc grpc
BENCH_CROWD := $(addprefix $(BUILD)/tests/bench/,crowd.o exchange.o flow.o samples.o)

# The load generators sign tokens with the user service's own code.
$(BUILD)/tests/bench-load $(BUILD)/tests/bench-offer: $(BUILD)/tests/bench-%: $(BUILD)/tests/bench/%.o $(BENCH_CROWD) $(call area_objects,user) $(LIB)
	@mkdir -p $(@D)
	$(call show,LINK)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# gRPC is the reference of the RPC figures: its own language, its own compiler, its own packages.
ECHO := $(BUILD)/tests/bench/grpc
$(BUILD)/tests/bench-grpc: tests/bench/grpc_echo.cc tests/bench/echo.proto
	@mkdir -p $(ECHO)
	$(call show,PROTO)protoc -Itests/bench --cpp_out=$(ECHO) --grpc_out=$(ECHO) \
		--plugin=protoc-gen-grpc=$$(command -v grpc_cpp_plugin) tests/bench/echo.proto
	$(call show,CXX)$(CXX) -O2 -std=c++17 -I$(ECHO) -o $@ $< $(ECHO)/echo.pb.cc $(ECHO)/echo.grpc.pb.cc \
		$$(pkg-config --cflags --libs grpc++ protobuf)

.PHONY: bench
bench: build $(BENCH:%=$(BUILD)/tests/bench-%) ## Measure everything in tests/bench/README.md; CASE=x for one
	@tests/bench/run .local/bench $(CASE)

# The simulator: the four programs from their main on, over a world of its own. What they would ask of
# the system is wrapped; its objects come before the library's, and stand in for some of them.
SIMULATE_WRAPS := malloc calloc realloc reallocarray free strdup strndup asprintf __asprintf_chk getenv \
    pthread_create pthread_join pthread_setname_np pthread_mutex_init pthread_mutex_destroy pthread_mutex_lock \
    pthread_mutex_unlock pthread_rwlock_init pthread_rwlock_destroy pthread_rwlock_rdlock pthread_rwlock_wrlock \
    pthread_rwlock_unlock pthread_cond_init pthread_cond_destroy pthread_cond_wait pthread_cond_timedwait \
    pthread_cond_signal pthread_cond_broadcast clock_gettime clock_nanosleep randombytes_random randombytes_buf \
    nng_prepare
SIMULATE_LDFLAGS = $(LDFLAGS) $(SIMULATE_WRAPS:%=-Wl,--wrap=%)
SIMULATE_OBJECTS = $(call objects,tests/simulate/*.c) $(SERVICES:%=$(SIMULATE)/%.o)
program_objects = $(SIMULATE)/main-$(1).o $(filter-out %/main.o,$(call service_objects,$(1)))

$(SIMULATE)/main-%.o: services/%/main.c | $(PB_H)
	@mkdir -p $(@D)
	$(call show,CC)$(CC) $(CFLAGS) $(WARNINGS) -Wno-missing-prototypes -Dmain=$*_main -MMD -MP -c -o $@ $<

# A whole program as one object, of which only its main is seen: names of one are not those of another.
$(SERVICES:%=$(SIMULATE)/%.o): $(SIMULATE)/%.o: $$(call program_objects,$$*)
	$(call show,LD)ld -r --wrap=user_service_bootstrap -o $@ $^
	@objcopy --keep-global-symbol=$*_main $@

$(SIMULATE)/simulate: $$(SIMULATE_OBJECTS) $(LIB)
	$(call show,LINK)$(CC) $(SIMULATE_LDFLAGS) -o $@ $^ $(LDLIBS)

# Each bug of tests/simulate/plants in a simulator of its own, which must find it within 10,000 sagas.
PLANTS := $(shell sed -n 's/^= \([a-z-]*\):.*/\1/p' tests/simulate/plants)
PLANTED := $(PLANTS:%=$(SIMULATE)/plants/%)
$(PLANTED): $(SIMULATE)/plants/%: tests/simulate/plants tests/simulate/plant $$(SIMULATE_OBJECTS) $(LIB)
	@mkdir -p $(@D)
	$(call show,PLANT)CC='$(CC)' CFLAGS='$(CFLAGS)' SIMULATE_LDFLAGS='$(SIMULATE_LDFLAGS)' LDLIBS='$(LDLIBS)' \
	    LIB=$(LIB) SERVICES='$(SERVICES)' SIMULATE_OBJECTS='$(SIMULATE_OBJECTS)' \
	    $(foreach service,$(SERVICES),OBJECTS_$(service)='$(call program_objects,$(service))') \
	    tests/simulate/plant $* $@

$(PLANTED:%=%.found): $(SIMULATE)/plants/%.found: $(SIMULATE)/plants/%
	@$< --seed 1 --sagas 10000 > $@.new 2>&1; test $$? = 1 || { echo "$*: not found"; cat $@.new; exit 1; }
	@mv $@.new $@

.PHONY: simulate sweep plants
simulate: $(SIMULATE)/simulate ## Simulate 1,000,000 sagas under faults, or SEED=n [RUNS=n] [TRACE=1]
	@tests/simulate/run $<

sweep: $(SIMULATE)/simulate ## One fault a run, at every place of SEED=1 at which one can happen; EVERY=n for each nth
	@$< --seed $(or $(SEED),1) --sweep $(or $(EVERY),1)

plants: $(PLANTED:%=%.found) ## Plant each bug of tests/simulate/plants: the simulator must find it
	@for plant in $(PLANTS); do printf '  %-26s %s\n' $$plant "$$(sed -n 's/: make simulate.*//; /^seed/p' $(SIMULATE)/plants/$$plant.found)"; done

# The fault runs: the five programs with their fault points, of which only the sources that have some are
# compiled once more, and the driver.
FAULT   := $(BUILD)/fault
POINTED := $(basename $(shell grep -rl --include='*.c' fault_point.h lib services gateway))
POINTED_LIB := $(patsubst %,$(FAULT)/%.o,$(filter lib/%,$(POINTED)))
with_points = $(foreach object,$(1),$(if $(filter $(POINTED),$(object:$(BUILD)/%.o=%)),$(object:$(BUILD)/%=$(FAULT)/%),$(object)))
$(FAULT)/%.o: %.c | $(PB_H)
	@mkdir -p $(@D)
	$(call show,CC)$(CC) $(CFLAGS) $(WARNINGS) -DBARO_FAULTS -MMD -MP -c -o $@ $<

$(SERVICES:%=$(FAULT)/baro-%): $(FAULT)/baro-%: $$(call with_points,$$(call service_objects,$$*)) $(POINTED_LIB) $(LIB)
	$(call show,LINK)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(FAULT)/baro-gateway: $$(call with_points,$$(call objects,gateway/*.c)) $(GATEWAY_MADE) $(POINTED_LIB) $(LIB)
	$(call show,LINK)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(FAULT)/baroctl: $(BUILD)/baroctl
	@ln -f $< $@

FAULTS := $(BUILD)/tests/faults
$(FAULTS): $(filter-out %/churn.o,$(call objects,tests/fault/*.c)) $(BUILD)/services/order/order.o \
    $(addprefix $(BUILD)/tests/support/,http.o transcript.o receiver.o descriptors.o) $(LIB)
	@mkdir -p $(@D)
	$(call show,LINK)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

FAULT_PROGRAMS := $(patsubst $(BUILD)/%,$(FAULT)/%,$(BIN))
.PHONY: fault fault-short
fault: $(FAULT_PROGRAMS) $(FAULTS) ## Break everything under load, for long; CAMPAIGN=kill,network ROUNDS=n SECONDS=n SEED=n
	@BUILD=$(FAULT) tests/fault/run .local/fault $(FAULTS)

fault-short: $(FAULT_PROGRAMS) $(FAULTS) ## The same in three minutes
	@BUILD=$(FAULT) tests/fault/run .local/fault $(FAULTS) --short

# What needs the libraries only.
$(BUILD)/tests/churn: $(BUILD)/tests/fault/churn.o $(addprefix $(BUILD)/tests/support/,stand.o identity.o descriptors.o) \
    $(LIB) | $(CERTIFICATES)
$(BUILD)/tests/bench-rpc: $(BUILD)/tests/bench/rpc_echo.o $(BUILD)/tests/support/stand.o $(BUILD)/tests/support/identity.o \
    $(LIB) | $(CERTIFICATES)
$(BUILD)/tests/bench-record: $(BUILD)/tests/bench/record.o
$(BUILD)/tests/bench-replay: $(BUILD)/tests/bench/replay.o $(LIB)
$(BUILD)/tests/bench-buyers: $(BUILD)/tests/bench/buyers.o $(LIB)
$(BUILD)/tests/bench-constant: $(BUILD)/tests/bench/constant.o $(LIB)
$(BUILD)/tests/churn $(patsubst %,$(BUILD)/tests/bench-%,rpc record replay buyers constant):
	@mkdir -p $(@D)
	$(call show,LINK)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Runs a program with the system calls that deploy/seccomp lets it have.
$(BUILD)/tests/confine: $(BUILD)/tests/sandbox/confine.o
	@mkdir -p $(@D)
	$(call show,LINK)$(CC) $(LDFLAGS) -o $@ $^ -lseccomp $(LDLIBS)

.PHONY: overload outage
overload: build $(addprefix $(BUILD)/tests/bench-,load offer constant) ## Ask ten times what can be done, for SECONDS=60; see tests/overload/README.md
	@LASTS=$(or $(SECONDS),60) tests/overload/run .local/overload overload

outage: build $(BUILD)/tests/bench-load $(BUILD)/tests/bench-offer ## Take PostgreSQL away under load, for SECONDS=30
	@LASTS=$(or $(SECONDS),30) tests/overload/run .local/outage outage

.PHONY: bench-million
bench-million: build ## Time every list and report with a million orders loaded; ORDERS=n for others
	@tests/bench/million .local/million

.PHONY: churn bench-rpc
churn: $(BUILD)/tests/churn ## Kill nng's peers under full load; the survivors must go on
	@$<

bench-rpc: $(BUILD)/tests/bench-rpc ## Measure RPC round trips per second
	@$<

SOURCES = lib services gateway deploy tests
C_FILES = $(shell find $(SOURCES) -name '*.c')
SCRIPTS = $(shell grep -rlE '^\#!.*\b(ba)?sh$$' .ci deploy tests) $(wildcard tests/bench/*.sh)
# A third of the states that the analyzer may look at in a function: its time falls by half. With a sixth it sees
# faults that are none.
SHALLOW = -Xclang -analyzer-config -Xclang max-nodes=75000
# cppcheck reads no system headers: what it must know of them is said here.
CPPCHECK = cppcheck --quiet -j$(CORES) --error-exitcode=1 --std=c11 --enable=warning,performance,portability \
    --inline-suppr --suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches \
    --suppress='nullPointer*OutOfMemory:tests/*' --suppress='assertWithSideEffect:tests/*' \
    --include=/usr/include/utlist.h --include=/usr/include/uthash.h \
    -DPROTOBUF_C_VERSION_NUMBER=1005001 -DPROTOBUF_C_MIN_COMPILER_VERSION=1000000 \
    '-D_Noreturn=__attribute__((noreturn))' \
    '-Djson_array_foreach(array,index,value)=while((value=json_array_get(array,index=0)))' \
    '-DTest(suite,name,...)=static void suite\#\#_\#\#name(void)' '-DTestSuite(...)=' -I. -I$(BUILD)
lint: $(LINT)/node_modules ## Format, warnings of gcc and clang, clang-tidy, cppcheck, shellcheck, layers, sizes, migrations
	tests/lint/layers
	tests/lint/sql
	tests/lint/references
	tests/lint/functions
	tests/lint/sentences
	tests/lint/migrations
	tests/lint/scripts $(LINT)
	clang-format --dry-run -Werror $$(find $(SOURCES) -name '*.[ch]')
	shellcheck -S warning $(SCRIPTS)
	@$(MAKE) --no-print-directory CC=gcc objects
	$(CPPCHECK) $(SOURCES)
	@echo clang-tidy; printf '%s\n' $(C_FILES) | xargs -P$(CORES) -n4 sh -c 'clang-tidy --quiet "$$@" -- $(CFLAGS) $(WARNINGS) $(SHALLOW) \
	    2> /dev/null' clang-tidy

.PHONY: format
format: $(LINT)/node_modules ## Format all C, JavaScript, TypeScript and CSS in place
	@clang-format -i $$(find $(SOURCES) -name '*.[ch]')
	@FORMAT=--write tests/lint/scripts $(LINT)

.PHONY: objects
objects: $(C_FILES:%.c=$(BUILD)/%.o)

.PHONY: clean
clean: ## Remove what was built (the private servers' data stays)
	rm -rf $(BUILD)

.PHONY: help
help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | sort | expand -t 12

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
.SECONDARY:
endif
