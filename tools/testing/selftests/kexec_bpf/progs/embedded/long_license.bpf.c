// SPDX-License-Identifier: GPL-2.0
/* Under a license that is longer than the kernel has room for. */
#include "../../../../../kexec_bpf/kexec_bpf.bpf.h"

SEC("kexec")
int program(struct bpf_kexec_ctx *ctx)
{
	return 0;
}

char _license[129] SEC("license") = "GPL";
