// SPDX-License-Identifier: GPL-2.0
/* Binds the image and then refuses it. */
#include "../../../../kexec_bpf/kexec_bpf.bpf.h"

SEC("kexec")
int seven(struct bpf_kexec_ctx *ctx)
{
	struct bpf_kexec_range image = { .resource = BPF_KEXEC_IMAGE, .len = ctx->image_len };

	kexec_bind(ctx, BPF_KEXEC_BIND_KERNEL, &image);
	return 7;
}

char _license[] SEC("license") = "GPL";
