// SPDX-License-Identifier: GPL-2.0
/* A program that the verifier accepts, and programs that break one of its rules each. */
#include <linux/bpf.h>
#include "../../../../../kexec_bpf/kexec_bpf.bpf.h"

int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __ksym;
void bpf_throw(__u64 cookie) __ksym;
void bpf_rcu_read_lock(void) __ksym;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} percpu SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} lru SEC(".maps");

static const volatile __u32 constant = 1;
static __u32 variable;

SEC("?kexec")
int accepted(struct bpf_kexec_ctx *ctx)
{
	return 0;
}

/* Helpers that are not on the list. */

SEC("?kexec")
int helper_ktime(struct bpf_kexec_ctx *ctx)
{
	return bpf_ktime_get_ns() & 1;
}

SEC("?kexec")
int helper_printk(struct bpf_kexec_ctx *ctx)
{
	return bpf_printk("never");
}

SEC("?kexec")
int helper_sys_bpf(struct bpf_kexec_ctx *ctx)
{
	return bpf_sys_bpf(0, NULL, 0);
}

/* kfuncs that are not the type's own. */

SEC("?kexec")
int kfunc_iterator(struct bpf_kexec_ctx *ctx)
{
	struct bpf_iter_num it;

	return bpf_iter_num_new(&it, 0, 1);
}

SEC("?kexec")
int kfunc_throw(struct bpf_kexec_ctx *ctx)
{
	bpf_throw(0);
	return 0;
}

SEC("?kexec")
int kfunc_rcu(struct bpf_kexec_ctx *ctx)
{
	bpf_rcu_read_lock();
	return 0;
}

/* Loops that a signal cannot end. */

SEC("?kexec")
int may_goto(struct bpf_kexec_ctx *ctx)
{
	asm volatile(".8byte 0xe5");	/* may_goto +0 */
	return 0;
}

__noinline int global(__u32 n)
{
	return n + variable;
}

SEC("?kexec")
int global_function(struct bpf_kexec_ctx *ctx)
{
	return global(ctx->level);
}

/* Maps of other types. */

SEC("?kexec")
int map_percpu(struct bpf_kexec_ctx *ctx)
{
	__u32 zero = 0;

	return !bpf_map_lookup_elem(&percpu, &zero);
}

SEC("?kexec")
int map_lru(struct bpf_kexec_ctx *ctx)
{
	__u32 zero = 0;

	return !bpf_map_lookup_elem(&lru, &zero);
}

/* The context. */

SEC("?kexec")
int ctx_write(struct bpf_kexec_ctx *ctx)
{
	ctx->flags = 0;
	return 0;
}

SEC("?kexec")
int ctx_past_end(struct bpf_kexec_ctx *ctx)
{
	return *(volatile __u32 *)(ctx + 1);
}

SEC("?kexec")
int ctx_unaligned(struct bpf_kexec_ctx *ctx)
{
	return *(volatile __u32 *)((void *)ctx + 2);
}

/* Arguments of kfuncs. */

SEC("?kexec")
int buffer_constant(struct bpf_kexec_ctx *ctx)
{
	return kexec_get(ctx, BPF_KEXEC_IMAGE, 0, (void *)&constant, sizeof(constant));
}

SEC("?kexec")
int buffer_too_short(struct bpf_kexec_ctx *ctx)
{
	/* Headers have variables of their own behind it. */
	return kexec_get(ctx, BPF_KEXEC_IMAGE, 0, &variable, sizeof(variable) + 1024);
}

SEC("?kexec")
int range_null(struct bpf_kexec_ctx *ctx)
{
	return bpf_kexec_carrier(ctx, BPF_KEXEC_STAT, NULL, NULL, 0);
}

/* Programs of other types. */

SEC("?syscall")
int other_type(struct bpf_kexec_ctx *ctx)
{
	return bpf_kexec_read_fd(ctx, 0, 0, NULL);
}

SEC("?freplace")
int replacement(struct bpf_kexec_ctx *ctx)
{
	return 0;
}

SEC("?fentry")
int tracer(void *ctx)
{
	return 0;
}

char _license[] SEC("license") = "GPL";
