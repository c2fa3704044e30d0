// SPDX-License-Identifier: GPL-2.0
/* Stores its context in a map, and counts its runs. */
#include <linux/bpf.h>
#include "../../../../../kexec_bpf/kexec_bpf.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bpf_kexec_ctx);
} seen SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} runs SEC(".maps");

SEC("kexec")
int context(struct bpf_kexec_ctx *ctx)
{
	struct bpf_kexec_ctx *to;
	__u32 *count, zero = 0;

	to = bpf_map_lookup_elem(&seen, &zero);
	count = bpf_map_lookup_elem(&runs, &zero);
	if (!to || !count)
		return -1;
	__builtin_memcpy(to, ctx, sizeof(*ctx));
	return ++*count;
}

char _license[] SEC("license") = "GPL";
