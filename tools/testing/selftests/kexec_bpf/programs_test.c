// SPDX-License-Identifier: GPL-2.0
/*
 * The programs of tools/kexec_bpf as plain C, with kfuncs that work on buffers of this process.
 * This tests their decisions in a second, where there is neither cargo nor a kernel that has
 * kexec_bpf. What only the kernel's kfuncs can show is in src/bin/kexec_bpf_test/programs/.
 * If PROGRAMS_TEST_UKI=FILE is in the environment, the program for UKIs also runs on that image.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../kselftest_harness.h"

#include "programs/companions.h"
#include "programs/uki.h"
#include "programs/zboot.h"

TEST_HARNESS_MAIN
