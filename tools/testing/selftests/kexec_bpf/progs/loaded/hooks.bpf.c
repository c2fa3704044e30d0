// SPDX-License-Identifier: GPL-2.0

/* Programs that return a value in place of a hook, and programs to replace those. */

#include <linux/types.h>
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

SEC("?fmod_ret/security_locked_down")
__u64 function(__u64 *ctx __arg_ctx)
{
	return 0;
}

SEC("?lsm/locked_down")
__u64 module(__u64 *ctx __arg_ctx)
{
	return 0;
}

/* A caller that expects an int gets 0. A trampoline sees another value. */
SEC("?freplace")
__u64 upper_half(__u64 *ctx __arg_ctx)
{
	return 1ULL << 32;
}

/* This is not an errno. */
SEC("?freplace")
__u64 positive(__u64 *ctx __arg_ctx)
{
	return 4096;
}

/* At a probe. */
SEC("?kprobe/security_locked_down")
int probed(bpf_user_pt_regs_t *ctx)
{
	return 0;
}

SEC("?freplace")
int harmless(bpf_user_pt_regs_t *ctx)
{
	return 0;
}

SEC("?freplace")
int overrides(bpf_user_pt_regs_t *ctx)
{
	return bpf_override_return((struct pt_regs *)ctx, 0);
}
