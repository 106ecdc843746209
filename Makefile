# SPDX-License-Identifier: GPL-2.0
#
# teredo: module, tools, tests. `make help` tells what there is.

VERSION := $(shell cat VERSION)
KDIR ?= /lib/modules/$(shell uname -r)/build
PREFIX ?= /usr/local
SUITE ?= bookworm

# as the tests name them: make check T="relay_ping server_rs"
T ?=

# DESTDIR, PREFIX and IPROUTE2_PLUGIN_DIR are heeded by the tools' Makefile
export DESTDIR PREFIX
ifdef IPROUTE2_PLUGIN_DIR
export IPROUTE2_PLUGIN_DIR
endif

# make changes the folder for the parts that it installs
ifneq ($(DESTDIR),)
ifeq ($(filter /%,$(DESTDIR)),)
$(error DESTDIR has to be an absolute path)
endif
endif

kbuild = $(MAKE) -C $(KDIR) M=$(CURDIR)
# Debian's headers answer `make kernelrelease` with another one
release = $(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' \
	$(KDIR)/include/generated/utsrelease.h)
source = $(DESTDIR)/usr/src/teredo-$(VERSION)
# what DKMS compiles: the module's files and no others
module-files = dkms.conf VERSION Kbuild $(wildcard *.[ch]) compat include

all: module tools

module:
	$(kbuild) modules

tools:
	$(MAKE) -C tools

# What DKMS has, whatever the version. Sources that a package has brought stay.
dkms-remove = for version in /var/lib/dkms/teredo/[0-9]*; do \
		test -e "$$version" || continue; \
		command -v dkms >/dev/null || { \
			echo "no dkms any more: remove /var/lib/dkms/teredo" >&2; \
			exit 1; \
		}; \
		version=$$(basename "$$version"); \
		dkms remove "teredo/$$version" --all || exit; \
		sources=/usr/src/teredo-$$version; \
		dpkg -S "$$sources" >/dev/null 2>&1 || \
			rpm -qf "$$sources" >/dev/null 2>&1 || \
			rm -rf "$$sources" || exit; \
	done

# of all kernels that `make install` was run for
module-remove = for suffix in "" .gz .xz .zst; do \
		for file in $(DESTDIR)/lib/modules/*/updates/teredo.ko$$suffix; do \
			test -e "$$file" || continue; \
			rm -f "$$file" || exit; \
			kernel=$${file%/updates/*}; \
			$(if $(DESTDIR),:,depmod -a "$$(basename "$$kernel")") || \
				exit; \
		done; \
	done

# Two modules of this name: which is loaded is left to chance.
no-dkms:
	$(if $(DESTDIR),,@for version in /var/lib/dkms/teredo/[0-9]*; do \
		test ! -e "$$version" || { \
			echo "DKMS has this module: make dkms-uninstall first" >&2; \
			exit 1; \
		}; \
	done)

# CONFIG_MODULE_SIG_ALL: with Debian's headers there is no key to sign with,
# which kbuild reports as an error and goes on
install: no-dkms
	$(MAKE) all install-tools
	$(kbuild) INSTALL_MOD_PATH=$(DESTDIR) INSTALL_MOD_DIR=updates \
		$(if $(DESTDIR),DEPMOD=true) \
		$(if $(wildcard $(KDIR)/certs/signing_key.pem),,CONFIG_MODULE_SIG_ALL=) \
		modules_install
	$(if $(DESTDIR),,depmod -a $(release))

uninstall: no-dkms uninstall-tools
	$(module-remove)

install-tools: tools
	$(MAKE) -C tools install

uninstall-tools:
	$(MAKE) -C tools uninstall

# DKMS builds the module again for each kernel that the machine gets. What there
# is of it goes first: DKMS would not replace it, and not say so. But not before
# the new one is known to compile.
dkms-install: module install-tools
	$(if $(DESTDIR),,$(dkms-remove))
	$(if $(DESTDIR),,$(module-remove))
	rm -rf $(source)
	install -d $(source)
	cp -r $(module-files) $(source)/
	$(if $(DESTDIR),,dkms add teredo/$(VERSION))
	$(if $(DESTDIR),,dkms install teredo/$(VERSION) -k $(release))

dkms-uninstall: uninstall-tools
	$(if $(DESTDIR),,$(dkms-remove))
	rm -rf $(source)

demo: host
	@selftests/vm.sh -s $(SUITE) -t 1800 -- selftests/demo.sh

check: host
	@selftests/check.sh -s $(SUITE) $(if $(filter off,$(OFFLOADS)),-n) $(T)

check-debug: host
	@selftests/check.sh -s $(SUITE) -d $(T)

lint: host
	@selftests/lint.sh

mutate: host
	@selftests/mutate.sh $(T)

bench: host
	@QUICK=$(QUICK) selftests/bench.sh

# the programs that the VM needs on the host
host:
	@selftests/vm/host.sh

clean:
	-test ! -e $(KDIR)/Makefile || $(kbuild) clean
	$(MAKE) -C tools clean
	rm -rf build

help:
	@echo 'make                module and tools for the running kernel'
	@echo '                    (KDIR=DIR: for the kernel built in DIR)'
	@echo 'make install        installs them (DESTDIR=, PREFIX=/usr/local,'
	@echo '                    IPROUTE2_PLUGIN_DIR=)'
	@echo 'make uninstall      takes them away'
	@echo 'make dkms-install   the same with DKMS, for later kernels too'
	@echo 'make dkms-uninstall'
	@echo 'make demo           a small Internet in a VM: see it happen'
	@echo 'make check          all tests, in a VM (T="NAME...", SUITE=NAME,'
	@echo '                    OFFLOADS=off: devices do nothing for the stack)'
	@echo 'make check-debug    the same under a kernel that finds mistakes'
	@echo 'make lint           what checkers say about the sources'
	@echo 'make mutate         breaks checks, each in turn: do the tests'
	@echo '                    notice? (T="SEC-09...")'
	@echo 'make bench          instructions a packet, beside other tunnels'
	@echo '                    (QUICK=1: small packets only)'
	@echo 'make clean          removes what was built here; what was'
	@echo '                    downloaded stays in ~/.cache/teredo'

.PHONY: all module tools no-dkms install uninstall install-tools uninstall-tools \
	dkms-install dkms-uninstall demo check check-debug lint mutate bench host \
	clean help
