/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a program of type BPF_PROG_TYPE_KEXEC calls, and what the programs of this
 * directory answer. See Documentation/bpf/kexec_programs.rst.
 *
 * A program is SEC("kexec") int name(struct bpf_kexec_ctx *ctx). It returns 0, or the
 * load is refused and the value is in the caller's log: a negative errno is what a
 * kfunc returned, a positive value is an enum kexec_refusal.
 *
 * Buffers that kfuncs read or write have to be on the stack or in .bss, and initialised:
 * constants are not writable to the program, and so are not accepted.
 *
 * State is in .bss, because the verifier does not track its values: that limits its work. The
 * variables are not static, because compilers take static ones apart, and leave BTF that is wrong.
 *
 * Without CAP_PERFMON, the verifier wants each addition to a pointer to be the same however it is
 * reached: of the same variable, and with a number that it does not know. So loops are those of
 * bpf_loop(), and functions that several callers share work on one variable.
 */
#ifndef _KEXEC_BPF_BPF_H
#define _KEXEC_BPF_BPF_H

#include <linux/types.h>
#include <linux/kexec_bpf.h>
#include <bpf/bpf_helpers.h>

__s64 bpf_kexec_carrier(struct bpf_kexec_ctx *ctx, __u64 op, struct bpf_kexec_range *range,
			void *buf, __u64 buf_len) __ksym;
__s64 bpf_kexec_decompress(struct bpf_kexec_ctx *ctx, struct bpf_kexec_range *src, __u64 algo,
			   __u64 out_len, __u64 flags) __ksym;
__s64 bpf_kexec_initrd_append(struct bpf_kexec_ctx *ctx, struct bpf_kexec_range *src, void *path,
			      __u64 path_len, __u64 mode) __ksym;
__s64 bpf_kexec_cmdline_append(struct bpf_kexec_ctx *ctx, void *text, __u64 text_len,
			       __u64 flags) __ksym;
__s64 bpf_kexec_read_fd(struct bpf_kexec_ctx *ctx, __s64 fd, __u64 flags,
			struct bpf_kexec_range *digest) __ksym;

/* Why the programs of this directory refuse an image; kexec-bpf prints the reasons in words. */
enum kexec_refusal {
#define KEXEC_REFUSAL(name, ...) KEXEC_REFUSE_##name
#include "refusals.h"
#undef KEXEC_REFUSAL
};

/* What an index goes through. */
__u64 kexec_index;

/*
 * An index below @size, a power of two. The compiler has to read it back from memory and to mask it
 * then, so the verifier knows that it is below @size, and no more, whatever the code around is.
 */
#define kexec_below(value, size) ({		\
	__u64 below;				\
						\
	kexec_index = (value);			\
	barrier();				\
	below = kexec_index;			\
	barrier_var(below);			\
	below &= (size) - 1;			\
	barrier_var(below);			\
	below;					\
})

/* Copies @len bytes of @resource, from @offset on. Returns @len, or a negative errno. */
static __always_inline __s64 kexec_get(struct bpf_kexec_ctx *ctx, __u32 resource, __u64 offset,
				       void *buf, __u64 len)
{
	struct bpf_kexec_range range = { .resource = resource, .offset = offset, .len = len };

	return bpf_kexec_carrier(ctx, BPF_KEXEC_GET, &range, buf, len);
}

/* Returns the length of @resource, or a negative errno. */
static __always_inline __s64 kexec_len(struct bpf_kexec_ctx *ctx, __u32 resource)
{
	struct bpf_kexec_range range = { .resource = resource };
	__s64 err = bpf_kexec_carrier(ctx, BPF_KEXEC_STAT, &range, NULL, 0);

	return err ? err : (__s64)range.len;
}

/* Binds @range by @op, one of BPF_KEXEC_BIND_*. Returns 0, or a negative errno. */
static __always_inline __s64 kexec_bind(struct bpf_kexec_ctx *ctx, enum bpf_kexec_op op,
					struct bpf_kexec_range *range)
{
	return bpf_kexec_carrier(ctx, op, range, NULL, 0);
}

#endif /* _KEXEC_BPF_BPF_H */
