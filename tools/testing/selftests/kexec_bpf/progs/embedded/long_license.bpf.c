// SPDX-License-Identifier: GPL-2.0
/* Has a license that is too long for the kernel. */
#include "../../../../../kexec_bpf/kexec_bpf.bpf.h"

SEC("kexec")
int program(struct bpf_kexec_ctx *ctx)
{
	return 0;
}

char _license[129] SEC("license") = "GPL";
