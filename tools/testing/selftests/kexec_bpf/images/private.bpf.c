// SPDX-License-Identifier: GPL-2.0
/* Does what the caller's private data say, and returns what came of it. */
#include <linux/bpf.h>
#include "../../../../kexec_bpf/kexec_bpf.bpf.h"
#include "private.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PRIVATE_ENTRIES);
	__type(key, __u32);
	__type(value, struct private_value);
} private SEC(".maps");

SEC("kexec")
int obey(struct bpf_kexec_ctx *ctx)
{
	__u32 last = PRIVATE_ENTRIES - 1;
	const struct private_value *value = bpf_map_lookup_elem(&private, &last);

	if (!value)
		return -1;
	switch (value->op) {
	case PRIVATE_RETURN:
		return value->a;
	case PRIVATE_READ_FD:
		return bpf_kexec_read_fd(ctx, value->a, value->b);
	}
	return -1;
}

char _license[] SEC("license") = "GPL";
