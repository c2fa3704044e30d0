// SPDX-License-Identifier: GPL-2.0
/* Binds a kernel that it makes itself, and ignores the error. */
#include "../../../../../kexec_bpf/kexec_bpf.bpf.h"

static __u8 kernel[4096];

SEC("kexec")
int program(struct bpf_kexec_ctx *ctx)
{
	struct bpf_kexec_range range = {};

	if (bpf_kexec_carrier(ctx, BPF_KEXEC_PUT, &range, kernel, sizeof(kernel)) > 0)
		kexec_bind(ctx, BPF_KEXEC_BIND_KERNEL, &range);
	return 0;
}

char _license[] SEC("license") = "GPL";
