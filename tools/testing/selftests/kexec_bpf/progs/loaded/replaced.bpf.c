// SPDX-License-Identifier: GPL-2.0

/* Programs with functions, and programs to replace these. */

#include <linux/types.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* Types of the kernel. */
struct bpf_iter__bpf_map_elem {
	void *value;
};

struct task_struct {
	int pid;
	struct task_struct *real_parent;
};

#pragma clang attribute pop

struct task_struct *bpf_task_acquire(struct task_struct *p) __ksym;
void bpf_task_release(struct task_struct *p) __ksym;
void bpf_rcu_read_lock(void) __ksym;
void bpf_rcu_read_unlock(void) __ksym;

char _license[] SEC("license") = "GPL";

/* A type that only these programs have. */
struct word {
	int value;
};

/*
 * An iterator over the elements of a map. Its function is called as another iterator is. As the
 * functions are weak, they get the arguments that they do not use, too.
 */
__weak int bpf_iter_task(struct bpf_iter__bpf_map_elem *ctx __arg_ctx, struct word *word)
{
	return word ? word->value : 0;
}

SEC("?iter/bpf_map_elem")
int iterator(struct bpf_iter__bpf_map_elem *ctx)
{
	struct word word = {};

	return bpf_iter_task(ctx, &word) & 1;
}

SEC("?freplace")
int iterates(struct bpf_iter__bpf_map_elem *ctx __arg_ctx, struct word *word)
{
	return 0;
}

/* The other iterator passes a task in the second place of its context. */
SEC("?freplace")
int takes_a_map_for_a_task(struct bpf_iter__bpf_map_elem *ctx __arg_ctx, struct word *word)
{
	struct task_struct *task = ((void **)ctx)[1];

	return task ? task->pid : 0;
}

/* At a tracepoint. */
__weak int at_tracepoint(int number, struct bpf_raw_tracepoint_args *ctx __arg_ctx)
{
	return number;
}

SEC("?tp_btf/sched_switch")
int tracepoint(struct bpf_raw_tracepoint_args *ctx __arg_ctx)
{
	return at_tracepoint(0, ctx);
}

SEC("?freplace")
int first_argument(int number, struct bpf_raw_tracepoint_args *ctx __arg_ctx)
{
	return ctx->args[0];
}

SEC("?freplace")
int second_argument(int number, struct bpf_raw_tracepoint_args *ctx __arg_ctx)
{
	return ctx->args[1];
}

/* The same function, in a program that sleeps and in one that does not. */
__weak int at_hook(int number)
{
	return number;
}

SEC("?lsm.s/file_open")
int sleeps(__u64 *ctx)
{
	return at_hook(0) & 0;
}

SEC("?lsm/file_open")
int does_not_sleep(__u64 *ctx)
{
	return at_hook(0) & 0;
}

static __always_inline int use_parent(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_struct *parent = bpf_task_acquire(task->real_parent);

	if (parent)
		bpf_task_release(parent);
	return 0;
}

/* The parent is there as long as the RCU lock is held. */
SEC("?freplace")
int uses_parent(int number)
{
	return use_parent();
}

SEC("?freplace")
int uses_parent_under_lock(int number)
{
	int err;

	bpf_rcu_read_lock();
	err = use_parent();
	bpf_rcu_read_unlock();
	return err;
}

SEC("?freplace")
int copies_from_user(int number)
{
	int word;

	return bpf_copy_from_user(&word, sizeof(word), NULL);
}

SEC("?freplace")
int does_nothing(int number)
{
	return 0;
}
