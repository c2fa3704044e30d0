// SPDX-License-Identifier: GPL-2.0
/* Asks for as much private data as a caller can give. */
#include <linux/bpf.h>
#include "../../../../../kexec_bpf/kexec_bpf.bpf.h"

struct value {
	__u8 bytes[KEXEC_BPF_PRIVATE_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct value);
} private SEC(".maps");

SEC("kexec")
int program(struct bpf_kexec_ctx *ctx)
{
	__u32 zero = 0;

	return !bpf_map_lookup_elem(&private, &zero);
}

char _license[] SEC("license") = "GPL";
