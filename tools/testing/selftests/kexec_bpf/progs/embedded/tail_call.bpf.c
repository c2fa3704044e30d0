// SPDX-License-Identifier: GPL-2.0
/* Has a tail call into a program of the caller. */
#include <linux/bpf.h>
#include "../../../../../kexec_bpf/kexec_bpf.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} programs SEC(".maps");

SEC("kexec")
int program(struct bpf_kexec_ctx *ctx)
{
	bpf_tail_call(ctx, &programs, 0);
	return 0;
}

char _license[] SEC("license") = "GPL";
