// SPDX-License-Identifier: GPL-2.0
/* Binds the KiB behind the headers of tiny.efi, without looking at it. */
#include "../../../../../kexec_bpf/kexec_bpf.bpf.h"

SEC("kexec")
int tiny(struct bpf_kexec_ctx *ctx)
{
	struct bpf_kexec_range kernel = {
		.resource = BPF_KEXEC_IMAGE, .offset = 1024, .len = 1024,
	};

	return kexec_bind(ctx, BPF_KEXEC_BIND_KERNEL, &kernel);
}

char _license[] SEC("license") = "GPL";
