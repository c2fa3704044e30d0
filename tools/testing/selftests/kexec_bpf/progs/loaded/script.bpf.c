// SPDX-License-Identifier: GPL-2.0
/* Makes a list of kfunc calls for a test, and stores the result of each. */
#include <linux/bpf.h>
#include "../../../../../kexec_bpf/kexec_bpf.bpf.h"

#define STEPS_MAX	2048
#define BUFFER_AT_MAX	0x10000
#define BUFFER_LEN_MAX	(KEXEC_BPF_GET_MAX + 1)

enum kfunc {
	CARRIER		= 0,
	CARRIER_NULL	= 1,	/* without a buffer */
	DECOMPRESS	= 2,
	INITRD_APPEND	= 3,
	INITRD_WRAP	= 4,
	CMDLINE_APPEND	= 5,
	READ_FD		= 6,
	READ_FD_SHA256	= 7,	/* with a digest */
};

/* Where the range of a call is. */
enum place {
	STACK		= 0,
	STACK_ODD	= 1,	/* not aligned */
	VALUE		= 8,	/* in a map: the low bits are what is over a multiple of 8 */
};

struct step {
	__u32 kfunc;
	__u32 place;
	__u32 buffer_at;
	__u32 buffer_len;
	struct bpf_kexec_range range;
	__u64 args[3];			/* those that are left, in their order */
};

struct result {
	__s64 returned;
	struct bpf_kexec_range range;
};

struct script {
	__u32 steps;
	__s32 returned;			/* by the program */
};

struct buffer {
	__u8 bytes[BUFFER_AT_MAX + BUFFER_LEN_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct script);
} script SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, STEPS_MAX);
	__type(key, __u32);
	__type(value, struct step);
} steps SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, STEPS_MAX);
	__type(key, __u32);
	__type(value, struct result);
} results SEC(".maps");

/* The buffers of all calls. A test may map it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct buffer);
} buffer SEC(".maps");

struct room {
	__u8 bytes[8 + sizeof(struct bpf_kexec_range)];
};

/* The ranges that are not on the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct room);
} room SEC(".maps");

struct state {
	struct bpf_kexec_ctx *ctx;
};

/* Copies single bytes, because neither range has to be aligned. */
static void copy(__u8 *to, const __u8 *from)
{
	for (int i = 0; i < sizeof(struct bpf_kexec_range); i++)
		to[i] = from[i];
}

static int take_step(__u32 i, struct state *state)
{
	struct bpf_kexec_ctx *ctx = state->ctx;
	struct bpf_kexec_range aligned, *range = &aligned;
	__u8 odd[8 + sizeof(aligned)] __attribute__((aligned(8)));
	struct result *result;
	struct room *value;
	struct buffer *memory;
	struct step *step;
	__u32 zero = 0, at, len;
	__s64 ret = -1;
	void *buf;

	step = bpf_map_lookup_elem(&steps, &i);
	result = bpf_map_lookup_elem(&results, &i);
	memory = bpf_map_lookup_elem(&buffer, &zero);
	if (!step || !result || !memory)
		return 1;
	at = step->buffer_at;
	len = step->buffer_len;
	if (at > BUFFER_AT_MAX || len > BUFFER_LEN_MAX)
		return 1;
	buf = memory->bytes + at;
	aligned = step->range;
	value = bpf_map_lookup_elem(&room, &zero);
	if (!value)
		return 1;
	if (step->place == STACK_ODD)
		range = (void *)(odd + 1);
	else if (step->place & VALUE)
		range = (void *)(value->bytes + (step->place & 7));
	if (step->place)
		copy((__u8 *)range, (__u8 *)&aligned);

	switch (step->kfunc) {
	case CARRIER:
		ret = bpf_kexec_carrier(ctx, step->args[0], range, buf, len);
		break;
	case CARRIER_NULL:
		ret = bpf_kexec_carrier(ctx, step->args[0], range, NULL, 0);
		break;
	case DECOMPRESS:
		ret = bpf_kexec_decompress(ctx, range, step->args[0], step->args[1],
					   step->args[2]);
		break;
	case INITRD_APPEND:
		ret = bpf_kexec_initrd_append(ctx, range, NULL, 0, step->args[0]);
		break;
	case INITRD_WRAP:
		ret = bpf_kexec_initrd_append(ctx, range, buf, len, step->args[0]);
		break;
	case CMDLINE_APPEND:
		ret = bpf_kexec_cmdline_append(ctx, buf, len, step->args[0]);
		break;
	case READ_FD:
		ret = bpf_kexec_read_fd(ctx, step->args[0], step->args[1], NULL);
		break;
	case READ_FD_SHA256:
		ret = bpf_kexec_read_fd(ctx, step->args[0], step->args[1], range);
		break;
	}
	if (step->place)
		copy((__u8 *)&aligned, (__u8 *)range);
	result->returned = ret;
	result->range = aligned;
	return 0;
}

SEC("kexec")
int run(struct bpf_kexec_ctx *ctx)
{
	struct state state = { .ctx = ctx };
	struct script *todo;
	__u32 zero = 0;

	todo = bpf_map_lookup_elem(&script, &zero);
	if (!todo)
		return -1;
	bpf_loop(todo->steps, take_step, &state, 0);
	return todo->returned;
}

char _license[] SEC("license") = "GPL";
