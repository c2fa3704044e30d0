// SPDX-License-Identifier: GPL-2.0
/* Calls a kfunc again and again, for years unless it is killed. */
#include "../../../../../kexec_bpf/kexec_bpf.bpf.h"

#define LOOPS	(1 << 23)	/* the most that bpf_loop() does */

static int inner(__u32 i, struct bpf_kexec_ctx **ctx)
{
	struct bpf_kexec_range range = {};

	/* Ignores the result, even the one that says that it was killed. */
	bpf_kexec_carrier(*ctx, BPF_KEXEC_STAT, &range, NULL, 0);
	return 0;
}

static int outer(__u32 i, struct bpf_kexec_ctx **ctx)
{
	bpf_loop(LOOPS, inner, ctx, 0);
	return 0;
}

SEC("kexec")
int program(struct bpf_kexec_ctx *ctx)
{
	bpf_loop(LOOPS, outer, &ctx, 0);
	return 0;
}

char _license[] SEC("license") = "GPL";
