// SPDX-License-Identifier: GPL-2.0
/*
 * Boots a unified kernel image (UKI): a PE file with kernel, initrd and command line in
 * sections of their own. It gives the kernel what systemd-stub would give it, which runs the
 * same image when firmware boots it, with the same profile, addons, credentials and extensions.
 * The caller passes those as private data (private_data.h).
 *
 * If the kernel is a zboot image with a program of its own, that program runs next. If it
 * is a zboot image without a program, it is decompressed here. At a deeper level of nesting the
 * level above stands in for the caller.
 */
#include "addons.h"
#include "cmdline.h"
#include "initrd.h"
#include "items.h"
#include "pe.h"
#include "places.h"
#include "say.h"
#include "zboot.h"

struct pe_contents image;

/* Replaces @kernel by its payload if it is a zboot image without a program. */
static __always_inline __s64 unwrap_zboot(struct bpf_kexec_ctx *ctx, struct bpf_kexec_range *kernel)
{
	struct bpf_kexec_range file = *kernel;
	__u64 magic = 0;
	__s64 ret;

	if (file.len < sizeof(magic))
		return 0;
	ret = kexec_get(ctx, file.resource, file.offset, &magic, sizeof(magic));
	if (ret < 0)
		return ret;
	if (magic != ZBOOT_MAGIC)
		return 0;
	ret = pe_find(ctx, &file, PE_BASE);
	if (ret)
		return ret;
	return pe.contents.has & (1ULL << PROGRAM) ? 0 : zboot_decompress(ctx, &file, kernel);
}

static __noinline __s64 bind_kernel(struct bpf_kexec_ctx *ctx)
{
	struct bpf_kexec_range kernel = image.of[LINUX];
	__s64 ret;

	if (!kernel.len)
		return KEXEC_REFUSE_NO_KERNEL;
	ret = unwrap_zboot(ctx, &kernel);
	if (ret)
		return ret;
	return kexec_bind(ctx, BPF_KEXEC_BIND_KERNEL, &kernel);
}

static const struct say says_dtb =
	SAY(".dtb, .dtbauto or .hwids is not used: the next kernel gets this one's device tree");
static const struct say says_efifw =
	SAY(".efifw is not used: the firmware does not run again");
static const struct say says_splash =
	SAY(".splash is not used: no picture is shown");

/* Names the sections that kexec cannot honour. */
static __noinline __s64 say_unused(struct bpf_kexec_ctx *ctx)
{
	__s64 ret = 0;

	if (image.of[DTB].len | image.of[DTBAUTO].len | image.of[HWIDS].len)
		ret = say(ctx, &says_dtb);
	if (!ret && image.of[EFIFW].len)
		ret = say(ctx, &says_efifw);
	if (!ret && image.of[SPLASH].len)
		ret = say(ctx, &says_splash);
	return ret;
}

SEC("kexec")
int uki(struct bpf_kexec_ctx *ctx)
{
	struct bpf_kexec_range file = { .resource = BPF_KEXEC_IMAGE };
	__s64 ret;

	ret = items_check(ctx);
	if (ret)
		return ret;
	ret = pe_find(ctx, &file, items.profile);
	if (ret)
		return ret;
	image = pe.contents;
	ret = bind_kernel(ctx);
	if (ret)
		return ret;
	ret = say_unused(ctx);
	if (ret)
		return ret;
	ret = cmdline_bind(ctx, &image);
	if (ret)
		return ret;
	ret = initrd_bind(ctx, &image);
	if (ret)
		return ret;
	ret = places_take_items(ctx);
	if (ret)
		return ret;
	ret = places_take_sections(ctx, &image);
	if (ret)
		return ret;
	return addons_take_items(ctx, &image);
}

char _license[] SEC("license") = "GPL";
