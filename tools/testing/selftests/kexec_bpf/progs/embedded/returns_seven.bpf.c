// SPDX-License-Identifier: GPL-2.0
/* Binds a kernel, and then refuses the image with 7. */
#include "../../../../../kexec_bpf/kexec_bpf.bpf.h"

SEC("kexec")
int program(struct bpf_kexec_ctx *ctx)
{
	struct bpf_kexec_range kernel = { .resource = BPF_KEXEC_IMAGE, .len = 8 };

	kexec_bind(ctx, BPF_KEXEC_BIND_KERNEL, &kernel);
	return 7;
}

char _license[] SEC("license") = "GPL";
