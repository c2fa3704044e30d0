/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The command line. The caller's is taken in place of the image's, as by systemd-stub; but where
 * signatures are enforced, an image that has one keeps it, and another one of the caller's is
 * refused.
 */
#ifndef _KEXEC_BPF_CMDLINE_H
#define _KEXEC_BPF_CMDLINE_H

#include "pe.h"
#include "text.h"

static __noinline __s64 cmdline_bind(struct bpf_kexec_ctx *ctx, struct pe_contents *image)
{
	struct bpf_kexec_range given = { .resource = BPF_KEXEC_CMDLINE };
	struct bpf_kexec_range none = {};
	__s64 ret;

	ret = text_read(ctx, &image->of[CMDLINE], TEXT_OWN);
	if (ret)
		return ret;
	ret = kexec_len(ctx, BPF_KEXEC_CMDLINE);
	if (ret < 0)
		return ret;
	given.len = ret;
	ret = text_read(ctx, &given, TEXT_GIVEN);
	if (ret)
		return ret;
	if (text.of[TEXT_GIVEN].len && image->of[CMDLINE].len &&
	    ctx->flags & BPF_KEXEC_CTX_ENFORCED) {
		ret = text_same();
		if (ret < 0)
			return ret;
		if (!ret)
			return KEXEC_REFUSE_CMDLINE;
	}
	if (given.len)
		ret = kexec_bind(ctx, BPF_KEXEC_BIND_CMDLINE, &none);
	if (ret)
		return ret;
	return text_to_cmdline(ctx, text.of[TEXT_GIVEN].len ? TEXT_GIVEN : TEXT_OWN);
}

#endif /* _KEXEC_BPF_CMDLINE_H */
