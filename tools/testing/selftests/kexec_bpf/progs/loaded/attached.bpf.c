// SPDX-License-Identifier: GPL-2.0

/* A program that leaves alone what its context points to, and functions to replace one of it. */

#include <linux/types.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

__noinline int function(struct bpf_raw_tracepoint_args *ctx)
{
	asm volatile ("");
	return 0;
}

SEC("?raw_tp.w")
int tracepoint(struct bpf_raw_tracepoint_args *ctx)
{
	return function(ctx);
}

SEC("?freplace")
int leaves_alone(struct bpf_raw_tracepoint_args *ctx)
{
	return 0;
}

SEC("?freplace")
int writes(struct bpf_raw_tracepoint_args *ctx)
{
	volatile __u64 *buffer = (void *)ctx->args[0];

	*buffer = 0;
	return 0;
}
