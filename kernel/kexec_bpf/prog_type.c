// SPDX-License-Identifier: GPL-2.0-only
/*
 * The operations of BPF_PROG_TYPE_KEXEC: what its programs may call and read, how they run, and
 * BPF_PROG_TEST_RUN.
 */
#include <linux/bpf.h>
#include <linux/bpf_verifier.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/kexec_bpf.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

/*
 * A sleepable program runs in an RCU-tasks-trace section and on one CPU. Until the section ends, no
 * sleepable program is freed in the whole system, nor any map of one, and the CPU cannot go
 * offline. But a kfunc can wait for a file system, or for a page of user space, for as long as
 * these take, and a loop can run for long. So every kfunc, and the loop between two rounds, leaves
 * the section, and enters a new one before the program goes on.
 *
 * This is sound, because nothing that the program keeps depends on the section or on the CPU. Its
 * pointers lead to its context, to its stack, which is the task's, and to values of arrays. The
 * caller of kexec_bpf_prog_run() has a reference to the program, and the program has references to
 * the arrays. The verifier gives programs of this type neither a private stack nor per-CPU maps.
 * Statistics are per CPU, but they are taken after the program has returned.
 */
void kexec_bpf_enter(void)
{
	rcu_read_lock_trace();
	migrate_disable();
}

void kexec_bpf_leave(void)
{
	migrate_enable();
	rcu_read_unlock_trace();
}

u32 kexec_bpf_prog_run(struct bpf_prog *prog, struct bpf_kexec_ctx *ctx)
{
	u32 ret;

	kexec_bpf_enter();
	ret = bpf_prog_run(prog, ctx);
	kexec_bpf_leave();
	return ret;
}

/* Like bpf_loop(), but a fatal signal ends it. */
BPF_CALL_4(kexec_bpf_loop, u32, nr_loops, void *, callback_fn, void *, callback_ctx, u64, flags)
{
	bpf_callback_t callback = (bpf_callback_t)callback_fn;
	u32 i;

	if (flags)
		return -EINVAL;
	if (nr_loops > BPF_MAX_LOOPS)
		return -E2BIG;

	for (i = 0; i < nr_loops; i++) {
		if (fatal_signal_pending(current))
			return -EINTR;
		if (callback((u64)i, (u64)(long)callback_ctx, 0, 0, 0))
			return i + 1;
		kexec_bpf_leave();
		cond_resched();
		kexec_bpf_enter();
	}
	return i;
}

static const struct bpf_func_proto kexec_bpf_loop_proto = {
	.func		= kexec_bpf_loop,
	.ret_type	= RET_INTEGER,
	.arg1_type	= ARG_SCALAR,
	.arg2_type	= ARG_PTR_TO_FUNC,
	.arg3_type	= ARG_PTR_TO_STACK_OR_NULL,
	.arg4_type	= ARG_ANYTHING,
};

/* A closed list: the helpers that bpf_base_func_proto() allows depend on the caller. */
static const struct bpf_func_proto *kexec_func_proto(enum bpf_func_id func_id,
						     const struct bpf_prog *prog)
{
	switch (func_id) {
	case BPF_FUNC_map_lookup_elem:
		return &bpf_map_lookup_elem_proto;
	case BPF_FUNC_loop:
		return &kexec_bpf_loop_proto;
	default:
		return NULL;
	}
}

static bool kexec_is_valid_access(int off, int size, enum bpf_access_type type,
				  const struct bpf_prog *prog, struct bpf_insn_access_aux *info)
{
	return type == BPF_READ && off >= 0 && off % size == 0 &&
	       off + size <= sizeof(struct bpf_kexec_ctx);
}

const struct bpf_verifier_ops kexec_verifier_ops = {
	.get_func_proto		= kexec_func_proto,
	.is_valid_access	= kexec_is_valid_access,
};

static int kexec_test_run(struct bpf_prog *prog, const union bpf_attr *kattr,
			  union bpf_attr __user *uattr)
{
	void __user *ctx_in = u64_to_user_ptr(kattr->test.ctx_in);
	void __user *ctx_out = u64_to_user_ptr(kattr->test.ctx_out);
	u32 ctx_size = sizeof(struct bpf_kexec_test), duration;
	struct kexec_bpf_test_run run = {
		.data_in	= u64_to_user_ptr(kattr->test.data_in),
		.data_out	= u64_to_user_ptr(kattr->test.data_out),
		.data_in_len	= kattr->test.data_size_in,
		.data_out_len	= kattr->test.data_size_out,
		.repeat		= kattr->test.repeat ?: 1,
	};
	int err;

	/* A descriptor can be passed on: who loaded the program may not be who runs it. */
	if (!capable(CAP_SYS_BOOT))
		return -EPERM;
	if (kattr->test.flags || kattr->test.cpu || kattr->test.batch_size)
		return -EINVAL;
	if (kattr->test.ctx_size_in > PAGE_SIZE)
		return -E2BIG;
	if (ctx_in) {
		err = copy_struct_from_user(&run.test, ctx_size, ctx_in, kattr->test.ctx_size_in);
		if (err)
			return err;
	}

	err = kexec_bpf_rs_test_run(prog, &run);
	if (err && err != -ENOSPC)
		return err;

	duration = min_t(u64, run.test.nsecs, U32_MAX);
	if (ctx_out &&
	    copy_to_user(ctx_out, &run.test, min(ctx_size, kattr->test.ctx_size_out)))
		return -EFAULT;
	if (copy_to_user(&uattr->test.retval, &run.retval, sizeof(run.retval)) ||
	    copy_to_user(&uattr->test.duration, &duration, sizeof(duration)) ||
	    copy_to_user(&uattr->test.data_size_out, &run.data_out_len, sizeof(run.data_out_len)) ||
	    copy_to_user(&uattr->test.ctx_size_out, &ctx_size, sizeof(ctx_size)))
		return -EFAULT;
	return err;
}

const struct bpf_prog_ops kexec_prog_ops = {
	.test_run	= kexec_test_run,
};
