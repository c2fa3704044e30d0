// SPDX-License-Identifier: GPL-2.0
/* Boots an EFI zboot image. Initrd and command line are the caller's: the image has none. */
#include "zboot.h"

SEC("kexec")
int zboot(struct bpf_kexec_ctx *ctx)
{
	struct bpf_kexec_range image = { .resource = BPF_KEXEC_IMAGE, .len = ctx->image_len };
	struct bpf_kexec_range kernel = {};
	__s64 ret;

	ret = zboot_decompress(ctx, &image, &kernel);
	if (ret)
		return ret;
	return kexec_bind(ctx, BPF_KEXEC_BIND_KERNEL, &kernel);
}

char _license[] SEC("license") = "GPL";
