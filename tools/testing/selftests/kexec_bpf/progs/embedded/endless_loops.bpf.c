// SPDX-License-Identifier: GPL-2.0
/* Runs nested loops, for years unless it is killed. */
#include "../../../../../kexec_bpf/kexec_bpf.bpf.h"

#define LOOPS	(1 << 23)	/* the most that bpf_loop() does */

static int innermost(__u32 i, void *unused)
{
	return 0;
}

static int inner(__u32 i, void *unused)
{
	return bpf_loop(LOOPS, innermost, NULL, 0) < 0;
}

SEC("kexec")
int program(struct bpf_kexec_ctx *ctx)
{
	return bpf_loop(LOOPS, inner, NULL, 0) < 0;
}

char _license[] SEC("license") = "GPL";
