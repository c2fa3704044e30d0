// SPDX-License-Identifier: GPL-2.0
/* Hands its own image back as the kernel. */
#include "../../../../../kexec_bpf/kexec_bpf.bpf.h"

SEC("kexec")
int program(struct bpf_kexec_ctx *ctx)
{
	struct bpf_kexec_range image = {
		.resource = BPF_KEXEC_IMAGE, .len = ctx->image_len,
	};

	return kexec_bind(ctx, BPF_KEXEC_BIND_KERNEL, &image);
}

char _license[] SEC("license") = "GPL";
