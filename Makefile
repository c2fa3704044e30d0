# SPDX-License-Identifier: GPL-2.0
# The front door. Each target does all set-up that it needs; README.md says what and where.
export ARCH KDIR TOOLCHAIN

help:
	@echo 'make demo     a locked-down machine kexecs a signed UKI and refuses forged ones'
	@echo 'make check    every test'
	@echo 'make check-debug   those of the kernel, x86_64 alone, by one with KASAN, lockdep, kmemleak and the like (hours)'
	@echo 'make selftest NAME=NAME   the selftests whose names contain it: make selftest NAME=adversary::files [LOCKDOWN=integrity]'
	@echo 'make adversary   all that root can try, each walk in full, under each lockdown level (hours)'
	@echo 'make fuzz     the parsers, on changed input, for 10 minutes each: make fuzz [TIME=SECONDS] [TARGET=object]'
	@echo 'make bench    what a load costs, beside what people do instead: table, numbers and chart'
	@echo 'make kernel   the patched test kernel; prints its build directory'
	@echo 'make series   the mail-ready patch series; prints its directory'
	@echo 'make series-check   that it applies, and that each of its patches compiles'
	@echo 'make vm       a shell command in the test machine: make vm CMD="uname -a" [FILES=DIR] [LOCKDOWN=integrity]'
	@echo
	@echo 'ARCH=ARCH     x86_64, arm64 or riscv64; where none is named, x86_64, and all three for make check'
	@echo 'KDIR=DIR      a Linux 7.3 source tree, instead of the package linux-source-7.3'
	@echo 'TOOLCHAIN=host  the tools of this machine, instead of a Debian root in the cache'

demo:
	@scripts/demo
check:
	@scripts/check
check-debug:
	@scripts/check --debug
selftest:
	@scripts/selftest $(if $(LOCKDOWN),--lockdown $(LOCKDOWN)) $(NAME)
adversary:
	@for level in integrity confidentiality none; do \
		scripts/selftest --lockdown $$level --all adversary:: || status=1; \
	done; exit $$status
bench:
	@scripts/bench
fuzz:
	@scripts/fuzz $(if $(TIME),--time $(TIME)) $(TARGET)
kernel:
	@scripts/kernel
series:
	@scripts/series
series-check:
	@scripts/suites/series --build
vm:
	@scripts/vm $(if $(FILES),--files $(FILES)) $(if $(LOCKDOWN),--lockdown $(LOCKDOWN)) -- sh -c '$(or $(CMD),uname -a)'

.PHONY: help demo check check-debug selftest adversary bench fuzz kernel series series-check vm
