/* SPDX-License-Identifier: GPL-2.0 */
/* What a program says in the caller's log. */
#ifndef _KEXEC_BPF_SAY_H
#define _KEXEC_BPF_SAY_H

#include "kexec_bpf.bpf.h"

#define SAY_SIZE	128

struct say {
	__u64 len;
	char text[SAY_SIZE];
};

#define SAY(words)	{ sizeof(words) - 1, words }

/* kfuncs do not take constants, so there is a copy. */
struct say say_copy;

/* Writes a line to the caller's log. */
static __noinline __s64 say(struct bpf_kexec_ctx *ctx, const struct say *line)
{
	struct bpf_kexec_range none = {};

	say_copy = *line;
	return bpf_kexec_carrier(ctx, BPF_KEXEC_LOG, &none, say_copy.text,
				 kexec_below(say_copy.len, SAY_SIZE));
}

#endif /* _KEXEC_BPF_SAY_H */
