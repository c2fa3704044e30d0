/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The initrd that the other pieces go around: the image's, or in its place the caller's. They are
 * never joined. Where signatures are enforced, an image that has one keeps it, and another one of
 * the caller is refused; for a crash kernel the signer can decide otherwise.
 */
#ifndef _KEXEC_BPF_INITRD_H
#define _KEXEC_BPF_INITRD_H

#include "pe.h"
#include "say.h"

#define INITRD_WORDS	8192		/* of 8 bytes, which are compared at a time */

/*
 * Whether a caller's initrd may replace the image's own for a crash kernel, also where signatures
 * are enforced: tools for crash dumps make their own. The signer sets this, before signing.
 */
const volatile __u32 allow_crash_initrd;

__u64 initrd_own[INITRD_WORDS];
__u64 initrd_given[INITRD_WORDS];

/* The comparison of the two. */
struct {
	struct bpf_kexec_range own;	/* what is left to compare */
	struct bpf_kexec_range given;
	__u64 len;			/* bytes of a piece, from the word to compare on */
	__u64 differ;
} initrd_compare;

struct initrd_walk {
	struct bpf_kexec_ctx *ctx;
	__s64 ret;
};

static int initrd_compare_word(__u32 i, void *unused)
{
	__u64 at = kexec_below(i, INITRD_WORDS);
	__u64 differ = initrd_own[at] ^ initrd_given[at];

	/* The first bytes are the low ones. */
	if (initrd_compare.len < sizeof(differ))
		differ &= (1ULL << 8 * initrd_compare.len) - 1;
	else
		initrd_compare.len -= sizeof(differ);
	initrd_compare.differ = differ;
	return !!differ;
}

static int initrd_compare_piece(__u32 i, void *data)
{
	struct bpf_kexec_range own = initrd_compare.own, given = initrd_compare.given;
	struct initrd_walk *walk = data;

	if (own.len > sizeof(initrd_own))
		own.len = sizeof(initrd_own);
	given.len = own.len;
	initrd_compare.len = own.len;
	initrd_compare.own.offset += own.len;
	initrd_compare.own.len -= own.len;
	initrd_compare.given.offset += own.len;
	walk->ret = bpf_kexec_carrier(walk->ctx, BPF_KEXEC_GET, &own, initrd_own,
				      sizeof(initrd_own));
	if (walk->ret < 0)
		return 1;
	walk->ret = bpf_kexec_carrier(walk->ctx, BPF_KEXEC_GET, &given, initrd_given,
				      sizeof(initrd_given));
	if (walk->ret < 0)
		return 1;
	walk->ret = bpf_loop((own.len + 7) / 8, initrd_compare_word, NULL, 0);
	return walk->ret < 0 || initrd_compare.differ;
}

/* Returns 1 if the caller's initrd, of @len bytes, is @own; 0 if not; or a negative errno. */
static __noinline __s64 initrd_same(struct bpf_kexec_ctx *ctx, const struct bpf_kexec_range *own,
				    __u64 len)
{
	struct initrd_walk walk = { .ctx = ctx };
	__s64 ret;

	if (own->len != len)
		return 0;
	initrd_compare.own = *own;
	initrd_compare.given = (struct bpf_kexec_range) { .resource = BPF_KEXEC_INITRD };
	initrd_compare.differ = 0;
	ret = bpf_loop(len / sizeof(initrd_own) + 1, initrd_compare_piece, &walk, 0);
	if (ret < 0)
		return ret;
	return walk.ret < 0 ? walk.ret : !initrd_compare.differ;
}

/* Puts microcode first: the next kernel finds it only at the very start. */
static __always_inline __s64 initrd_prepend(struct bpf_kexec_ctx *ctx,
					    struct bpf_kexec_range *ucode)
{
	return ucode->len ? kexec_bind(ctx, BPF_KEXEC_PREPEND_INITRD, ucode) : 0;
}

static const struct say initrd_says =
	SAY("the caller's initrd replaces the image's, as the signer allows for a crash kernel");

static __noinline __s64 initrd_bind(struct bpf_kexec_ctx *ctx, struct pe_contents *image)
{
	struct bpf_kexec_range *own = &image->of[INITRD];
	__s64 given = kexec_len(ctx, BPF_KEXEC_INITRD);
	__s64 ret;

	if (given < 0)
		return given;
	if (given && own->len && ctx->flags & BPF_KEXEC_CTX_ENFORCED) {
		ret = initrd_same(ctx, own, given);
		if (ret < 0)
			return ret;
		if (ret) {
			given = 0;
		} else if (allow_crash_initrd && ctx->flags & BPF_KEXEC_CTX_CRASH) {
			ret = say(ctx, &initrd_says);
			if (ret < 0)
				return ret;
		} else {
			return KEXEC_REFUSE_INITRD;
		}
	}
	if (!given && own->len) {
		ret = kexec_bind(ctx, BPF_KEXEC_BIND_INITRD, own);
		if (ret)
			return ret;
	}
	return initrd_prepend(ctx, &image->of[UCODE]);
}

#endif /* _KEXEC_BPF_INITRD_H */
