/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Addons (*.addon.efi): PE files without a kernel, whose sections add to those of the image. Where
 * signatures are enforced, each one has to be signed. systemd-stub skips an addon that is not
 * valid; this refuses the load: the caller named it, and would not learn that it is missing.
 */
#ifndef _KEXEC_BPF_ADDONS_H
#define _KEXEC_BPF_ADDONS_H

#include "cmdline.h"
#include "initrd.h"
#include "places.h"
#include "say.h"

static const struct say addons_says_other_kernel =
	SAY("the addon is left out: it is for another kernel, by its .uname");
static const struct say addons_says_dtb =
	SAY("the addon's device tree is not used: the next kernel gets that of this one");

/* Finds out whether the addon is for the kernel of the image. Each may not say which it is. */
static __always_inline __s64 addons_same_kernel(struct items_walk *walk, __s64 *same)
{
	__s64 ret;

	*same = 1;
	if (!pe.contents.of[UNAME].len || !walk->image->of[UNAME].len)
		return 0;
	ret = text_read(walk->ctx, &pe.contents.of[UNAME], TEXT_OWN);
	if (ret)
		return ret;
	ret = text_read(walk->ctx, &walk->image->of[UNAME], TEXT_GIVEN);
	if (ret)
		return ret;
	*same = text_same();
	return *same < 0 ? *same : 0;
}

/* Names the addon in the log. */
static __always_inline __s64 addons_name(struct items_walk *walk)
{
	struct bpf_kexec_range none = {};
	__u64 len;
	__s64 ret;

	ret = places_name(walk);
	if (ret < 0)
		return ret;
	len = path.len;
	if (len >= KEXEC_BPF_LINE_MAX)
		len = KEXEC_BPF_LINE_MAX - 1;
	return bpf_kexec_carrier(walk->ctx, BPF_KEXEC_LOG, &none, path.text,
				 kexec_below(len, KEXEC_BPF_LINE_MAX));
}

/* Finds the sections of the addon. Returns 0, a negative errno or an enum kexec_refusal. */
static __always_inline __s64 addons_open(struct items_walk *walk)
{
	__u64 how = walk->ctx->flags & BPF_KEXEC_CTX_ENFORCED ? BPF_KEXEC_VERIFY_PE : 0;
	struct bpf_kexec_range file = {};
	__s64 ret;

	ret = bpf_kexec_read_fd(walk->ctx, walk->item->fd, how, NULL);
	if (ret < 0)
		return ret;
	file.resource = ret;
	ret = pe_find(walk->ctx, &file, PE_BASE);
	if (ret)
		return ret;
	/* A signature says who signed, not what it is for: any image of the vendor has one. */
	if (pe.contents.has & (1ULL << LINUX))
		return KEXEC_REFUSE_ADDON;
	/* Addons have no profiles, and one could have a kernel. */
	if (pe.profiles)
		return KEXEC_REFUSE_ADDON;
	if (!(pe.contents.of[CMDLINE].len | pe.contents.of[INITRD].len |
	      pe.contents.of[UCODE].len | pe.contents.of[DTB].len | pe.contents.of[DTBAUTO].len))
		return KEXEC_REFUSE_ADDON;
	return 0;
}

static __always_inline __s64 addons_take_sections(struct bpf_kexec_ctx *ctx)
{
	__s64 ret;

	ret = text_read(ctx, &pe.contents.of[CMDLINE], TEXT_OWN);
	if (ret)
		return ret;
	ret = text_to_cmdline(ctx, TEXT_OWN);
	if (ret)
		return ret;
	/* The microcode of a later addon goes before that of an earlier one. */
	ret = initrd_prepend(ctx, &pe.contents.of[UCODE]);
	if (ret)
		return ret;
	if (pe.contents.of[INITRD].len)
		ret = bpf_kexec_initrd_append(ctx, &pe.contents.of[INITRD], NULL, 0, 0);
	if (ret)
		return ret;
	if (pe.contents.of[DTB].len | pe.contents.of[DTBAUTO].len)
		return say(ctx, &addons_says_dtb);
	return 0;
}

static __always_inline __s64 addons_take(struct items_walk *walk)
{
	__s64 ret, same;

	ret = addons_name(walk);
	if (ret)
		return ret;
	ret = addons_open(walk);
	if (ret)
		return ret;
	ret = addons_same_kernel(walk, &same);
	if (ret)
		return ret;
	if (!same)
		return say(walk->ctx, &addons_says_other_kernel);
	return addons_take_sections(walk->ctx);
}

static int addons_take_item(__u32 i, void *data)
{
	struct items_walk *walk = data;

	walk->item = items_get(i);
	if (!walk->item || walk->item->kind > KEXEC_PRIVATE_ADDON)
		return 1;
	walk->ret = addons_take(walk);
	return !!walk->ret;
}

/* Adds the sections of the caller's addons to what is bound. */
static __noinline __s64 addons_take_items(struct bpf_kexec_ctx *ctx, struct pe_contents *image)
{
	struct items_walk walk = { .ctx = ctx, .image = image };
	__s64 ret = bpf_loop(items.len, addons_take_item, &walk, 0);

	return ret < 0 ? ret : walk.ret;
}

#endif /* _KEXEC_BPF_ADDONS_H */
