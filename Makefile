# SPDX-License-Identifier: GPL-2.0
# The front door. Each target does all set-up that it needs; README.md tells more.
export ARCH KDIR TOOLCHAIN CMD

help:
	@echo 'make demo          a locked-down machine kexecs a signed UKI and refuses forged ones'
	@echo 'make check         every test'
	@echo 'make check-debug   the tests of the kernel, on x86_64, with KASAN, lockdep, kmemleak and the like (hours)'
	@echo 'make suite NAME=NAME      one suite of scripts/suites, for instance boot, style or parsers'
	@echo 'make selftest NAME=NAME   the selftests whose names contain NAME: make selftest NAME=kfuncs::carrier [LOCKDOWN=integrity]'
	@echo 'make verify        that the verifier takes the programs for images from each compiler, with each option'
	@echo 'make kunit         the KUnit tests of parsers and decompression, in user-mode Linux; with ARCH=x86_64 all of them'
	@echo 'make adversary     everything that the tests let root try, under both lockdown levels (hours)'
	@echo 'make fuzz          the parsers, on changed input, for 10 minutes each: make fuzz [TIME=SECONDS] [TARGET=object]'
	@echo 'make bench         what a load costs, beside what people do instead: tables and numbers'
	@echo 'make kernel        the patched test kernel; prints its build directory'
	@echo 'make install       the command with its manual pages, and the programs: make install DESTDIR=DIR'
	@echo 'make series        the mail-ready patch series; prints its directory'
	@echo 'make series-check  that the series applies, and that each of its patches compiles'
	@echo 'make vm            a shell command in the test machine: make vm CMD="uname -a" [FILES=DIR] [LOCKDOWN=integrity]'
	@echo 'make clean         removes builds and results from the cache, and keeps what was downloaded, keys and fuzz inputs'
	@echo
	@bash -c '. scripts/lib.sh; echo "ARCH=ARCH       one of $${architectures[*]}; x86_64 if none is named, and all of them for make check"'
	@echo 'KDIR=DIR        a Linux 7.3 source tree, instead of the package linux-source-7.3'
	@echo 'TOOLCHAIN=host  the tools of this machine, instead of a Debian root in the cache'

demo:
	@scripts/demo
check:
	@scripts/check
check-debug:
	@scripts/check --debug
suite:
	@scripts/suites/$(or $(NAME),$(error NAME is missing: one of $(notdir $(filter-out %.sh,$(wildcard scripts/suites/*)))))
selftest:
	@scripts/selftest $(if $(LOCKDOWN),--lockdown $(LOCKDOWN)) $(NAME)
kunit:
	@scripts/kunit $(if $(ARCH),--arch $(ARCH)) $(NAME)
verify:
	@scripts/suites/verify --all
adversary:
	@for level in integrity confidentiality; do \
		scripts/selftest --lockdown $$level --all adversary:: || status=1; \
	done; exit $$status
bench:
	@scripts/bench
fuzz:
	@scripts/fuzz $(if $(TIME),--time $(TIME)) $(TARGET)
kernel:
	@scripts/kernel
install:
	@scripts/install $(or $(DESTDIR),$(error DESTDIR is missing: the directory to install under))
series:
	@scripts/series
series-check:
	@scripts/suites/series --build
vm:
	@scripts/vm $(if $(FILES),--files $(FILES)) $(if $(LOCKDOWN),--lockdown $(LOCKDOWN)) -- sh -c "$${CMD:-uname -a}"
clean:
	@scripts/clean

.PHONY: help demo check check-debug suite selftest verify kunit adversary bench fuzz kernel install series series-check vm clean
