// SPDX-License-Identifier: GPL-2.0
/* Appends files to the initrd, as a program for addons would. */
#include <linux/bpf.h>
#include "../../../../../kexec_bpf/kexec_bpf.bpf.h"

#define ADDONS_MAX	64

/* The first element has the offset and length of the kernel, and the number of addons. */
struct private_value {
	__u64 offset;
	__u64 len;
	__s64 fd;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ADDONS_MAX + 1);
	__type(key, __u32);
	__type(value, struct private_value);
} private SEC(".maps");

struct state {
	struct bpf_kexec_ctx *ctx;
	__s64 ret;
};

static int take(__u32 i, struct state *state)
{
	struct bpf_kexec_range range = {};
	const struct private_value *value;
	__u32 key = i + 1;

	value = bpf_map_lookup_elem(&private, &key);
	if (!value)
		return 1;
	state->ret = bpf_kexec_read_fd(state->ctx, value->fd, 0, NULL);
	if (state->ret < 0)
		return 1;
	range.resource = state->ret;
	range.len = value->len;
	state->ret = bpf_kexec_initrd_append(state->ctx, &range, NULL, 0, 0);
	return state->ret < 0;
}

SEC("kexec")
int join(struct bpf_kexec_ctx *ctx)
{
	struct bpf_kexec_range kernel = { .resource = BPF_KEXEC_IMAGE };
	struct state state = { .ctx = ctx };
	const struct private_value *value;
	__u32 key = 0;

	value = bpf_map_lookup_elem(&private, &key);
	if (!value)
		return -1;
	kernel.offset = value->offset;
	kernel.len = value->len;
	bpf_loop(value->fd, take, &state, 0);
	if (state.ret < 0)
		return state.ret;
	return kexec_bind(ctx, BPF_KEXEC_BIND_KERNEL, &kernel);
}

char _license[] SEC("license") = "GPL";
