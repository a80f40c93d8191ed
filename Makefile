# SPDX-License-Identifier: GPL-2.0-or-later
#
# Everything is built below build/PROFILE, never beside the sources; `make help` lists the targets.
# Each target first sees to the packages it needs (tests/deps.sh), so that any of them may be the
# first command typed.  So nothing here may ask pkg-config or a compiler before a recipe runs.

VERSION := $(shell cat VERSION 2>/dev/null || git describe --tags --always --dirty 2>/dev/null || \
	echo unknown)
PROFILE ?= release
O       := build/$(PROFILE)$(if $(STATIC),-static)
RESULTS := $(O)/results

PREFIX  ?= /usr/local
BINDIR  ?= $(PREFIX)/bin
DATADIR ?= $(PREFIX)/share
MANDIR  ?= $(DATADIR)/man
DESTDIR ?=

PKG_CONFIG  ?= pkg-config
INSTALL     ?= install
JOBS        ?= $(shell nproc)
BATS_JOBS   ?= 3
ASAN_SUITES ?= unit golden
MINUTES     ?= 1
SEED        ?=
TARGET      ?= $(FUZZERS)
DEPS        ?=
ARGS        ?=

# The packages the program links with.  Asked for once, at first use.
PKGS       := glib-2.0 json-c
# Of these only the headers: the program loads them when it needs them (lib/host/ndctl_loader.c).
LOADED     := libndctl libdaxctl
PKG_FLAGS   = $(eval PKG_FLAGS := $(shell $(PKG_CONFIG) --cflags $(PKGS) $(LOADED)))$(PKG_FLAGS)
PKG_LIBS    = $(eval PKG_LIBS := $(shell $(PKG_CONFIG) $(if $(STATIC),--static) --libs $(PKGS)))$(PKG_LIBS)
CHECK_FLAGS = $(eval CHECK_FLAGS := $(shell $(PKG_CONFIG) --cflags check))$(CHECK_FLAGS)
CHECK_LIBS  = $(eval CHECK_LIBS := $(shell $(PKG_CONFIG) --libs check))$(CHECK_LIBS)

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wold-style-definition -Wpointer-arith -Wwrite-strings -Wcast-qual -Wundef \
	-Wvla -Wformat=2 -Wswitch-enum -Wconversion -Wimplicit-fallthrough \
	-Wno-sign-conversion -Wno-missing-field-initializers

CFLAGS_release  := -O2 -g -fPIE -fstack-protector-strong -D_FORTIFY_SOURCE=2
LDFLAGS_release := -pie -Wl,-z,relro,-z,now
CFLAGS_debug    := -Og -g3
CFLAGS_asan     := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=all
LDFLAGS_asan    := -fsanitize=address,undefined
CFLAGS_cov      := -O0 -g --coverage
LDFLAGS_cov     := --coverage
CFLAGS_fuzz     := $(CFLAGS_asan) -fsanitize=fuzzer-no-link
LDFLAGS_fuzz    := -fsanitize=fuzzer,address,undefined

# CPPFLAGS, CFLAGS, LDFLAGS and LDLIBS stay the user's; ours come before them.
OUR_CPPFLAGS = -D_GNU_SOURCE -DG_LOG_DOMAIN='"exomem"' \
	-DGLIB_VERSION_MIN_REQUIRED=GLIB_VERSION_2_74 \
	-DGLIB_VERSION_MAX_ALLOWED=GLIB_VERSION_2_74 -Ilib $(PKG_FLAGS)
OUR_CFLAGS   = -std=gnu11 $(WARNINGS) $(if $(WERROR),-Werror) $(CFLAGS_$(PROFILE))
BANNED       = -include lib/base/banned.h
COMPILE      = $(CC) $(OUR_CPPFLAGS) $(EXTRA) $(CPPFLAGS) $(OUR_CFLAGS) $(CFLAGS)
LINK         = $(CC) $(CFLAGS) $(LDFLAGS_$(PROFILE)) $(if $(STATIC),-static-pie) $(LDFLAGS)
# What some sources are compiled with and others not: the version only in cmd, or each commit would
# rebuild everything.
EXTRA        =
VERSION_FLAG = -DVERSION='"$(VERSION)"'

LIB_SRC  := $(wildcard lib/*/*.c)
CMD_SRC  := $(wildcard cmd/*.c)
UNIT_SRC := $(wildcard tests/unit/*.c)
FUZZ_SRC := $(wildcard tests/fuzz/*.c)
FUZZERS  := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
SRC      := $(LIB_SRC) $(CMD_SRC) $(UNIT_SRC) $(FUZZ_SRC)
HDR      := $(wildcard lib/*/*.h cmd/*.h tests/unit/*.h tests/fuzz/*.h)
GUEST_C  := $(wildcard tests/guest/*.[ch] tests/linux/*.c tests/bench/*.c tests/hard/*.c tests/integration/*.c)
BATS     := $(wildcard tests/integration/*.bats)
LAB_BATS := $(wildcard tests/lab/*.bats)
HARD     := $(wildcard tests/hard/*.bats)
MAN      := $(wildcard man/*.[1-8])
SH       := .ci/run $(wildcard tests/*.sh tests/*/*.sh tests/*/*.bash examples/*.sh) $(BATS) \
	$(wildcard tests/long/*.bats tests/hard/*.bats) \
	$(wildcard tests/bench/*.bats) $(LAB_BATS) tests/lab/init tests/lab/on-host
obj       = $(1:%.c=$(O)/%.o)

GUEST_DIR := $(CURDIR)/build/guest
GUEST     := $(GUEST_DIR)/tiny.elf
LINUX     := $(CURDIR)/build/linux
BACKPORTS := $(CURDIR)/build/qemu-backports/qemu-system-x86_64
LAB       := $(CURDIR)/build/lab

MAKEFLAGS += --no-builtin-rules --no-print-directory
Q   := $(if $(V),,@)
say  = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2))
# Another make on all processors, unless the user has said how many.
sub  = $(MAKE) $(if $(filter -j%,$(MAKEFLAGS)),,-j$(JOBS))

all: $(O)/exomem ## build the program (build/release/exomem)

$(O)/exomem: $(call obj,$(CMD_SRC)) $(O)/libexomem.a
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ $(PKG_LIBS) $(LDLIBS)
$(O)/libexomem.a: $(call obj,$(LIB_SRC))
	$(call say,AR,$@)
	$(Q)$(RM) $@ && $(AR) rcs $@ $^
$(O)/unit: $(call obj,$(UNIT_SRC)) $(O)/libexomem.a
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ $(CHECK_LIBS) $(PKG_LIBS) $(LDLIBS)
$(O)/replay_%: $(O)/tests/fuzz/fuzz_%.o $(O)/tests/fuzz/main.o $(O)/libexomem.a
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ $(PKG_LIBS) $(LDLIBS)
$(O)/fault: tests/hard/fault.c $(O)/.command
	$(call say,CC,$@)
	$(Q)$(CC) -D_GNU_SOURCE $(CPPFLAGS) -std=gnu11 $(WARNINGS) $(if $(WERROR),-Werror) -O2 -g $(CFLAGS) -o $@ $<
$(O)/fuzz_%: $(O)/tests/fuzz/fuzz_%.o $(O)/libexomem.a
	$(call say,LD,$@)
	$(Q)$(LINK) -o $@ $^ $(PKG_LIBS) $(LDLIBS)

$(O)/%.o: %.c $(O)/.command
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D) && $(COMPILE) $(BANNED) -MMD -MP -c -o $@ $<
$(call obj,$(CMD_SRC)): private EXTRA = $(VERSION_FLAG)
$(call obj,$(CMD_SRC)): $(O)/.version
$(call obj,$(UNIT_SRC)): private EXTRA = $(CHECK_FLAGS)
$(call obj,$(UNIT_SRC)): | need-unit

# A changed flag rebuilds what it touches.
quoted = '$(subst ','\'',$(1))'
stamp  = $(Q)mkdir -p $(@D); echo $(quoted) | cmp -s - $@ || echo $(quoted) >$@
$(O)/.command: FORCE | need-build
	$(call stamp,$(COMPILE))
$(O)/.version: FORCE
	$(call stamp,$(VERSION))

# --- what must be installed ---

deps: ## install with apt what the examples need; DEPS=all or DEPS="build test" for more
	@tests/deps.sh $(DEPS)
NEEDS := $(addprefix need-,build unit test demo transcript linux lab lint coverage valgrind clang \
	fuzz bench clean cache dev)
$(NEEDS): need-%:
	@tests/deps.sh $*

# --- tests ---

# Runs suites one after another, whatever each says, and sums up the results they leave.
# $(1): suites, $(2): groups of packages they need
define run_suites
@tests/deps.sh $(2)
$(Q)+mkdir -p $(RESULTS); $(RM) $(1:%=$(RESULTS)/%*.tap) $(1:%=$(RESULTS)/%-*.unsteady); bad=0; \
for suite in $(1); do $(sub) run-$$suite || bad=1; done; \
tests/summary.sh $(1:%=$(RESULTS)/%) || bad=1; exit $$bad
endef

check: ## unit, golden and integration tests, with a summary
	$(call run_suites,unit golden integration,build unit test)
check-unit: ## unit tests and fuzz corpus: seconds, no root, no QEMU
	$(call run_suites,unit,build unit)
check-golden: ## what exomem prints; UPDATE=1 rewrites, ARGS=TOPIC/NAME for some
	$(call run_suites,golden,build)
check-integration: ## tests with the installed QEMU; ARGS=tests/integration/X.bats for some
	$(call run_suites,integration,build test)
check-smoke: ## the integration tests that show most in a minute or two
	$(call run_suites,smoke,build test)
check-integration-backports: ## with the QEMU of this Debian's backports, unpacked below build
	$(call run_suites,integration-backports,build test)
check-long: ## a hundred children of one Linux guest: minutes, and 4 GiB of memory
	$(call run_suites,long,build test)
check-hard: ## system calls that fail and SIGKILLs, verb by verb; MINUTES=40, SEED= goes on with an earlier run
	$(call run_suites,hard,build test)
check-lab: ## tests in the lab: NFS, NVDIMMs, disks; ARGS=tests/lab/X.bats for some
	$(call run_suites,lab,build test lab)
check-clean: ## make check as the first command in a bare Debian; RELEASE=trixie for another; root only
	@tests/deps.sh clean
	$(Q)tests/clean/check.sh $(RELEASE)
check-lab-short: ## those of them that are tagged short, as in CI: some ten minutes
	$(call run_suites,lab-short,build test lab)
check-asan: ## unit and golden tests under ASan and UBSan; ASAN_SUITES= for others
	$(Q)$(MAKE) PROFILE=asan SUITES='$(ASAN_SUITES)' check-suites
check-suites: # some SUITES, in this PROFILE
	$(call run_suites,$(SUITES),build unit $(if $(filter integration,$(SUITES)),test))

# A sanitizer searches all memory at the end of each process. With a process for each test that takes most
# of the time, so there it is one for all, whose end is when leaks are reported.
run-unit: $(O)/unit $(FUZZERS:%=$(O)/replay_%)
	$(Q)export G_DEBUG=fatal-criticals G_SLICE=always-malloc $(if $(filter asan,$(PROFILE)),CK_FORK=no); \
	bad=0; \
	CK_TAP_LOG_FILE_NAME=$(RESULTS)/unit.tap timeout --foreground 1200 $(O)/unit || bad=1; \
	for target in $(FUZZERS); do $(O)/replay_$$target tests/fuzz/corpus/$$target/* \
		>$(RESULTS)/unit-fuzz-$$target.tap || bad=1; done; exit $$bad
run-golden: $(O)/exomem
	$(Q)printf '%s\n' $(or $(ARGS),$(patsubst tests/golden/%/,%,$(wildcard tests/golden/*/))) | \
		EXOMEM=$(CURDIR)/$(O)/exomem xargs -P $(JOBS) -I{} sh -c \
		'TAP=$(RESULTS)/golden-$$(echo "$$0" | tr / -).tap tests/golden/run.sh "$$0"' {}
# $(1): what its results are called, $(2): files, $(3): seconds for one, $(4): what runs it, $(5): more of
# the environment. bats waits, beyond any test's limit, for all that a test left running.
define run_files
$(Q)EXOMEM=$(CURDIR)/$(O)/exomem GUEST=$(GUEST) LINUX=$(LINUX) BATS_JOBS=$(BATS_JOBS) \
	BATS_TEST_TIMEOUT=$${BATS_TEST_TIMEOUT:-120} $(5) \
	tests/run-files.sh $(RESULTS)/$(1) $(3) '$(or $(4),bats --formatter tap)' $(or $(ARGS),$(2))
endef
# What never starts a QEMU is tested once, and not on each of them.
WITHOUT_QEMU := $(wildcard $(addprefix tests/integration/,completion.bats config.bats pmem.bats))
SMOKE        := $(addprefix tests/integration/,run.bats console.bats save.bats template.bats fork.bats)
run-integration: $(O)/exomem guests qemu-backports
	$(call run_files,integration,$(BATS),1200)
run-integration-backports: $(O)/exomem guests qemu-backports
	$(call run_files,integration-backports,$(filter-out $(WITHOUT_QEMU),$(BATS)),1200,,\
		EXOMEM_QEMU=$(BACKPORTS))
run-smoke: $(O)/exomem guests
	$(call run_files,smoke,$(SMOKE),1200)
run-long: $(O)/exomem guests
	$(call run_files,long,$(wildcard tests/long/*.bats),3600,,BATS_TEST_TIMEOUT=1200)
# The seed of a run, and each test's share of its minutes: HARD_SHARE seconds.
hard_seed   = $(eval SEED := $(or $(SEED),$(shell date +%s)))$(SEED)
HARD_TESTS  = $(shell cat $(HARD) | grep -c '^@test')
# MINUTES is fuzz's, too, and has another default there.
HARD_MINUTES = $(if $(filter file,$(origin MINUTES)),40,$(MINUTES))
HARD_SHARE  = $$(($(HARD_MINUTES) * 60 * $(BATS_JOBS) / $(HARD_TESTS)))
run-hard: $(O)/exomem $(O)/fault guest
	$(Q)echo 'system calls that fail: SEED=$(hard_seed)'
	$(call run_files,hard,$(HARD),$$((1200 + $(HARD_MINUTES) * 120)),,FAULT=$(CURDIR)/$(O)/fault \
		SEED=$(SEED) STORE=$(CURDIR)/$(O)/hard SHARE=$(HARD_SHARE) \
		BATS_TEST_TIMEOUT=$$((300 + $(HARD_MINUTES) * 60))); \
	rc=$$?; cat $(O)/hard/$(SEED)-*.sum | tests/hard/total.sh $(SEED); exit $$rc
# Each file there is a whole machine.
run-lab run-lab-short: BATS_JOBS = 2
run-lab: $(O)/exomem guest $(LAB)/root.img
	$(call run_files,lab,$(LAB_BATS),3600,tests/lab/run.sh,LAB=$(LAB))
run-lab-short: $(O)/exomem guest $(LAB)/root.img
	$(call run_files,lab-short,$(shell grep -l '^# bats .*_tags=short' $(LAB_BATS)),3600,\
		tests/lab/run.sh,LAB=$(LAB) TAGS=short)

check-valgrind: need-valgrind need-unit ## unit tests under valgrind
	$(Q)+$(sub) PROFILE=debug build/debug/unit
	$(Q)CK_FORK=no CK_TIMEOUT_MULTIPLIER=20 G_SLICE=always-malloc G_DEBUG=gc-friendly \
		valgrind -q --error-exitcode=9 --leak-check=full \
		--suppressions=/usr/share/glib-2.0/valgrind/glib.supp build/debug/unit
fuzz: $(TARGET:%=fuzz-%) ## look for bad input, under ASan and UBSan; MINUTES=10 TARGET=size
fuzz-%: need-fuzz
	$(Q)+$(sub) CC=clang PROFILE=fuzz build/fuzz/fuzz_$*
	$(Q)mkdir -p build/fuzz/corpus/$*
	$(Q)G_DEBUG=fatal-criticals G_SLICE=always-malloc TMPDIR=$${TMPDIR:-/dev/shm} \
		build/fuzz/fuzz_$* \
		-max_total_time=$$(($(MINUTES) * 60)) -timeout=60 -print_final_stats=1 \
		-artifact_prefix=build/fuzz/$*- build/fuzz/corpus/$* tests/fuzz/corpus/$*
coverage: need-coverage ## lines that tests reach; fails below 95 % of lib/base, lib/plan
	$(Q)test ! -d build/cov || find build/cov -name '*.gcda' -delete
	$(Q)$(MAKE) PROFILE=cov SUITES='unit golden' check-suites
	$(Q)gcovr -r . --object-directory build/cov -f lib/ -f cmd/ --json build/cov/coverage.json
	$(Q)gcovr -r . -a build/cov/coverage.json
	$(Q)gcovr -r . -a build/cov/coverage.json -f lib/base/ -f lib/plan/ --fail-under-line 95 \
		>build/cov/floor; rc=$$?; echo 'lib/base and lib/plan:'; tail -n 3 build/cov/floor; \
		exit $$rc

# What tests use: without a Linux guest (no network, say) those that need one are skipped.
guests: guest
	$(Q)$(MAKE) linux || echo 'no Linux guest: the tests that need it will be skipped' >&2
guest: | need-build
	$(Q)$(MAKE) -s -C tests/guest OUT=$(GUEST_DIR)
linux: $(LINUX)/initrd.gz ## the Linux guest of examples and tests: a kernel and busybox, fetched by apt
$(LINUX)/initrd.gz: $(wildcard tests/linux/*) | need-linux
	$(call say,GUEST,$(@D))
	$(Q)tests/linux/build.sh $(@D) && touch $@

qemu-backports: | need-test ## the QEMU of this Debian's backports, below build; does not install it
	$(Q)tests/qemu-backports.sh $(dir $(BACKPORTS)) || \
		echo 'no second QEMU: the tests that need it will be skipped' >&2

lab: $(O)/exomem guest $(LAB)/root.img ## a shell in the lab; ARGS='nvdimm=258M numa=2'
	$(Q)LAB=$(LAB) EXOMEM=$(CURDIR)/$(O)/exomem GUEST=$(GUEST) tests/lab/boot.sh $(LAB)/hand $(ARGS)
lab-root: $(LAB)/root.img
$(LAB)/root.img: $(addprefix tests/,lab/build.sh lab/mount-root linux/kernel.sh linux/module.sh) \
	$(LINUX)/initrd.gz | need-lab
	$(call say,LAB,$(@D))
	$(Q)tests/lab/build.sh $(@D) $(LINUX)

demo: ## boot a guest on a named memory file and look at it, in seconds
	@tests/deps.sh build demo
	$(Q)+$(sub) all guest
	$(Q)EXOMEM=$(CURDIR)/$(O)/exomem GUEST=$(GUEST) examples/demo.sh
transcript: ## children that share the memory of a saved guest, as with the QEMU patch of 2012
	@tests/deps.sh build transcript
	$(Q)+$(sub) all guest
	$(Q)EXOMEM=$(CURDIR)/$(O)/exomem GUEST=$(GUEST) examples/transcript.sh
bench: ## figures as ratios to a hand-written QEMU command
	@tests/deps.sh build bench
	$(Q)+$(sub) all guests
	$(Q)EXOMEM=$(CURDIR)/$(O)/exomem GUEST=$(GUEST) LINUX=$(LINUX) tests/bench/bench.sh $(ARGS)
	$(Q)tests/bench/planner.sh $(O)
	$(Q)EXOMEM=$(CURDIR)/$(O)/exomem GUEST=$(GUEST) tests/bench/round.sh
	$(Q)EXOMEM=$(CURDIR)/$(O)/exomem GUEST=$(GUEST) tests/bench/ksm.sh
	$(Q)EXOMEM=$(CURDIR)/$(O)/exomem GUEST=$(GUEST) tests/bench/migrate.sh
	$(Q)EXOMEM=$(CURDIR)/$(O)/exomem GUEST=$(GUEST) tests/bench/prefetch.sh
	$(Q)EXOMEM=$(CURDIR)/$(O)/exomem GUEST=$(GUEST) tests/bench/overcommit.sh
	$(Q)EXOMEM=$(CURDIR)/$(O)/exomem LINUX=$(LINUX) tests/bench/balance.sh

# --- static checks ---

# Where clang-tidy and cppcheck remember what they have found nothing in.
LINTED ?= build/linted
LINTS := $(addprefix lint-,format headers layers tidy cppcheck man shell words docs)
lint: $(LINTS) ## every static check; lint-tidy and the like are one each
$(LINTS): | need-lint
$(filter-out lint-man lint-words lint-shell,$(LINTS)): | need-build
lint-headers: | need-unit
lint-format:
	$(call say,LINT,format)
	$(Q)clang-format --dry-run -Werror $(SRC) $(HDR) $(GUEST_C)
lint-headers: # each header compiles alone, without the one that is forced in
	$(call say,LINT,headers)
	$(Q)bad=0; for h in $(HDR); do $(COMPILE) $(CHECK_FLAGS) -fsyntax-only \
		-include $$h -x c /dev/null || bad=1; done; exit $$bad
lint-layers:
	$(call say,LINT,layers)
	$(Q)tests/lint/layers.sh
# What it has found nothing in for a month is looked at again.
lint-tidy:
	$(call say,LINT,tidy)
	$(Q)mkdir -p $(LINTED) && find $(LINTED) -type f -mtime +30 -delete
	$(Q)printf '%s\n' $(LIB_SRC) $(CMD_SRC) | xargs -P $(JOBS) -I{} \
		tests/lint/tidy.sh $(LINTED)/tidy {} $(OUR_CPPFLAGS) -DVERSION='"0"' -std=gnu11
# It does not know the cleanup attribute either; and readdir_r() is worse than readdir().
lint-cppcheck:
	$(call say,LINT,cppcheck)
	$(Q)mkdir -p $(LINTED)/cppcheck
	$(Q)cppcheck --quiet --cppcheck-build-dir=$(LINTED)/cppcheck -j $(JOBS) --std=c11 --error-exitcode=1 \
		--enable=warning,performance,portability --inline-suppr \
		--suppress=resourceLeak --suppress=readdirCalled \
		--library=gtk --library=posix --library=tests/lint/cppcheck.cfg \
		-Ilib $(LIB_SRC) $(CMD_SRC)
lint-man:
	$(call say,LINT,man)
	$(Q)mandoc -Tlint -W warning $(MAN)
lint-shell:
	$(call say,LINT,shell)
	$(Q)shellcheck $(SH)
# nd: mdoc's .Nd; hda, hax, passt: QEMU's words; mdoe, nmae, opne, flie: typing errors to be caught.
# Recorded answers in tests/data are as QEMU spelled them; fuzz corpora are misspelt on purpose.
WORDS := nd,hda,hax,passt,baloon,mdoe,nmae,opne,flie
lint-words:
	$(call say,LINT,words)
	$(Q){ git ls-files -co --exclude-standard 2>/dev/null || \
		find * -path build -prune -o -type f -print; } | \
		grep -vE '^(COPYING|tests/(data|fuzz/corpus)/.*|tests/golden/.*/not-utf8-.*)$$' | \
		xargs codespell -L $(WORDS)
lint-docs: $(O)/exomem # options in the code, in --help and in the man pages
	$(call say,LINT,docs)
	$(Q)tests/lint/docs.sh $(O)/exomem
lint-analyzer: ## gcc's own path explorer, for the curious
	$(Q)+$(sub) PROFILE=debug O=build/analyzer CFLAGS=-fanalyzer all
format: need-lint ## rewrite the sources with clang-format
	$(Q)clang-format -i $(SRC) $(HDR) $(GUEST_C)

# --- install and release ---

# Where a man page goes: by its section.
installed = $(DESTDIR)$(MANDIR)/man$(patsubst .%,%,$(suffix $(1)))/$(notdir $(1))
# Where each shell looks for completions: shell:path, as the program prints them.
COMPLETIONS := bash:bash-completion/completions/exomem zsh:zsh/site-functions/_exomem \
	fish:fish/vendor_completions.d/exomem.fish
completion_file = $(DESTDIR)$(DATADIR)/$(word 2,$(subst :, ,$(1)))
install: $(O)/exomem ## into DESTDIR and PREFIX (/usr/local)
	$(INSTALL) -D $(O)/exomem $(DESTDIR)$(BINDIR)/exomem
	$(foreach page,$(MAN),$(INSTALL) -D -m 644 $(page) $(call installed,$(page)) &&) true
	$(foreach row,$(COMPLETIONS),$(O)/exomem completion $(firstword $(subst :, ,$(row))) | \
		$(INSTALL) -D -m 644 /dev/stdin $(call completion_file,$(row)) &&) true
uninstall: ## remove what install put there
	$(RM) $(DESTDIR)$(BINDIR)/exomem $(foreach page,$(MAN),$(call installed,$(page))) \
		$(foreach row,$(COMPLETIONS),$(call completion_file,$(row)))

# The tarball holds HEAD, whatever lies about in the tree; the same commit gives the same bytes.
DIST := exomem-$(VERSION:%-dirty=%)
dist: ## a release tarball of HEAD, below build
	$(Q)mkdir -p build
	git -c tar.umask=0022 archive --prefix=$(DIST)/ \
		--add-virtual-file=$(DIST)/VERSION:$(DIST:exomem-%=%) -o build/$(DIST).tar HEAD
	gzip -nf9 build/$(DIST).tar
distcheck: dist ## unpack it, build, test, install and uninstall
	$(RM) -r build/dist && mkdir -p build/dist
	tar -xzf build/$(DIST).tar.gz -C build/dist --strip-components=1
	$(MAKE) -C build/dist check-unit
	$(MAKE) -C build/dist check-golden
	$(MAKE) -C build/dist install DESTDIR=$(CURDIR)/build/dist/root
	build/dist/root$(BINDIR)/exomem --version | grep -F '$(DIST:exomem-%=%)'
	$(MAKE) -C build/dist uninstall DESTDIR=$(CURDIR)/build/dist/root
	test -z "$$(find build/dist/root ! -type d)"

# --- by hand ---

gdb: need-dev ## debug build under gdb; ARGS='run ...'
	$(Q)+$(sub) PROFILE=debug all
	G_DEBUG=fatal-criticals gdb --args build/debug/exomem $(ARGS)
compile_commands.json: need-build need-unit need-dev ## for clangd: build/compile_commands.json
	$(Q)mkdir -p build; for file in $(SRC); do jq -n --arg dir $(CURDIR) --arg file $$file \
		'{directory: $$dir, file: $$file, arguments: $$ARGS.positional}' \
		--args -- $(COMPILE) $(CHECK_FLAGS) $(VERSION_FLAG) $(BANNED) -c $$file || exit 1; \
		done | jq -s . >build/$@
help: ## this list
	@grep -hE '^[a-z0-9_.-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 24
	@echo
	@echo 'V=1 shows the commands, WERROR=1 makes warnings errors, PROFILE=debug|asan|cov'
	@echo 'builds there; STATIC=1 links all libraries in, which saves half a millisecond a start; CC, CPPFLAGS, CFLAGS, LDFLAGS, LDLIBS, PREFIX, DESTDIR are yours.'
clean: ## remove build
	$(RM) -r build

FORCE:
.PHONY: all deps $(NEEDS) check check-unit check-golden check-integration check-integration-backports \
	check-smoke check-hard run-hard check-lab check-lab-short check-long check-asan check-suites check-clean \
	check-valgrind coverage run-unit run-golden run-integration run-integration-backports \
	run-smoke run-lab run-lab-short run-long fuzz guest linux guests qemu-backports lab lab-root \
	demo transcript bench lint $(LINTS) lint-analyzer format install uninstall dist distcheck gdb \
	compile_commands.json help clean FORCE
.DELETE_ON_ERROR:
.SECONDARY:

-include $(SRC:%.c=$(O)/%.d)
