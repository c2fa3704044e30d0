// SPDX-License-Identifier: GPL-2.0

/* Programs around the last question of a load: whether its kernel can stay. */

#include <linux/types.h>
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

char _license[] SEC("license") = "GPL";

#define EPERM	1

/* Enough for a minute, and not for ever. */
#define ROUNDS	64
#define LOOPS	(1 << 23)

struct state {
	volatile __u8 stopped;
	volatile __u8 goes_on;
	volatile __u8 permitted;	/* how many questions are answered by yes */
	__u64 asks;			/* the thread that asks */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct state);
} states SEC(".maps");

static struct state *state(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&states, &zero);
}

static int goes_on(__u32 i, void *ctx)
{
	struct state *s = state();

	return !s || s->goes_on;
}

static int wait(__u32 i, void *ctx)
{
	bpf_loop(LOOPS, goes_on, NULL, 0);
	return goes_on(0, NULL);
}

/* Stops the load once it has the answer. */
SEC("?fexit/kexec_count_load")
int stop(__u64 *ctx)
{
	struct state *s = state();

	if (s) {
		s->stopped = 1;
		bpf_loop(ROUNDS, wait, NULL, 0);
	}
	return 0;
}

/* kexec_load(2) is not permitted any more. */
SEC("?fmod_ret/security_kernel_load_data")
int refuse_segments(__u64 *ctx)
{
	return -EPERM;
}

enum lockdown_reason {
	LOCKDOWN_KEXEC,			/* The kernel knows the number. */
};

/* A kernel that is not verified is not permitted, be the kernel locked down or not. */
SEC("?fmod_ret/security_locked_down")
int refuse_unverified(__u64 *ctx)
{
	struct state *s = state();

	if (!s || (__u32)ctx[0] != bpf_core_enum_value(enum lockdown_reason, LOCKDOWN_KEXEC))
		return 0;
	if (!s->permitted)
		return -EPERM;
	s->permitted--;
	return 0;
}

/* The next two have the answer be that the kernel cannot stay. */
SEC("?fentry/kexec_count_load")
int asks(__u64 *ctx)
{
	struct state *s = state();

	if (s)
		s->asks = bpf_get_current_pid_tgid();
	return 0;
}

SEC("?fmod_ret/security_capable")
int refuse(__u64 *ctx)
{
	struct state *s = state();

	if (!s || s->asks != bpf_get_current_pid_tgid())
		return 0;
	s->asks = 0;
	return -EPERM;
}
