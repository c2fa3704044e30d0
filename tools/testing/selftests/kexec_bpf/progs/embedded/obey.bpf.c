// SPDX-License-Identifier: GPL-2.0
/* Does what the caller's private data ask for, and returns the result. */
#include <linux/bpf.h>
#include "../../../../../kexec_bpf/kexec_bpf.bpf.h"
#include "obey.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PRIVATE_ENTRIES);
	__type(key, __u32);
	__type(value, struct private_value);
} private SEC(".maps");

static __u8 buffer[4096] = { [0 ... 4095] = 'x' };

struct state {
	struct bpf_kexec_ctx *ctx;
	__s64 ret;
	__u64 len;
};

static int put(__u32 i, struct state *state)
{
	struct bpf_kexec_range range = {};

	if (state->len > sizeof(buffer))
		return 1;
	state->ret = bpf_kexec_carrier(state->ctx, BPF_KEXEC_PUT, &range, buffer, state->len);
	return state->ret < 0;
}

static int append_piece(__u32 i, struct state *state)
{
	struct bpf_kexec_range range = { .resource = BPF_KEXEC_IMAGE, .len = 1 };

	state->ret = bpf_kexec_initrd_append(state->ctx, &range, NULL, 0, 0);
	return state->ret < 0;
}

static __s64 append_text(struct bpf_kexec_ctx *ctx, __u64 len)
{
	if (len > sizeof(buffer))
		return -1;
	return bpf_kexec_cmdline_append(ctx, buffer, len, 0);
}

static __s64 decompress(struct bpf_kexec_ctx *ctx, __s64 fd)
{
	struct bpf_kexec_range range = {};
	__s64 ret = bpf_kexec_read_fd(ctx, fd, 0, NULL);

	if (ret < 0)
		return ret;
	range.resource = ret;
	range.len = kexec_len(ctx, ret);
	return bpf_kexec_decompress(ctx, &range, BPF_KEXEC_BY_MAGIC, 0, 0);
}

static __u64 first_op(void)
{
	__u32 first = 0;
	const struct private_value *value = bpf_map_lookup_elem(&private, &first);

	return value ? value->op : 0;
}

/* Binds the first bytes of the headers as the kernel: no loader accepts that. */
static __s64 append_twice(struct bpf_kexec_ctx *ctx, __s64 fd)
{
	struct bpf_kexec_range kernel = { .resource = BPF_KEXEC_IMAGE, .len = 8 };
	struct bpf_kexec_range file = {};
	__s64 ret = bpf_kexec_read_fd(ctx, fd, 0, NULL);

	if (ret < 0)
		return ret;
	file.resource = ret;
	file.len = kexec_len(ctx, ret);
	ret = bpf_kexec_initrd_append(ctx, &file, NULL, 0, 0);
	if (!ret)
		ret = bpf_kexec_initrd_append(ctx, &file, NULL, 0, 0);
	if (!ret)
		ret = bpf_kexec_carrier(ctx, BPF_KEXEC_BIND_KERNEL, &kernel, NULL, 0);
	return ret;
}

SEC("kexec")
int obey(struct bpf_kexec_ctx *ctx)
{
	struct state state = { .ctx = ctx };
	const struct private_value *value;
	__u32 last = PRIVATE_ENTRIES - 1;
	__u64 before;

	value = bpf_map_lookup_elem(&private, &last);
	if (!value)
		return -1;
	state.len = value->b;
	switch (value->op) {
	case PRIVATE_RETURN:
		return value->a;
	case PRIVATE_READ_FD:
		return bpf_kexec_read_fd(ctx, value->a, value->b, NULL);
	case PRIVATE_PUT:
		bpf_loop(value->a, put, &state, 0);
		return state.ret;
	case PRIVATE_PIECES:
		bpf_loop(value->a, append_piece, &state, 0);
		return state.ret;
	case PRIVATE_CMDLINE:
		return append_text(ctx, value->a);
	case PRIVATE_CHANGED:
		before = first_op();
		bpf_kexec_read_fd(ctx, value->a, 0, NULL);
		return first_op() != before;
	case PRIVATE_DECOMPRESS:
		return decompress(ctx, value->a);
	case PRIVATE_TWICE:
		return append_twice(ctx, value->a);
	}
	return -1;
}

char _license[] SEC("license") = "GPL";
