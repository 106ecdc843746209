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

# CONFIG_MODULE_SIG_ALL: there is no key to sign with, which kbuild reports
# as an error and goes on
install: all install-tools
	$(kbuild) INSTALL_MOD_PATH=$(DESTDIR) INSTALL_MOD_DIR=updates \
		CONFIG_MODULE_SIG_ALL= modules_install
	$(if $(DESTDIR),,depmod -a $(release))

uninstall: uninstall-tools
	rm -f $(DESTDIR)/lib/modules/$(release)/updates/teredo.ko \
		$(DESTDIR)/lib/modules/$(release)/updates/teredo.ko.xz \
		$(DESTDIR)/lib/modules/$(release)/updates/teredo.ko.zst
	$(if $(DESTDIR),,depmod -a $(release))

install-tools: tools
	$(MAKE) -C tools install

uninstall-tools:
	$(MAKE) -C tools uninstall

# DKMS builds the module again for each kernel that the machine gets. What it
# has of this version by other sources goes first.
dkms-install: install-tools
	$(if $(DESTDIR),,test ! -e /var/lib/dkms/teredo/$(VERSION) || \
		dkms remove teredo/$(VERSION) --all)
	rm -rf $(source)
	install -d $(source)
	cp -r $(module-files) $(source)/
	$(if $(DESTDIR),,dkms add teredo/$(VERSION))
	$(if $(DESTDIR),,dkms install teredo/$(VERSION) -k $(release))

dkms-uninstall: uninstall-tools
	$(if $(DESTDIR),,-dkms remove teredo/$(VERSION) --all)
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

.PHONY: all module tools install uninstall install-tools uninstall-tools \
	dkms-install dkms-uninstall demo check check-debug lint mutate bench host \
	clean help
